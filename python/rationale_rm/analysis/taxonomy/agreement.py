"""How well two labellings of the same reasons agree: Cohen's kappa, precision and recall of each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.analysis import figures
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.resample import Ints, resampled_sums
from rationale_rm.analysis.taxonomy.labels import CLASSES, FLAWS, Labels
from rationale_rm.documents import Estimate

METRICS: Final = ("kappa", "precision", "recall")


def kappa(first: Any, second: Any) -> float:
    """Cohen's kappa of two columns of labels (n,): (p_o - p_e) / (1 - p_e), with p_o the share of equal labels and p_e
    what it would be if both were drawn by their own shares (Cohen, 1960). NaN where both use the same single label.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two columns of one length are expected, not {first.shape} and {second.shape}")
    names = np.unique(np.concatenate([first, second]))
    if len(names) < 2:
        return float("nan")
    agree = float(np.mean(first == second))
    chance = float(sum(np.mean(first == name) * np.mean(second == name) for name in names))
    return (agree - chance) / (1 - chance)


def agreement(
    given: Sequence[Labels], truth: Sequence[Labels], clusters: Ints, how: Sampling, *, rule: str = ""
) -> list[Estimate]:
    """For each class and flaw kappa, and precision and recall of `given` against `truth`; for ``class`` the kappa of
    the three classes together.

    `clusters` (n,) says which reasons go together; intervals draw these. slice is the label, n the number of reasons
    (for precision those that are given the label, for recall those that have it).
    """
    if not len(given) == len(truth) == len(clusters):
        raise ValueError(f"{len(given)}, {len(truth)} and {len(clusters)} reasons: all three are about the same")
    ours, theirs = (np.array([one.group for one in labels]) for labels in (given, truth))
    found = [_estimate("class", "kappa", _tables(ours, theirs, CLASSES), clusters, how, rule)]
    for name in (*CLASSES, *FLAWS):
        ours, theirs = (
            np.array([name == one.group or name in one.flaws for one in labels]) for labels in (given, truth)
        )
        table = _tables(ours, theirs, (False, True))
        found += [_estimate(name, metric, table, clusters, how, rule) for metric in METRICS]
    return found


def _tables(first: NDArray[Any], second: NDArray[Any], names: Sequence[Any]) -> NDArray[np.float64]:
    """Each item's own confusion table: float64 (n, k, k), 1 where it has this label in `first` and that in `second`."""
    rows, columns = (np.stack([labels == name for name in names], axis=1) for labels in (first, second))
    tables: NDArray[np.float64] = (rows[:, :, None] & columns[:, None, :]).astype(np.float64)
    return tables


def _estimate(
    slice: str, metric: str, tables: NDArray[np.float64], clusters: Ints, how: Sampling, rule: str
) -> Estimate:
    n, k, _ = tables.shape
    flat = tables.reshape(n, k * k)
    drawn = resampled_sums(flat, clusters, n_resamples=how.n_resamples, seed=how.seed).reshape(-1, k, k)
    total = flat.sum(axis=0).reshape(k, k)
    count = {"kappa": n, "precision": int(total[-1].sum()), "recall": int(total[:, -1].sum())}[metric]
    return figures.drawn_estimate(
        slice,
        metric,
        float(_figure(total, metric)),
        _figure(drawn, metric),
        clusters,
        n=count,
        n_total=n,
        rule=rule,
        why_none="one of the two gives every reason the same label",
    )


def _figure(tables: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """The metric of confusion tables (…, k, k): given in rows, true in columns; NaN where it is not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "precision":
            return np.asarray(tables[..., -1, -1] / tables[..., -1, :].sum(-1))
        if metric == "recall":
            return np.asarray(tables[..., -1, -1] / tables[..., :, -1].sum(-1))
        n = tables.sum((-2, -1))
        agree = np.trace(tables, axis1=-2, axis2=-1) / n
        chance = (tables.sum(-1) * tables.sum(-2)).sum(-1) / n**2
        return np.asarray((agree - chance) / (1 - chance))
