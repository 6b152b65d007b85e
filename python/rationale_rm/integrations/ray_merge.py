"""Scored rows of many files into what a single process would have found in the same files.

Lines were scored apart, so what needs several lines at once is done here: lines of one file that supersede each
other, labels that records of one pair share, lines about one pair that differ in nothing but the judged model. What a
single process would have to join by their texts is refused (`JoinError`): figures are the same or there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np

from rationale_rm._core import NO_VERDICT, RationaleError
from rationale_rm.data import BadLine, has_own_id, share_labels
from rationale_rm.integrations.ray_lines import ANSWER, BAD, LABEL, levels, original, rows_of, written
from rationale_rm.metrics import ModelScores, Settings, missing, summarise
from rationale_rm.types import VERDICT_TEXTS, Pair

_HINT: Final = "--engine ray scores each line on its own: use the default engine, or join the lines first"


class JoinError(RationaleError):
    """Lines that can only be scored together."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What is known of one record; `rows` are its places in the table."""

    file: int
    line: int
    id: str
    rows: tuple[int, ...]


class ScoredData:
    """What the workers found in the files: counts as of `rationale_rm.data.Loaded`, and figures."""

    def __init__(self, tables: Sequence[Any], files: Sequence[str], settings: Settings):
        """`tables`: one of `score_file` for each file. Raises `JoinError` where lines would have to be joined."""
        import pyarrow as pa

        self.files, self.settings = tuple(files), settings
        self.n_lines = sum(int(table.schema.metadata[b"n_lines"]) for table in tables)
        self.n_unused_labels = 0
        sizes = [table.num_rows for table in tables]
        file = pa.array(np.repeat(np.arange(len(tables)), sizes))
        plain = [table.replace_schema_metadata(None) for table in tables]
        self._table = pa.concat_tables(plain).unify_dictionaries().append_column("file", file)
        kept, bad = _that_count(self._table, self.files)
        self._table = self._table.take(pa.array(kept, pa.int64()))
        _refuse_labels(self._table, self.files)
        records, rows = _records(self._table, self.files)
        self._table = self._table.take(pa.array(rows, pa.int64()))
        faults = self._share(records)
        self.bad = (*bad, *faults)
        self.n_records = len(records)
        sources = self._table.column("pair_id").to_pylist()
        labelled = self._table.column("label").is_valid().to_pylist()
        self._sources = set(sources)
        self.n_pairs = len(self._sources)
        self.n_labelled = len({source for source, known in zip(sources, labelled, strict=True) if known})
        self.models = tuple(sorted(_names(self._table)))
        self.recorded = _names(self._table.filter(self._table.column("judged")))
        """Models with recorded judge answers."""

    def evaluate(self, model: str) -> ModelScores:
        """The figures of `rationale_rm.metrics.evaluate`."""
        import pyarrow.compute as pc

        rows = rows_of(self._table.filter(pc.equal(self._table.column("model"), written(model))), model, self.settings)
        failed = self._table.filter(self._table.column("failed"))
        asked = dict(zip(failed.column("id").to_pylist(), failed.column("pair_id").to_pylist(), strict=True))
        return summarise(rows, self.settings, n_missing=missing(rows, self._sources, asked))

    def _share(self, records: Sequence[_Line]) -> list[BadLine]:
        """Gives the records of each source pair its finest label; what contradicts an earlier label is told."""
        import pyarrow as pa

        columns = {name: self._table.column(name).to_pylist() for name in ("pair_id", "label", "references")}
        label = levels(columns["label"])
        first_rows = np.cumsum([0, *(len(record.rows) for record in records)])[:-1].tolist()
        n_records = Counter(columns["pair_id"][row] for row in first_rows)
        several = [at for at, row in enumerate(first_rows) if n_records[columns["pair_id"][row]] > 1]
        pairs = []
        for at in several:
            row, record = first_rows[at], records[at]
            pairs.append(
                Pair(
                    id=record.id,
                    domain="",
                    context="",
                    response1="",
                    response2="",
                    references=(columns["references"][row].hex(),),
                    label=None if label[row] == NO_VERDICT else int(label[row]),
                    pair_id=columns["pair_id"][row],
                    file=self.files[record.file],
                    line=record.line,
                )
            )
        shared, faults = share_labels(pairs)
        for at, pair in zip(several, shared, strict=True):
            start = first_rows[at]
            label[start : start + len(records[at].rows)] = NO_VERDICT if pair.label is None else pair.label
        texts = [None if level == NO_VERDICT else VERDICT_TEXTS[level] for level in label.tolist()]
        place = self._table.schema.get_field_index("label")
        self._table = self._table.set_column(place, "label", pa.array(texts, pa.string()))
        return faults


