"""The files that samples of answers are kept in: ``samples/step-NNNNNN.parquet``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rationale_rm.extras import needs
from rationale_rm.train.tracking import finite

SAMPLES: Final = "samples"


def write_samples(folder: Path, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes ``samples/step-NNNNNN.parquet``, one row an answer, whole or not at all."""
    pyarrow, parquet = _parquet()
    schema = pyarrow.schema(
        [
            ("step", pyarrow.int64()),
            ("id", pyarrow.string()),
            ("pair_id", pyarrow.string()),
            ("swapped", pyarrow.bool_()),
            ("prompt", pyarrow.string()),
            ("answer", pyarrow.string()),
            ("tokens", pyarrow.int64()),
            ("truncated", pyarrow.bool_()),
            ("status", pyarrow.string()),
            ("label", pyarrow.string()),
            ("verdict", pyarrow.string()),
            ("references", pyarrow.list_(pyarrow.string())),
            ("reasons", pyarrow.list_(pyarrow.string())),
            (
                "matches",
                pyarrow.list_(
                    pyarrow.struct(
                        [("reference", pyarrow.int32()), ("reason", pyarrow.int32()), ("score", pyarrow.float64())]
                    )
                ),
            ),
            ("outcome", pyarrow.float64()),
            ("rationale", pyarrow.float64()),
            ("rc", pyarrow.float64()),
            ("reward", pyarrow.float64()),
            ("advantage", pyarrow.float64()),
            ("error", pyarrow.string()),
        ]
    )
    path = folder / SAMPLES / f"step-{step:06d}.parquet"
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.name}")
    parquet.write_table(pyarrow.Table.from_pylist([_valid(finite(row)) for row in rows], schema=schema), partial)
    os.replace(partial, path)


def check_samples() -> None:
    """Raises `MissingExtraError` without the library that samples are written with."""
    _parquet()


def _parquet() -> tuple[Any, Any]:
    with needs("train", "pyarrow"):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet


def _valid(value: Any) -> Any:
    """Text that UTF-8 can hold: models and data may bring lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {key: _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list) else value
