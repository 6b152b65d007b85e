"""How far a figure of one run moved: between two evaluations, or over the batches it trained on."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from rationale_rm.analysis import figures
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.resample import Ints, ratio_difference, resampled_sums
from rationale_rm.analysis.runs import BATCHES, TrainRun, Value, shown, slice_of
from rationale_rm.documents import Estimate

BLOCK: Final = 10
"""Successive batches come from nearly the same policy, so blocks of so many are resampled together."""
QUARTER: Final = 0.25
MIN_BLOCKS: Final = 8
"""Two blocks in a quarter, at the least."""


def within(run: TrainRun, split: str, metric: str) -> Estimate:
    """The last evaluation of `split` minus the first."""
    slice, name = slice_of(run.name, split), f"{metric}_change"
    curve = run.curves.get((split, metric), {})
    steps = list(curve)
    if len(steps) < 2:
        why = f"{len(steps)} evaluations of {shown(split)} know it: two are needed"
        return Estimate.missing(name, slice=slice, n=len(steps), n_total=len(run.due(split)), unavailable=why)
    first, last = curve[steps[0]], curve[steps[-1]]
    low, high = mover(last, first)
    n, n_total = rows_of(first, last)
    return Estimate(
        slice=slice,
        metric=name,
        value=last.value - first.value,
        low=low,
        high=high,
        n=n,
        n_total=n_total,
        unavailable=None if low is not None else "no interval: the run recorded none",
    )


def rows_of(*values: Value) -> tuple[int, int]:
    """The n and n_total of a difference of figures over rows: the fewer that entered, and the more that were due."""
    n = min((value.n for value in values if value.n is not None), default=0)
    return n, max(n, *(value.n_total or 0 for value in values))


def mover(a: Value, b: Value) -> tuple[float | None, float | None]:
    """The interval of a - b from those of a and b, taken as independent (Zou and Donner 2008, MOVER)."""
    if None in (a.low, a.high, b.low, b.high):
        return None, None
    difference = a.value - b.value
    below = math.hypot(a.value - a.low, b.high - b.value)  # type: ignore[operator]
    above = math.hypot(a.high - a.value, b.value - b.low)  # type: ignore[operator]
    return difference - below, difference + above


def training_change(run: TrainRun, metric: str, how: Sampling) -> Estimate:
    """Mean of `metric` over the last quarter of the training steps minus that over the first, blocks resampled.

    n_total counts the recorded steps of both quarters, n those of them that know it.
    """
    slice, name = slice_of(run.name, BATCHES), f"{metric}_change"
    steps, values = run.column(BATCHES, metric)
    due = run.due(BATCHES)
    blocks = blocks_of(steps)
    if len(np.unique(blocks)) < MIN_BLOCKS:
        why = f"{len(steps)} steps know it: {MIN_BLOCKS * BLOCK} are needed"
        return Estimate.missing(name, slice=slice, n=len(steps), n_total=len(due), unavailable=why)
    first, last = (quarter(steps, due, first=which) for which in (True, False))
    columns = np.stack([values * last, last, values * first, first], axis=1).astype(float)
    drawn = resampled_sums(columns, blocks, n_resamples=how.n_resamples, seed=how.seed)
    value = float(ratio_difference(columns.sum(axis=0)))
    return figures.drawn_estimate(
        slice,
        name,
        value,
        ratio_difference(drawn),
        blocks,
        n=int((first | last).sum()),
        n_total=int((quarter(due, due, first=True) | quarter(due, due, first=False)).sum()),
        why_none="no step of the first quarter, or none of the last, knows it",
    )


def beyond(run: TrainRun, split: str, metric: str) -> list[str]:
    """What to say of a change that begins after the first evaluation, or ends before the last, where none knows it."""
    steps, due = run.column(split, metric)[0], run.due(split)
    if len(steps) < 2 or (steps[0], steps[-1]) == (due[0], due[-1]):
        return []
    return [
        f"{slice_of(run.name, split)}: {metric} is not known at {len(due) - len(steps)} of {len(due)} evaluations; its "
        f"change is from step {steps[0]:,} to {steps[-1]:,}, and not from {due[0]:,} to {due[-1]:,}."
    ]


def blocks_of(steps: Ints) -> Ints:
    """The block of each step, so that steps of two runs fall into the same blocks."""
    return steps // BLOCK


def quarter(steps: Ints, due: Ints, *, first: bool) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the steps lie in the first (last) quarter of the way from the first to the last of `due`."""
    start, end = (int(due.min()), int(due.max())) if len(due) else (0, 0)
    length = (end - start + 1) * QUARTER
    return steps < start + length if first else steps > end - length
