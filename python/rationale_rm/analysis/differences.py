"""Two runs, or two arms of several seeds each, at equal steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rationale_rm.analysis.changes import BLOCK, mover, quarter
from rationale_rm.analysis.resample import Floats, Ints
from rationale_rm.analysis.runs import OF_TRAINING, TRAIN, TrainRun
from rationale_rm.documents import Estimate

EVALUATED: Final = ("oa", "rc", "ap")
STUDENT: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5% quantiles of Student's t with 1 to 30 degrees of freedom."""
MIN_LATE_BLOCKS: Final = 3
"""Blocks of steps that the last quarter must hold."""
_At = tuple[float, float | None, float | None]


def between(
    a: str, runs_a: Sequence[TrainRun], b: str, runs_b: Sequence[TrainRun]
) -> tuple[list[Estimate], list[dict[str, Any]]]:
    """Arm `a` minus arm `b`: estimates of slice ``A minus B/SPLIT``, and points of the differences at all common steps.

    - ``oa``, ``rc``, ``ap`` of each split at the last step at which both were evaluated;
    - ``train``: ``outcome`` and ``rationale`` over the last quarter of the common steps, and ``rationale_relative``,
      the ratio of the two rationale rewards minus 1 (the paper's "24.2% lower").

    With one run an arm the interval is that of the two figures, or Student's over the means of blocks of steps. With
    several, they are paired in the order in which they are given, one seed each, and it is Student's over seeds; to
    evaluations, which are of the same pairs for all seeds, the width of the figures' own intervals is added, as of an
    independent source.
    Arms of unequal size are compared as far as the smaller one goes. n counts evaluated rows or steps, and for
    evaluations of several seeds the pairs of runs.
    """
    paired = list(zip(runs_a, runs_b, strict=False))
    name = f"{a} minus {b}"
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    splits = [s for s in paired[0][0].splits if all(s in run.splits for both in paired for run in both)]
    for split in splits:
        for metric in EVALUATED:
            found = _at_steps(paired, split, metric)
            points += [
                {"kind": "difference", "a": a, "b": b, "step": step, "split": split, "metric": metric,
                 "value": at[0], "low": at[1], "high": at[2]}
                for step, at in found.items()
            ]  # fmt: skip
            estimates.append(_last(f"{name}/{split}", metric, found, _n(paired, split, metric, found)))
    for metric in OF_TRAINING[:2]:
        estimates.append(_training(f"{name}/{TRAIN}", metric, paired, relative=False))
    estimates.append(_training(f"{name}/{TRAIN}", "rationale", paired, relative=True))
    return estimates, points


def _at_steps(paired: Sequence[tuple[TrainRun, TrainRun]], split: str, metric: str) -> dict[int, _At]:
    """Step → difference with its interval."""
    curves = [(x.curves.get((split, metric), {}), y.curves.get((split, metric), {})) for x, y in paired]
    common = [step for step in curves[0][0] if all(step in curve for both in curves for curve in both)]
    found: dict[int, _At] = {}
    for step in common:
        each = [(x[step].value - y[step].value, *mover(x[step], y[step])) for x, y in curves]
        found[step] = each[0] if len(each) == 1 else _of_pairs_and_seeds(each)
    return found


def _of_pairs_and_seeds(each: Sequence[_At]) -> _At:
    """The mean over seeds; its interval covers what the seeds and what the evaluated pairs leave to chance."""
    mean, low, high = over_seeds([value for value, _, _ in each])
    below = [value - end for value, end, _ in each if end is not None]
    above = [end - value for value, _, end in each if end is not None]
    if len(below) < len(each):
        return mean, None, None
    return (
        mean,
        mean - math.hypot(mean - low, float(np.mean(below))),
        mean + math.hypot(high - mean, float(np.mean(above))),
    )


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean of at least two values with its interval (Student's t)."""
    n, mean = len(values), float(np.mean(values))
    quantile = STUDENT[min(n - 1, len(STUDENT)) - 1]
    half = quantile * float(np.std(values, ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def _last(slice: str, metric: str, found: dict[int, _At], n: int) -> Estimate:
    if not found:
        return Estimate.missing(metric, slice=slice, unavailable="no step at which both were evaluated")
    value, low, high = found[max(found)]
    why = None if low is not None else "no interval: the runs recorded none"
    return Estimate(slice=slice, metric=metric, value=value, low=low, high=high, n=n, n_total=n, unavailable=why)


def _n(paired: Sequence[tuple[TrainRun, TrainRun]], split: str, metric: str, found: dict[int, _At]) -> int:
    if len(paired) > 1 or not found:
        return len(paired)
    counts = [run.curves[split, metric][max(found)].n for run in paired[0]]
    return min((count for count in counts if count is not None), default=1)


def _training(slice: str, metric: str, paired: Sequence[tuple[TrainRun, TrainRun]], *, relative: bool) -> Estimate:
    name = f"{metric}_relative" if relative else metric
    columns = [_common(x, y, metric) for x, y in paired]
    if any(len(steps) < MIN_LATE_BLOCKS * BLOCK for steps, _, _ in columns):
        why = f"the runs share too few steps: {MIN_LATE_BLOCKS * BLOCK} are needed in the last quarter"
        return Estimate.missing(name, slice=slice, n=sum(len(steps) for steps, _, _ in columns), unavailable=why)
    n = sum(len(steps) for steps, _, _ in columns)
    if len(paired) > 1:
        values = [float(np.mean(x) / np.mean(y) - 1 if relative else np.mean(x - y)) for _, x, y in columns]
        if not np.all(np.isfinite(values)):
            return Estimate.missing(
                name, slice=slice, n=n, n_total=n, unavailable="a rationale reward of 0 to divide by"
            )
        mean, below, above = over_seeds(values)
        return Estimate(slice=slice, metric=name, value=mean, low=below, high=above, n=n, n_total=n)
    _, x, y = columns[0]
    if relative and np.sum(y) == 0:
        return Estimate.missing(name, slice=slice, n=n, n_total=n, unavailable="a rationale reward of 0 to divide by")
    ratio = float(np.sum(x) / np.sum(y)) if relative else 1.0
    # of a ratio: what a block moves it by, to first order
    moves: Floats = (x - ratio * y) / np.mean(y) if relative else x - y
    blocks = np.array_split(moves, len(moves) // BLOCK)
    mean, low, high = over_seeds([float(np.mean(block)) for block in blocks])
    value = ratio - 1 if relative else float(np.mean(moves))
    return Estimate(
        slice=slice, metric=name, value=value, low=value + low - mean, high=value + high - mean, n=n, n_total=n
    )


def _common(a: TrainRun, b: TrainRun, metric: str) -> tuple[Ints, Floats, Floats]:
    """The last quarter of the steps that both runs know `metric` of."""
    (steps_a, x), (steps_b, y) = a.column(TRAIN, metric), b.column(TRAIN, metric)
    steps, at_a, at_b = np.intersect1d(steps_a, steps_b, assume_unique=True, return_indices=True)
    late = quarter(steps, first=False)
    return steps[late], x[at_a][late], y[at_b][late]
