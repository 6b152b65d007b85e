"""Lines of input into scored rows, each on its own: what a worker does, and the table that it hands over.

A row is one answer of one model, with the columns of ``score --samples`` and what else `ray_merge` needs to give the
figures of a single process: counts, and digests of what is compared where two lines are about one pair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.data import BadLine, LabelScale, Row, read_line, read_rows, record_names, superseded_by
from rationale_rm.extras import needs
from rationale_rm.metrics import METRICS, AnswerRows, Asked, Settings, score_rows
from rationale_rm.types import VERDICT_TEXTS, Pair

CHUNK: Final = 2048
"""Lines that are scored together."""
ANSWER, NO_ANSWER, LABEL, BAD = "answer", "no_answer", "label", "bad"
"""What a row is: one answer; a line without one; a line that only holds a label; a line that was refused."""
_DIGEST: Final = 16
_ESCAPE: Final = "\0"


@dataclass(frozen=True, slots=True)
class Scoring:
    """How lines are read and scored: plain values, so that it travels to workers."""

    settings: Settings = field(default_factory=Settings)
    label_scale: LabelScale | None = None
    model: str | None = None
    """See `rationale_rm.data.read_pairs`."""


def schema() -> Any:
    """The `pyarrow.Schema` of scored rows."""
    with needs("ray", "pyarrow"):
        import pyarrow as pa

    word, digest = pa.dictionary(pa.int32(), pa.string()), pa.binary(_DIGEST)
    return pa.schema(
        [
            ("line", pa.int64()),
            ("kind", word),
            ("id", pa.string()),
            ("pair_id", pa.string()),
            ("domain", word),
            ("model", word),
            ("swapped", pa.bool_()),
            ("sample", pa.int64()),
            ("label", word),
            ("verdict", word),
            ("answer_status", word),
            ("judge_status", word),
            *((name, pa.float64()) for name in METRICS),
            ("n_reasons", pa.int64()),
            ("n_failed", pa.int64()),
            ("n_dropped", pa.int64()),
            ("judged_length", pa.int64()),
            ("judged", pa.bool_()),
            ("judge", word),
            ("stand_in", word),
            ("reason", pa.string()),  # why a line was refused
            ("failed", pa.bool_()),  # the model was asked and failed
            ("key", pa.string()),  # lines of one key in one file supersede each other
            ("content", pa.string()),  # what a line without an id is known by
            ("references", digest),
            ("facts", digest),  # all that a line says of its pair
            ("answer", digest),
        ]
    )


def score_file(path: str, scoring: Scoring) -> Any:
    """One file as a `pyarrow.Table` of scored rows, sorted by line and model; ``n_lines`` stands in its metadata.

    Raises `OSError` for a file that cannot be opened.
    """
    import pyarrow as pa

    items = read_rows([path])
    tables, n_lines = [schema().empty_table()], 0
    while chunk := list(islice(items, CHUNK)):
        n_lines += len(chunk)
        tables.append(score_lines(chunk, scoring))
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return whole.replace_schema_metadata({"n_lines": str(n_lines)})


def score_lines(items: Iterable[Row | BadLine], scoring: Scoring, *, asked: Asked | None = None) -> Any:
    """Decoded lines as a `pyarrow.Table` of scored rows, sorted by line and model. `asked`: see `score_rows`."""
    import pyarrow as pa

    apart: list[dict[str, Any]] = []
    pairs: list[Pair] = []
    about: dict[int, dict[str, Any]] = {}
    for item in items:
        if isinstance(item, BadLine):
            apart.append({"line": item.line, "kind": BAD, "reason": written(item.reason)})
            continue
        key = _key(superseded_by(item.value))
        read = read_line(item, label_scale=scoring.label_scale, model=scoring.model)
        if isinstance(read, BadLine):
            apart.append({"line": item.line, "kind": BAD, "reason": written(read.reason), "key": key})
        elif read is None:
            apart.append({"line": item.line, "kind": LABEL})
        else:
            facts = {"key": key, **_facts(read)}
            about[item.line] = facts
            pairs.append(read)
            if not read.models:
                label = None if read.label is None else VERDICT_TEXTS[read.label]
                apart.append({"line": item.line, "kind": NO_ANSWER, "domain": read.domain, "label": label, **facts})
    tables = [pa.Table.from_pylist(apart, schema=schema())]
    for model in sorted({name for pair in pairs for name in pair.models}):
        for held in _apart([pair for pair in pairs if model in pair.models]):
            rows = score_rows(held, model, scoring.settings, asked=asked)
            columns = {**_columns(rows, scoring.settings), **_answers(held, model)}
            for name in ("key", "content", "references", "facts", "failed"):
                columns[name] = [about[line][name] for line in columns["line"]]
            tables.append(pa.table(columns, schema=schema()))
    return pa.concat_tables(tables).unify_dictionaries().sort_by("line")  # stable, so by model too


def rows_of(table: Any, model: str, settings: Settings) -> AnswerRows:
    """Scored rows of `model` as they were when `score_lines` wrote them."""
    from rationale_rm.metrics import Matched

    texts = {name: tuple(table.column(name).to_pylist()) for name in _TEXTS}
    numbers = {name: table.column(name).to_numpy() for name in ("sample", "n_reasons", *_COUNTS)}
    columns = {name: table.column(name).to_numpy() for name in METRICS if name != "oa"}
    judged = table.column("judged").to_numpy() & (settings.judge == "recorded")
    judges = zip(judged.tolist(), map(original, texts["judge"]), map(original, texts["stand_in"]), strict=True)
    return AnswerRows(
        model=model,
        ids=texts["id"],
        source_ids=texts["pair_id"],
        domains=texts["domain"],
        swapped=table.column("swapped").to_numpy(),
        samples=numbers["sample"],
        label=levels(texts["label"]),
        verdict=levels(texts["verdict"]),
        answer_status=texts["answer_status"],
        n_reasons=numbers["n_reasons"],
        matched=Matched(columns, texts["judge_status"], *(numbers[name] for name in _COUNTS)),
        judges=tuple((judge, stand_in) if known else None for known, judge, stand_in in judges),
    )


_TEXTS: Final = ("id", "pair_id", "domain", "label", "verdict", "answer_status", "judge_status", "judge", "stand_in")
_COUNTS: Final = ("n_failed", "n_dropped", "judged_length")
_LEVELS: Final[dict[str | None, int]] = {
    None: core.NO_VERDICT,
    **{text: level for level, text in VERDICT_TEXTS.items()},
}


def levels(texts: Iterable[str | None]) -> NDArray[np.int8]:
    """Verdicts in words as numbers, `NO_VERDICT` for None."""
    return np.array([_LEVELS[text] for text in texts], dtype=np.int8)


def _columns(rows: AnswerRows, settings: Settings) -> dict[str, Any]:
    import pyarrow as pa

    def words(column: Any) -> list[str | None]:
        return [None if level == core.NO_VERDICT else VERDICT_TEXTS[level] for level in column.tolist()]

    matched = rows.matched
    judges = [(None, None) if judge is None else judge for judge in rows.judges]
    figures = {"oa": rows.outcome(exact=settings.exact), **matched.columns}
    return {
        "kind": [ANSWER] * len(rows),
        "id": rows.ids,
        "pair_id": rows.source_ids,
        "domain": rows.domains,
        "model": [written(rows.model)] * len(rows),
        "swapped": rows.swapped,
        "sample": rows.samples,
        "label": words(rows.label),
        "verdict": words(rows.verdict),
        "answer_status": rows.answer_status,
        "judge_status": matched.status,
        **{name: pa.array(column, from_pandas=True) for name, column in figures.items()},  # NaN is null
        "judge": [written(name) for name, _ in judges],
        "stand_in": [written(stand_in) for _, stand_in in judges],
        "n_reasons": rows.n_reasons,
        "n_failed": matched.n_failed,
        "n_dropped": matched.n_dropped,
        "judged_length": matched.judged_length,
        "reason": [None] * len(rows),
    }


def _answers(pairs: list[Pair], model: str) -> dict[str, Any]:
    answers = [pair.models[model] for pair in pairs]
    judges = [answer.judge for answer in answers]
    said = [
        (answer.reasons, answer.verdict, answer.bad_label, answer.text, answer.swapped, answer.sample)
        for answer in answers
    ]
    return {
        "line": [pair.line for pair in pairs],
        "judged": [judge is not None for judge in judges],
        "answer": [_digest(one) for one in said],
    }


def _apart(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Lists in which no id stands twice: scoring finds records by their id."""
    groups: list[dict[str, Pair]] = []
    for pair in pairs:
        group = next((group for group in groups if pair.id not in group), None)
        if group is None:
            groups.append(group := {})
        group[pair.id] = pair
    return [list(group.values()) for group in groups]


def _key(key: tuple[bool, str] | None) -> str | None:
    return None if key is None else _digest(key).hex()


def _facts(pair: Pair) -> dict[str, Any]:
    failed = pair.extra.get("error") is not None
    said = (pair.source_id, pair.domain, pair.label, failed, pair.context, pair.response1, pair.response2)
    return {
        "id": pair.id,
        "pair_id": pair.source_id,
        "failed": failed,
        "content": record_names(pair)[-1],
        "references": _digest(pair.references),
        "facts": _digest((said, pair.references)),
    }


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(repr(value).encode("utf-8", "backslashreplace"), digest_size=_DIGEST).digest()


def written(text: str | None) -> str | None:
    """A text from the data as one that can be written as UTF-8: where it cannot, as JSON behind a NUL."""
    if text is None:
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _ESCAPE + json.dumps(text)
    return _ESCAPE + json.dumps(text) if text.startswith(_ESCAPE) else text


def original(text: str | None) -> str | None:
    """The text that `written` was given."""
    return text if text is None or not text.startswith(_ESCAPE) else str(json.loads(text.removeprefix(_ESCAPE)))
