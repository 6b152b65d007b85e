"""Two runs, or two arms of several seeds each, at equal steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rationale_rm.analysis.changes import BLOCK, mover, quarter, rows_of
from rationale_rm.analysis.resample import Floats
from rationale_rm.analysis.runs import BATCHES, MINUS, OF_TRAINING, TrainRun, shown, slice_of
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
) -> tuple[list[Estimate], list[dict[str, Any]], list[str]]:
    """Arm `a` minus arm `b`: estimates of slice ``A minus B/SPLIT``, points of the differences at all common steps, and
    notes of what could not be compared.

    - ``oa``, ``rc``, ``ap`` of each split at the last step at which both were evaluated;
    - ``train``: ``outcome`` and ``rationale`` over the last quarter of the common steps, and ``rationale_relative``,
      the ratio of the two rationale rewards minus 1 (the paper's "24.2% lower").

    With one run an arm the interval is that of the two figures, or Student's over the means of blocks of steps. With
    several, they are paired in the order in which they are given, one seed each, and it is Student's over seeds; to
    evaluations, which are of the same pairs for all seeds, the width of the figures' own intervals is added, as of an
    independent source.
    Arms of unequal size are compared as far as the smaller one goes. n counts evaluated rows or steps, and for
    evaluations of several seeds the pairs of runs; n_total the rows, recorded steps or runs of the larger arm.
    """
    paired = list(zip(runs_a, runs_b, strict=False))
    name = f"{a}{MINUS}{b}"
    notes: list[str] = []
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    splits = [s for s in paired[0][0].splits if all(s in run.splits for both in paired for run in both)]
    every = {split for both in paired for run in both for split in run.splits}
    notes += [
        f"{name}: some of the runs have no evaluation of {shown(one)}, so it is left out."
        for one in sorted(every.difference(splits))
    ]
    for split in splits:
        for metric in EVALUATED:
            found = _at_steps(paired, split, metric)
            points += [
                {"kind": "difference", "a": a, "b": b, "step": step, "split": shown(split), "metric": metric,
                 "value": at[0], "low": at[1], "high": at[2]}
                for step, at in found.items()
            ]  # fmt: skip
            counts = _counts(paired, split, metric, found, max(len(runs_a), len(runs_b)))
            estimates.append(_last(slice_of(name, split), metric, found, counts))
            notes += _before_the_end(slice_of(name, split), metric, found, paired, split)
    for metric in OF_TRAINING[:2]:
        estimates.append(_training(slice_of(name, BATCHES), metric, paired, relative=False))
    estimates.append(_training(slice_of(name, BATCHES), "rationale", paired, relative=True))
    return estimates, points, notes


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


def _last(slice: str, metric: str, found: dict[int, _At], counts: tuple[int, int]) -> Estimate:
    n, n_total = counts
    if not found:
        return Estimate.missing(
            metric, slice=slice, n=n, n_total=n_total, unavailable="no step at which both were evaluated"
        )
    value, low, high = found[max(found)]
    why = None if low is not None else "no interval: the runs recorded none"
    return Estimate(slice=slice, metric=metric, value=value, low=low, high=high, n=n, n_total=n_total, unavailable=why)


def _counts(
    paired: Sequence[tuple[TrainRun, TrainRun]], split: str, metric: str, found: dict[int, _At], n_runs: int
) -> tuple[int, int]:
    """The n and n_total of a difference of evaluations: rows, or of several seeds the pairs of runs."""
    if n_runs > 1 or not found:
        return len(paired) if found else 0, n_runs if n_runs > 1 else 0
    return rows_of(*(run.curves[split, metric][max(found)] for run in paired[0]))


def _before_the_end(
    slice: str, metric: str, found: dict[int, _At], paired: Sequence[tuple[TrainRun, TrainRun]], split: str
) -> list[str]:
    """What to say of a figure that some run does not know at the last step at which all were evaluated."""
    common = set.intersection(*(set(run.steps[split]) for both in paired for run in both))
    if not found or max(found) == max(common):
        return []
    return [f"{slice}: {metric} is not known to all at step {max(common):,}; its difference is of step {max(found):,}."]


def _training(slice: str, metric: str, paired: Sequence[tuple[TrainRun, TrainRun]], *, relative: bool) -> Estimate:
    name = f"{metric}_relative" if relative else metric
    columns = [_common(x, y, metric) for x, y in paired]
    n, n_total = (sum(counts) for counts in zip(*((len(x), due) for x, _, due in columns), strict=True))
    if any(len(x) < MIN_LATE_BLOCKS * BLOCK for x, _, _ in columns):
        why = f"the runs share too few steps: {MIN_LATE_BLOCKS * BLOCK} are needed in the last quarter"
        return Estimate.missing(name, slice=slice, n=n, n_total=n_total, unavailable=why)
    if len(paired) > 1:
        values = [float(np.mean(x) / np.mean(y) - 1 if relative else np.mean(x - y)) for x, y, _ in columns]
        if not np.all(np.isfinite(values)):
            return Estimate.missing(
                name, slice=slice, n=n, n_total=n_total, unavailable="a rationale reward of 0 to divide by"
            )
        mean, below, above = over_seeds(values)
        return Estimate(slice=slice, metric=name, value=mean, low=below, high=above, n=n, n_total=n_total)
    x, y, _ = columns[0]
    if relative and np.sum(y) == 0:
        return Estimate.missing(
            name, slice=slice, n=n, n_total=n_total, unavailable="a rationale reward of 0 to divide by"
        )
    ratio = float(np.sum(x) / np.sum(y)) if relative else 1.0
    # of a ratio: what a block moves it by, to first order
    moves: Floats = (x - ratio * y) / np.mean(y) if relative else x - y
    blocks = np.array_split(moves, len(moves) // BLOCK)
    mean, low, high = over_seeds([float(np.mean(block)) for block in blocks])
    value = ratio - 1 if relative else float(np.mean(moves))
    return Estimate(
        slice=slice, metric=name, value=value, low=value + low - mean, high=value + high - mean, n=n, n_total=n_total
    )


def _common(a: TrainRun, b: TrainRun, metric: str) -> tuple[Floats, Floats, int]:
    """The values of both runs at the steps of the last quarter that both know `metric` of, and how many steps of it
    both recorded.
    """
    (steps_a, x), (steps_b, y) = a.column(BATCHES, metric), b.column(BATCHES, metric)
    due = np.intersect1d(a.due(BATCHES), b.due(BATCHES), assume_unique=True)
    steps, at_a, at_b = np.intersect1d(steps_a, steps_b, assume_unique=True, return_indices=True)
    late = quarter(steps, due, first=False)
    return x[at_a][late], y[at_b][late], int(quarter(due, due, first=False).sum())
