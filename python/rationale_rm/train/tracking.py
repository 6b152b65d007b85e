"""What a run says of itself in numbers: metrics.jsonl, and the same for trackers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

METRICS: Final = "metrics.jsonl"


class Metrics:
    """metrics.jsonl: one record a step or evaluation, each written at once."""

    def __init__(self, folder: Path, n_kept: int = 0):
        """Goes on after the first `n_kept` lines; what a killed run wrote beyond its checkpoint is cut off."""
        self.path = folder / METRICS
        self.n_records = _cut_back(self.path, n_kept)
        self._file: TextIO = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed by `close`

    def write(self, record: Mapping[str, Any]) -> None:
        """Appends a record. NaN and infinity, which JSON does not have, become null."""
        self._file.write(json.dumps(finite(record), allow_nan=False) + "\n")
        self._file.flush()
        self.n_records += 1

    def sync(self) -> None:
        """Forces what is written to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_metrics(folder: str | os.PathLike[str], phase: str | None = None) -> list[dict[str, Any]]:
    """The records of a run, those of one `phase` (``warm_start``, ``grpo``, ``evaluation``) if named; an unfinished
    last line is left out.
    """
    text = Path(folder, METRICS).read_text("utf-8")
    records = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [record for record in records if phase in (None, record["phase"])]


def _cut_back(path: Path, n_kept: int) -> int:
    if not path.exists():
        return 0
    with open(path, "rb+") as file:
        for n in range(n_kept):
            line = file.readline()
            if not line.endswith(b"\n"):
                file.seek(-len(line), os.SEEK_CUR)
                n_kept = n
                break
        file.truncate(file.tell())
    return n_kept


def finite(value: Any) -> Any:
    """`value` with None for NaN and infinity, which JSON does not have, wherever they stand in it."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(record: Mapping[str, Any], above: str = "", *, texts: bool = False) -> dict[str, Any]:
    """The numbers of a record under names such as ``grpo/seconds/sample``, for trackers; texts too, if asked for."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{above}{key}/", texts=texts))
        elif isinstance(value, (str, bool)):
            found.update({f"{above}{key}": value} if texts else {})
        elif isinstance(value, (int, float)) and math.isfinite(value):
            found[f"{above}{key}"] = value
    return found
