"""The rows of ``score --samples``: CSV, or Parquet where the file is named so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from rationale_rm.cli import output
from rationale_rm.extras import needs
from rationale_rm.metrics import METRICS, ModelScores

COLUMNS: Final = (
    *("id", "pair_id", "domain", "model", "swapped", "sample", "label", "verdict", "answer_status", "judge_status"),
    *METRICS,
    "scored_by",
)
_ROWS: Final = 1 << 16
"""Rows of a row group."""


def write_samples(path: str, scores: Sequence[ModelScores], scored_by: Callable[[ModelScores], str]) -> None:
    """Writes one row an answer; Parquet for a name that ends in ``.parquet``, else CSV, whole or not at all."""
    rows = _rows(scores, scored_by)
    if path.lower().endswith(".parquet"):
        _write_parquet(path, rows)
    else:
        output.write_csv(path, COLUMNS, rows)


def _rows(scores: Sequence[ModelScores], scored_by: Callable[[ModelScores], str]) -> Iterator[dict[str, Any]]:
    for model in scores:
        judge = scored_by(model)
        for row in model.samples():
            yield {**row, "scored_by": judge}


def _write_parquet(path: str, rows: Iterator[dict[str, Any]]) -> None:
    with needs("io", "pyarrow"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    kinds = {"swapped": pa.bool_(), "sample": pa.int64(), **dict.fromkeys(METRICS, pa.float64())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with output.replacing(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist([_writable(row) for row in chunk], schema=schema))


def _writable(row: dict[str, Any]) -> dict[str, Any]:
    """The row with names from the data as UTF-8, as in the CSV."""
    names = {name: row[name].encode("utf-8", "backslashreplace").decode() for name in ("model", "scored_by")}
    return {**row, **names}
