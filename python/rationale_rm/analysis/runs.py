"""What a training run recorded: its curves, from ``metrics.jsonl``."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rationale_rm.analysis.resample import Floats, Ints
from rationale_rm.data import BadLine, DataError, read_rows

METRICS_FILE: Final = "metrics.jsonl"
TRAIN: Final = "train"
"""The split of the training batches themselves."""
OF_TRAINING: Final = ("outcome", "rationale", "rc", "reward")
OF_EVALUATION: Final = (
    *("oa", "rc", "ap", "precision", "f1", "rc_by_reward_judge", "disagreement", "format_errors"),
    *("reasons", "reason_words", "reward"),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A figure at a step; no interval where the run recorded none."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_total: int | None = None


@dataclass(frozen=True, slots=True)
class TrainRun:
    """The curves of a run."""

    name: str
    arm: str
    """What runs that differ in their seed alone have in common."""
    file: str
    curves: Mapping[tuple[str, str], Mapping[int, Value]]
    """(split, metric) → step → value, by rising step; a step where it is not known is not there."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that the run was evaluated on, ``test`` first."""
        found = {split for split, _ in self.curves if split != TRAIN}
        return tuple(sorted(found, key=lambda split: (split != "test", split)))

    def column(self, split: str, metric: str) -> tuple[Ints, Floats]:
        """Steps and values of a curve: (n,) each."""
        curve = self.curves.get((split, metric), {})
        return np.array(list(curve), dtype=np.int64), np.array([v.value for v in curve.values()], dtype=np.float64)


def read_runs(named: Sequence[tuple[str | None, str | os.PathLike[str]]]) -> list[TrainRun]:
    """Reads run folders of ``rationale-rm train``, each with a name or None for that of its folder.

    Runs of one name are an arm, and called ``NAME/FOLDER``. Raises `DataError` for a file that cannot be read,
    `FileNotFoundError` for a folder that is no run.
    """
    names = [name or os.path.basename(os.path.realpath(path)) for name, path in named]
    runs: list[TrainRun] = []
    for name, (_, path) in zip(names, named, strict=True):
        file = Path(path) / METRICS_FILE
        if not file.is_file():
            raise FileNotFoundError(
                f"no {METRICS_FILE} in {os.fspath(path)}: a run folder of `rationale-rm train` is expected"
            )
        own = name if names.count(name) == 1 else f"{name}/{os.path.basename(os.path.realpath(path))}"
        if own in [run.name for run in runs]:
            place = runs[[run.name for run in runs].index(own)].file
            raise DataError(BadLine(str(file), 0, f"a second run named {own!r} beside {place}: name them, NAME=FOLDER"))
        runs.append(TrainRun(own, name, str(file), _curves(str(file))))
    return runs


def _curves(file: str) -> dict[tuple[str, str], dict[int, Value]]:
    found: dict[tuple[str, str], dict[int, Value]] = {}
    torn: BadLine | None = None
    for row in read_rows([file]):
        if torn is not None:
            raise DataError(torn)
        if isinstance(row, BadLine):
            torn = row  # a run that is under way may be writing its last line
            continue
        for split, metric, step, value in _values(file, row.line, row.value):
            found.setdefault((split, metric), {})[step] = value
    if not found:
        raise DataError(BadLine(file, 0, "no step and no evaluation is recorded yet"))
    return {key: dict(sorted(curve.items())) for key, curve in found.items()}


def _values(file: str, line: int, record: Any) -> Iterator[tuple[str, str, int, Value]]:
    if not isinstance(record, dict) or type(record.get("step")) is not int or not isinstance(record.get("phase"), str):
        raise DataError(
            BadLine(file, line, "a record of `rationale-rm train` is expected: an object with phase and step")
        )
    step = record["step"]
    if record["phase"] == "grpo":
        for metric in OF_TRAINING:
            if (value := _value(record.get(metric))) is not None:
                yield TRAIN, metric, step, value
    elif record["phase"] == "evaluation" and isinstance(record.get("split"), str):
        for metric in OF_EVALUATION:
            if (value := _value(record.get(metric))) is not None:
                yield record["split"], metric, step, value


def _value(given: Any) -> Value | None:
    """A number, or an object with an interval; None where there is no value."""
    if not isinstance(given, Mapping):
        number = _number(given)
        return None if number is None else Value(number)
    number = _number(given.get("value"))
    if number is None:
        return None
    counts = [count if type(count) is int else None for count in (given.get("n"), given.get("n_total"))]
    return Value(number, _number(given.get("low")), _number(given.get("high")), *counts)


def _number(given: Any) -> float | None:
    if isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    return None