def _names(table: Any) -> set[str]:
    """The models of a table."""
    return {name for text in table.column("model").unique().to_pylist() if (name := original(text)) is not None}


def _that_count(table: Any, files: Sequence[str]) -> tuple[list[int], list[BadLine]]:
    """The rows that no later line of their file supersedes and that are not bad, and the bad lines: both in the order
    in which a single process meets them, which comes to what may be superseded at the end of the file.
    """
    names = ("file", "line", "key", "kind")
    file, line, key, kind = (table.column(name).to_pylist() for name in names)
    first: dict[tuple[int, str], int] = {}
    last: dict[tuple[int, str], int] = {}
    for at, one in enumerate(key):
        if one is not None:
            first.setdefault((file[at], one), line[at])
            last[file[at], one] = line[at]
    places = []
    for at, one in enumerate(key):
        if one is None:
            places.append((file[at], False, line[at], at))
        elif last[file[at], one] == line[at]:
            places.append((file[at], True, first[file[at], one], at))
    kept, bad = [], []
    reasons = table.column("reason")
    for *_, at in sorted(places):
        if kind[at] == BAD:
            bad.append(BadLine(files[file[at]], line[at], original(reasons[at].as_py()) or ""))
        else:
            kept.append(at)
    return kept, bad


def _refuse_labels(table: Any, files: Sequence[str]) -> None:
    import pyarrow.compute as pc

    labels = table.filter(pc.equal(table.column("kind"), LABEL))
    if labels.num_rows:
        where = f"{files[labels.column('file')[0].as_py()]}:{labels.column('line')[0].as_py()}"
        raise JoinError(f"{where} only holds a label, which belongs to a pair on another line; {_HINT}")


def _records(table: Any, files: Sequence[str]) -> tuple[list[_Line], list[int]]:
    """The records in order, and the rows that stand for them: lines of one id give one record."""
    file, line, ids = (table.column(name).to_pylist() for name in ("file", "line", "id"))
    lines = []
    for place, rows in groupby(range(len(ids)), key=lambda row: (file[row], line[row], ids[row])):
        lines.append(_Line(place[0], place[1], place[2], tuple(rows)))
    _refuse_by_content(lines, table, files)
    by_id: dict[str, list[_Line]] = {}
    for one in lines:
        by_id.setdefault(one.id, []).append(one)
    records = [same[0] if len(same) == 1 else _one_of(same, table, files) for same in by_id.values()]
    return records, [row for record in records for row in record.rows]


def _refuse_by_content(lines: Sequence[_Line], table: Any, files: Sequence[str]) -> None:
    """Refuses lines without an id that are joined to others by their content."""
    made = [line for line in lines if not has_own_id(line.id)]
    if not made:
        return
    content = table.column("content").to_pylist()
    known: dict[str, _Line] = {}
    # Lines without an id first: two with an id of their own are never joined, whatever they hold.
    for line in sorted(lines, key=lambda line: has_own_id(line.id)):
        for name in (line.id, content[line.rows[0]]):
            other = known.get(name)
            if other is not None and other.id != line.id:
                raise JoinError(f"{_two(other, line, files)} are of one pair, which one of them has no id of; {_HINT}")
            if not has_own_id(line.id):
                known[name] = line


def _one_of(lines: Sequence[_Line], table: Any, files: Sequence[str]) -> _Line:
    """One record of lines that say the same of their pair and differ in the judged model alone, as the result files of
    several models do. Raises `JoinError` for others.
    """
    rows = [row for line in lines for row in line.rows]
    part = table.select(["model", "judged", "answer", "facts", "kind"]).take(rows).to_pylist()
    told = dict(zip(rows, part, strict=True))
    first, second = lines[:2]
    if len({row["facts"] for row in part}) > 1:
        raise JoinError(f"{_two(first, second, files)} say different things of {first.id!r}; {_HINT}")
    chosen: dict[str, int] = {}
    for line in lines:
        if not any(told[row]["judged"] for row in line.rows):
            raise JoinError(f"{_two(first, second, files)} are of one id, {first.id!r}; {_HINT}")
        for row in line.rows:
            model = told[row]["model"]
            old = chosen.setdefault(model, row)
            if told[row]["answer"] != told[old]["answer"] or (
                old != row and told[row]["judged"] and told[old]["judged"]
            ):
                raise JoinError(f"{_two(first, second, files)} hold two answers about {model} of {first.id!r}; {_HINT}")
            if told[row]["judged"]:
                chosen[model] = row
    assert all(row["kind"] == ANSWER for row in part)
    return _Line(first.file, first.line, first.id, tuple(chosen.values()))


def _two(a: _Line, b: _Line, files: Sequence[str]) -> str:
    return f"{files[a.file]}:{a.line} and {files[b.file]}:{b.line}"
