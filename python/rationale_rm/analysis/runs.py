"""What a training run recorded: its curves, from ``metrics.jsonl``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rationale_rm.analysis.figures import part
from rationale_rm.analysis.resample import Floats, Ints
from rationale_rm.data import BadLine, DataError, read_rows

METRICS_FILE: Final = "metrics.jsonl"
BATCHES: Final = None
"""Stands for the training batches where else a split stands; an evaluation may be of a split of any name."""
TRAIN: Final = "train"
"""What the batches are called in slices and points."""
OF_TRAINING: Final = ("outcome", "rationale", "rc", "reward")
OF_EVALUATION: Final = (
    *("oa", "rc", "ap", "precision", "f1", "rc_by_reward_judge", "disagreement", "format_errors"),
    *("reasons", "reason_words", "reward"),
)
_LARGEST: Final = 10**12
"""Of steps, counts and figures; what is larger is a fault, and its sums would not be numbers."""
MINUS: Final = " minus "
"""Between the names of two runs or arms."""


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
    curves: Mapping[tuple[str | None, str], Mapping[int, Value]]
    """(split or `BATCHES`, metric) → step → value, by rising step; a step where it is not known is not there."""
    steps: Mapping[str | None, Sequence[int]]
    """Split or `BATCHES` → the steps of which there is a record, rising: at these each figure was due."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that the run was evaluated on, ``test`` first."""
        found = {split for split, _ in self.curves if split is not None}
        return tuple(sorted(found, key=lambda split: (split != "test", split)))

    def due(self, split: str | None) -> Ints:
        """The steps that have a record: int64 (n,)."""
        return np.array(self.steps.get(split, ()), dtype=np.int64)

    def column(self, split: str | None, metric: str) -> tuple[Ints, Floats]:
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
        if MINUS in own:
            raise DataError(
                BadLine(str(file), 0, f"{own!r} reads like the difference of two runs: name the run, NAME=FOLDER")
            )
        runs.append(TrainRun(own, name, str(file), *_curves(str(file))))
    return runs


def slice_of(name: str, split: str | None) -> str:
    """The slice of a run, or of a difference of two, for a split or the `BATCHES`."""
    return f"{name}/{shown(split)}"


def shown(split: str | None) -> str:
    """A split as slices and points call it; ``train`` is that of the batches."""
    return TRAIN if split is None else part(split, (TRAIN,))


_Curves = dict[tuple[str | None, str], dict[int, Value]]


def _curves(file: str) -> tuple[_Curves, dict[str | None, list[int]]]:
    found: _Curves = {}
    steps: dict[str | None, set[int]] = {}
    torn: BadLine | None = None
    for row in read_rows([file]):
        if torn is not None:
            raise DataError(torn)
        if isinstance(row, BadLine):
            torn = row  # a run that is under way may be writing its last line
            continue
        split, step, values = _values(file, row.line, row.value)
        if values is None:
            continue
        steps.setdefault(split, set()).add(step)
        for metric, value in values:
            found.setdefault((split, metric), {})[step] = value
    if not found:
        raise DataError(BadLine(file, 0, "no step and no evaluation is recorded yet"))
    curves = {key: dict(sorted(curve.items())) for key, curve in found.items()}
    return curves, {split: sorted(recorded) for split, recorded in steps.items()}


def _values(file: str, line: int, record: Any) -> tuple[str | None, int, list[tuple[str, Value]] | None]:
    """The split, the step and the figures that a record knows; None for a record that is about something else."""
    if not isinstance(record, dict) or type(record.get("step")) is not int or not isinstance(record.get("phase"), str):
        raise DataError(
            BadLine(file, line, "a record of `rationale-rm train` is expected: an object with phase and step")
        )
    if not 0 <= record["step"] <= _LARGEST:
        raise DataError(BadLine(file, line, f"step must be a whole number from 0 to {_LARGEST:,}"))
    split: str | None = BATCHES
    metrics: Sequence[str] = OF_TRAINING
    if record["phase"] == "evaluation" and isinstance(record.get("split"), str):
        split, metrics = record["split"], OF_EVALUATION
    elif record["phase"] != "grpo":
        return BATCHES, 0, None
    values = [(metric, value) for metric in metrics if (value := _value(record.get(metric))) is not None]
    return split, record["step"], values


def _value(given: Any) -> Value | None:
    """A number, or an object with an interval; None where there is no value."""
    if not isinstance(given, Mapping):
        number = _number(given)
        return None if number is None else Value(number)
    number = _number(given.get("value"))
    if number is None:
        return None
    counts = [
        count if type(count) is int and 0 <= count <= _LARGEST else None
        for count in (given.get("n"), given.get("n_total"))
    ]
    return Value(number, _number(given.get("low")), _number(given.get("high")), *counts)


def _number(given: Any) -> float | None:
    if isinstance(given, (int, float)) and not isinstance(given, bool) and abs(given) <= _LARGEST:  # NaN is not
        return float(given)
    return None
