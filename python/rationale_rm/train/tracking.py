"""What a run says of itself: metrics.jsonl, trackers, samples of answers, and progress on the terminal."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from rationale_rm.extras import MissingExtraError

METRICS: Final = "metrics.jsonl"
SAMPLES: Final = "samples"
_PLAIN_EVERY: Final = 10.0
"""Seconds between progress lines where they are not drawn over each other."""
_RECENT: Final = 0.9
"""Weight of the steps before in the mean that the remaining time is reckoned from."""


class Metrics:
    """metrics.jsonl: one record a step or evaluation, each written at once."""

    def __init__(self, folder: Path, n_kept: int = 0):
        """Goes on after the first `n_kept` lines; what a killed run wrote beyond its checkpoint is cut off."""
        self.path = folder / METRICS
        self.n_records = _cut_back(self.path, n_kept)
        self._file: TextIO = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed by `close`

    def write(self, record: Mapping[str, Any]) -> None:
        """Appends a record. NaN and infinity, which JSON does not have, become null."""
        self._file.write(json.dumps(_finite(record), allow_nan=False) + "\n")
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


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
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
    parquet.write_table(pyarrow.Table.from_pylist([_valid(_finite(row)) for row in rows], schema=schema), partial)
    os.replace(partial, path)


def check_samples() -> None:
    """Raises `MissingExtraError` without the library that samples are written with."""
    _parquet()


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise MissingExtraError("pyarrow", "train") from None
    return pyarrow, pyarrow.parquet


def _valid(value: Any) -> Any:
    """Text that UTF-8 can hold: models and data may bring lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {key: _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list) else value


class Progress:
    """Progress on standard error: a bar with the last figures and the time that is left, or plain lines where no
    terminal draws them.
    """

    def __init__(self, shown: bool, stream: TextIO | None = None):
        self._stream = sys.stderr if stream is None else stream
        self._shown = shown
        self._bar: Any = None
        self._task: Any = None
        self._printed = -math.inf
        self._last = 0.0
        self._pace: float | None = None
        if shown and self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}"),
            )
            self._bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._bar.start()

    def begin(self, what: str, done: int, total: int) -> None:
        """A phase begins, of which `done` of `total` steps are done."""
        self._what, self._total = what, total
        self._last, self._pace = time.monotonic(), None
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, completed=done, total=total, said="")

    def step(self, done: int, figures: str) -> None:
        """A step is done; `figures` are shown beside it."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._pace = took if self._pace is None else _RECENT * self._pace + (1 - _RECENT) * took
        said = f"{figures}, {clock(self._pace * (self._total - done))} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, said=said)
        elif self._shown and (now - self._printed >= _PLAIN_EVERY or done == self._total):
            self._printed = now
            self._print(f"{self._what} {done:,} of {self._total:,}: {said}")

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif self._shown:
            self._print(text)

    def close(self) -> None:
        """Gives the terminal back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._shown = False

    def _print(self, text: str) -> None:
        safe = text.encode(self._stream.encoding or "utf-8", "backslashreplace").decode(
            self._stream.encoding or "utf-8"
        )
        print(safe, file=self._stream, flush=True)


def clock(seconds: float) -> str:
    """A time as people write it: ``45 s``, ``3:20``, ``1:02:30``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
