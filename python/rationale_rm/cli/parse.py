"""``rationale-rm parse``: how judge transcripts were read, and which could not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal

import typer

from rationale_rm import (
    CLAIMS_STATUSES,
    GENRM_STATUSES,
    METAJUDGE_STATUSES,
    SCHEMA_VERSION,
    VERDICT_FAMILIES,
    __version__,
    parse_claims,
    parse_genrm,
    parse_metajudge,
)
from rationale_rm.cli import output, render
from rationale_rm.cli.inputs import reading
from rationale_rm.data import (
    BadLine,
    DataError,
    Row,
    is_judge_record,
    read_pair,
    read_rows,
)
from rationale_rm.metrics import Format, Policy, critiques

Kind = Literal["genrm", "metajudge", "claims"]

EPILOG: Final = """\
Examples:

\b
  rationale-rm parse pairs.jsonl
      every M-generated_text as a GenRM answer, every MetaJudge result by itself
  rationale-rm parse games.jsonl --field judgments.*.judgment.response --policy unanimous
      transcripts elsewhere in the records; * stands for every item of a list
  rationale-rm parse decomposed.jsonl --kind claims --field output --json parsed.json
      decomposition answers, with all claims in the JSON
  rationale-rm parse transcript.txt
      one transcript as a text file
