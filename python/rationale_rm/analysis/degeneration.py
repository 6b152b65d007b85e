"""Does the reasoning of a GenRM decay while its verdicts get better? Curves of training runs (paper, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

from rationale_rm.analysis.changes import BLOCK, beyond, training_change, within
from rationale_rm.analysis.differences import between
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.runs import BATCHES, OF_TRAINING, TrainRun, Value, shown, slice_of
from rationale_rm.documents import Analysis, Estimate

POINTS: Final = 200
"""A curve of training batches has at most so many points: means of as many successive steps as it takes."""
TOLERANCE: Final = 0.02
CHANGED: Final = ("oa", "rc", "ap")
_FLAGS: Final = (("oa", "rc"), ("outcome", "rationale"))


def degeneration(runs: Sequence[TrainRun], how: Sampling | None = None, *, tolerance: float = TOLERANCE) -> Analysis:
    """Curves, changes from the first to the last evaluation, and differences between runs at equal steps.

    Estimates, by slice:

    - ``RUN/SPLIT``: ``oa_change``, ``rc_change``, ``ap_change``, last evaluation minus first;
    - ``RUN/train``: ``outcome_change``, ``rationale_change``, the last quarter of the steps minus the first;
    - both: ``degenerated``, 1 where OA (outcome) held or rose, its change being at least -`tolerance`, while the
      interval of RC's (the rationale reward's) change lies below 0; else 0;
    - ``A minus B/SPLIT`` and ``A minus B/train`` for every two arms: see `differences.between`.

    `figures.part` writes a split whose name is taken or holds ``/``.
    Points: ``kind`` ``curve`` (``run, arm, step, split, metric, value, low, high``; split ``train`` for batches) and
    ``difference`` (``a, b, step, split, metric, value, low, high``).
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    notes: list[str] = []
    for run in runs:
        points += _curve_points(run)
        for split in run.splits:
            estimates += _with_flag([within(run, split, metric) for metric in CHANGED], run, split, tolerance, notes)
            notes += [text for metric in CHANGED for text in beyond(run, split, metric)]
        changes = [training_change(run, metric, how) for metric in OF_TRAINING[:2]]
        estimates += _with_flag(changes, run, BATCHES, tolerance, notes)
    arms = {run.arm: [other for other in runs if other.arm == run.arm] for run in runs}
    for a, b in combinations(arms, 2):
        found, at_steps, left_out = between(a, arms[a], b, arms[b])
        if len(arms[a]) != len(arms[b]):
            larger = max(a, b, key=lambda arm: len(arms[arm]))
            left = arms[larger][min(len(arms[a]), len(arms[b])) :]
            notes.append(
                f"{a} minus {b} pairs runs in the order given; of {larger} there is nothing to compare with: "
                + ", ".join(run.name for run in left)
            )
        estimates += found
        points += at_steps
        notes += left_out
    if any(estimate.metric.endswith("_change") for estimate in estimates):
        notes.append(
            "Changes between evaluations take the two as independent, for a run keeps no rows of them; both are of "
            "the same pairs, so the intervals are rather too wide. Training batches are resampled in blocks of "
            f"{BLOCK} steps."
        )
    return Analysis(
        analysis="degeneration",
        subject=tuple(run.name for run in runs),
        manifest=manifest(
            [run.file for run in runs], how, arms={arm: [r.name for r in of] for arm, of in arms.items()},
            tolerance=tolerance,
        ),
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
    )  # fmt: skip


def _with_flag(
    changes: list[Estimate], run: TrainRun, split: str | None, tolerance: float, notes: list[str]
) -> list[Estimate]:
    by_metric = {change.metric: change for change in changes}
    for outcome, rationale in _FLAGS:
        held, fell = by_metric.get(f"{outcome}_change"), by_metric.get(f"{rationale}_change")
        if held is None or fell is None:
            continue
        slice = slice_of(run.name, split)
        if held.value is None or fell.value is None or fell.high is None:
            why = held.unavailable or fell.unavailable or "no interval"
            flag = Estimate.missing("degenerated", slice=slice, n=fell.n, n_total=fell.n_total, unavailable=why)
            return [*changes, flag]
        degenerated = held.value >= -tolerance and fell.high < 0
        if degenerated:
            notes.append(
                f"{run.name} degenerates ({shown(split)}): {outcome} changed by {held.value:+.3f}, while {rationale} "
                f"fell by {-fell.value:.3f} (95% interval {-fell.high:.3f} to {-(fell.low or 0.0):.3f})."
            )
        flag = Estimate(slice=slice, metric="degenerated", value=float(degenerated), n=fell.n, n_total=fell.n_total)
        return [*changes, flag]
    return changes


def _curve_points(run: TrainRun) -> list[dict[str, Any]]:
    points = []
    for (split, metric), curve in run.curves.items():
        for step, value in thinned(curve) if split is BATCHES else curve.items():
            points.append(
                {
                    "kind": "curve",
                    "run": run.name,
                    "arm": run.arm,
                    "step": step,
                    "split": shown(split),
                    "metric": metric,
                    "value": value.value,
                    "low": value.low,
                    "high": value.high,
                }
            )
    return points


def thinned(curve: Any) -> list[tuple[int, Value]]:
    """The means of successive steps, each at its middle step, so that no more than `POINTS` are left."""
    items = list(curve.items())
    size = -(-len(items) // POINTS)
    parts = [items[start : start + size] for start in range(0, len(items), max(size, 1))]
    return [(part[len(part) // 2][0], Value(sum(value.value for _, value in part) / len(part))) for part in parts]