"""

CSV_COLUMNS: Final = (
    "file",
    "line",
    "field",
    "kind",
    "status",
    "offset",
    "verdict",
    "family",
    "truncated",
    "n_items",
)
_SUFFIX: Final = "-generated_text"
_USUAL_FIELDS: Final = ("generated_text", "text", "output", "completion", "response")


@dataclass(frozen=True, slots=True)
class _Text:
    """One transcript and where it stands."""

    kind: Kind
    file: str
    line: int
    field: str
    text: str
    n_references: int = 0
    n_reasons: int = 0


def parse(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="JSON Lines (plain, .gz, .zst), Parquet, folders of them, one transcript as .txt, or -.",
        ),
    ],
    kind: Annotated[
        Literal["genrm", "metajudge", "claims", "auto"],
        typer.Option(help="What the texts are; 'auto' tells MetaJudge results from GenRM answers by the record."),
    ] = "auto",
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the text stands, such as output or games.*.text.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="Family of verdict spellings to read (GenRM answers).")] = "auto",
    policy: Annotated[
        Policy,
        typer.Option(help="Which verdict counts in free text without a block: the last, or only an unanimous one."),
    ] = "last",
    json_path: Annotated[
        str | None,
        typer.Option("--json", metavar="OUT", help="Write every parsed text as JSON; - for standard output."),
    ] = None,
    csv_path: Annotated[
        str | None, typer.Option("--csv", metavar="OUT", help="Write a line for every text as CSV.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line (exit code 1).")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and the number of bad lines only.")
    ] = False,
) -> None:
    """Parse judge transcripts and show how they were read.

    Prints each status with its count, and for each failure one example with file, line, byte offset and the
    text there. Texts are looked for in M-generated_text and samples[].generated_text, then in
    generated_text, text, output, completion and response, or where --field says.
    """
    inputs = output.inputs_and_targets(files, {"--json": json_path, "--csv": csv_path})
    progress = output.Progress(quiet)
    texts: list[_Text] = []
    bad: list[BadLine] = []
    n_lines = 0
    with reading(progress):
        for item in read_rows(inputs):
            n_lines += 1
            if n_lines % 256 == 0:
                progress.update(f"reading: {n_lines:,} lines")
            found = item if isinstance(item, BadLine) else _texts(item, kind, field)
            if isinstance(found, list):
                texts += found
            elif strict:
                raise DataError(found)
            else:
                bad.append(found)
    progress.done()
    output.report_bad_lines(bad, n_lines, quiet and bool(texts))
    if not texts:
        output.fail(
            f"nothing to parse: none of {output.count(n_lines, 'line')} holds a transcript"
            if n_lines
            else "the input is empty"
        )

    rows = [row for kind_ in ("genrm", "metajudge", "claims") for row in _parsed(kind_, texts, format, policy)]
    if json_path is not None:
        output.write_json(json_path, _document(files, format, policy, rows, bad, n_lines))
    if csv_path is not None:
        output.write_csv(csv_path, CSV_COLUMNS, rows)
    if not quiet and "-" not in (json_path, csv_path):
        output.emit(render.to_text(_tables(rows)))


def _texts(row: Row, kind: str, field: str | None) -> list[_Text] | BadLine:
    """The transcripts of one record, or why there are none."""
    if not isinstance(row.value, dict):
        return BadLine(row.file, row.line, "a JSON object is expected")
    if kind == "metajudge" or (kind == "auto" and field is None and is_judge_record(row.value)):
        return _judge_texts(row, field)
    name: Kind = "claims" if kind == "claims" else "genrm"
    if field is not None:
        found = list(_dig(row.value, field.split("."), ""))
    else:
        found = [
            (key, value)
            for key, value in row.value.items()
            if key.endswith(_SUFFIX) and key != f"human{_SUFFIX}" and isinstance(value, str)
        ]
        usual = [(key, row.value[key]) for key in _USUAL_FIELDS if isinstance(row.value.get(key), str)]
        found = found or usual[:1]
    if not found:
        where = f"no text at {field}" if field is not None else "no transcript found: say where with --field"
        return BadLine(row.file, row.line, f"{where} (the record holds {', '.join(map(str, row.value))})")
    return [_Text(name, row.file, row.line, where, text) for where, text in found]


def _judge_texts(row: Row, field: str | None) -> list[_Text] | BadLine:
    if not is_judge_record(row.value):
        return BadLine(
            row.file, row.line, "a MetaJudge result needs `samples` and `metadata` with both lists of reasons"
        )
    # A label that cannot be read is no matter here, only the two lists are.
    metadata = {
        key: value
        for key, value in row.value["metadata"].items()
        if not key.endswith("-label") and key not in ("label", "overall_preference")
    }
    pair = read_pair(Row(row.file, row.line, {**row.value, "metadata": metadata}))
    if isinstance(pair, BadLine):
        return pair
    model = next(name for name, answer in pair.models.items() if answer.judge is not None)
    reasons = critiques([pair], model)[0].reasons or ()
    found = _dig(row.value, (field or "samples.*.generated_text").split("."), "")
    return [
        _Text("metajudge", row.file, row.line, where, text, len(pair.references), len(reasons)) for where, text in found
    ]


def _dig(value: Any, path: Sequence[str], where: str) -> Iterator[tuple[str, str]]:
    """Texts at a dotted path, with the path taken; ``*`` is every item of a list or field of an object."""
    if not path:
        if isinstance(value, str):
            yield where, value
        return
    head, *rest = path
    items: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        items = list(value.items()) if head == "*" else [(head, value[head])] if head in value else []
    elif isinstance(value, list):
        items = [(str(number), item) for number, item in enumerate(value) if head in ("*", str(number))]
    for key, item in items:
        yield from _dig(item, rest, f"{where}.{key}" if where else key)


def _parsed(kind: str, texts: Sequence[_Text], format: Format, policy: Policy) -> list[dict[str, Any]]:
    """A row for every text of one kind."""
    chosen = [text for text in texts if text.kind == kind]
    if not chosen:
        return []
    bodies = [text.text for text in chosen]
    results: list[dict[str, Any]]
    if kind == "genrm":
        genrm = parse_genrm(bodies, format=format, policy=policy)
        results = [
            {
                "status": GENRM_STATUSES[status],
                "offset": offset,
                "verdict": verdict if status == 0 else None,
                "family": VERDICT_FAMILIES[family],
                "truncated": truncated,
                "n_items": len(reasons),
                "reasons": reasons,
            }
            for status, offset, verdict, family, truncated, reasons in zip(
                genrm.status.tolist(),
                genrm.offset.tolist(),
                genrm.verdict.tolist(),
                genrm.family.tolist(),
                genrm.truncated.tolist(),
                genrm.reasons,
                strict=True,
            )
        ]
    elif kind == "metajudge":
        judged = parse_metajudge(bodies, [text.n_references for text in chosen], [text.n_reasons for text in chosen])
        bounds = judged.row_offsets.tolist()
        cells = list(zip(judged.reference.tolist(), judged.reason.tolist(), judged.score.tolist(), strict=True))
        results = [
            {
                "status": METAJUDGE_STATUSES[status],
                "offset": offset,
                "n_items": bounds[row + 1] - bounds[row],
                "scores": [
                    {"reference": reference + 1, "reason": reason + 1, "score": score}
                    for reference, reason, score in cells[bounds[row] : bounds[row + 1]]
                ],
            }
            for row, (status, offset) in enumerate(zip(judged.status.tolist(), judged.offset.tolist(), strict=True))
        ]
    else:
        claims = parse_claims(bodies)
        results = [
            {
                "status": CLAIMS_STATUSES[status],
                "offset": offset,
                "n_items": len(found),
                "claims": found,
                "ignored": [list(item) for item in ignored],
                "empty_reason": why,
            }
            for status, offset, found, ignored, why in zip(
                claims.status.tolist(),
                claims.offset.tolist(),
                claims.claims,
                claims.ignored,
                claims.empty_reason,
                strict=True,
            )
        ]
    return [
        {
            "file": text.file,
            "line": text.line,
            "field": text.field,
            "kind": kind,
            **result,
            "excerpt": None if result["status"] == "ok" else _excerpt(text.text, result["offset"]),
        }
        for text, result in zip(chosen, results, strict=True)
    ]


def _excerpt(text: str, offset: int) -> str:
    """The text around a byte offset, or the end of it, where the answer should be."""
    if offset < 0:
        return ("…" if len(text) > 100 else "") + text[-100:]
    raw = text.encode("utf-8", "surrogatepass")
    begin, end = max(offset - 30, 0), min(offset + 70, len(raw))
    shown = raw[begin:end].decode("utf-8", "ignore")
    return ("…" if begin else "") + shown + ("…" if end < len(raw) else "")


def _statuses(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(row["status"] for row in rows)
    return dict(sorted(counts.items(), key=lambda item: (item[0] != "ok", -item[1], item[0])))


def _examples(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first text of each failing status."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] != "ok":
            first.setdefault(row["status"], row)
    return [first[name] for name in _statuses(rows) if name in first]


def _tables(rows: Sequence[dict[str, Any]]) -> Iterator[Any]:
    titles = {"genrm": "GenRM answers", "metajudge": "MetaJudge answers", "claims": "Decomposition answers"}
    for kind, title in titles.items():
        chosen = [row for row in rows if row["kind"] == kind]
        if not chosen:
            continue
        yield render.status_table(f"{title}: {len(chosen)}", _statuses(chosen))
        if kind == "genrm":
            families = Counter(row["family"] for row in chosen if row["status"] == "ok")
            if families:
                listed = ", ".join(f"{name} {count}" for name, count in families.most_common())
                yield render.plain(f"Verdicts by spelling: {listed}.")
        for row in _examples(chosen):
            where = "" if row["offset"] < 0 else f" byte {row['offset']}"
            yield f"{row['status']}: {row['file']}:{row['line']} {row['field']}{where}"
            yield f"    {row['excerpt']}"
        yield ""


def _document(
    files: Sequence[str],
    format: Format,
    policy: Policy,
    rows: Sequence[dict[str, Any]],
    bad: Sequence[BadLine],
    n_lines: int,
) -> dict[str, Any]:
    kinds = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        chosen = [row for row in rows if row["kind"] == kind]
        examples = [
            {name: row[name] for name in ("status", "file", "line", "field", "offset", "excerpt")}
            for row in _examples(chosen)
        ]
        kinds[kind] = {"n": len(chosen), "statuses": _statuses(chosen), "examples": examples}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "parse",
        "version": __version__,
        "settings": {"format": format, "policy": policy},
        "input": {
            "files": list(files),
            "n_lines": n_lines,
            "n_bad_lines": len(bad),
            "bad_lines": [asdict(line) for line in bad],
        },
        "kinds": kinds,
        "rows": list(rows),
    }
