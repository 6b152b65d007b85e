"""Scored items into estimates: the mean of a slice, its clustered interval, coverage, and the pessimistic value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.documents import Estimate
from rationale_rm.evals.table import ScoredItem, names_of, slices_of

N_RESAMPLES: Final = 2000
NO_PESSIMISTIC: Final = frozenset({"position_bias", "malformed", "accuracy_of_readable", "spurious", "spurious_below"})
"""Metrics for which 0 is not the worst."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def estimates(
    items: Sequence[ScoredItem],
    *,
    strata: Mapping[str, tuple[str, ...]] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> tuple[Estimate, ...]:
    """Every figure of every slice, with a 95% percentile bootstrap interval that draws clusters.

    A slice in `strata` is the plain mean of the slices named there that have items, else the mean of its items.
    """
    order_of_slices, order_of_names = slices_of(items), names_of(items)
    items = sorted(items, key=lambda item: item.id)  # a bootstrap's draws follow the order, which says nothing
    clusters = numbers([item.cluster for item in items])
    found = []
    for slice_name in order_of_slices:
        members = [row for row, item in enumerate(items) if slice_name in item.all_slices]
        parts = (strata or {}).get(slice_name)
        of = groups([items[row] for row in members], parts)
        for name in order_of_names:
            rows = [place for place, row in enumerate(members) if name in items[row].values]
            if not rows:
                continue
            values = column(items, [members[place] for place in rows], name)
            found.append(
                _estimate(
                    name,
                    slice_name,
                    values,
                    clusters[[members[place] for place in rows]],
                    of[rows],
                    parts or (),
                    n_resamples,
                    seed,
                )
            )
    return tuple(found)


def column(items: Sequence[ScoredItem], rows: Sequence[int], name: str) -> Floats:
    """One figure of some items, NaN where an answer is missing."""
    values = [items[row].values[name] for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def groups(items: Sequence[ScoredItem], strata: Sequence[str] | None) -> Integers:
    """(n,) the stratum of each item, all 0 where there are no strata."""
    if strata is None:
        return np.zeros(len(items), dtype=np.int64)
    place = {name: number for number, name in enumerate(strata)}
    return np.array([next((place[s] for s in item.slices if s in place), len(place)) for item in items], dtype=np.int64)


def linear(values: Floats, strata: Integers) -> Floats:
    """(n,) numbers whose mean is the mean of the strata's means, and whose spread is that of this mean.

    Each value counts by its distance from the mean of its stratum, weighted by how much an item of a stratum of this
    size weighs: the linearisation by which a bootstrap of plain means gives the interval of a mean of means.
    """
    names, of, counts = np.unique(strata, return_inverse=True, return_counts=True)
    if len(names) == 1:
        return values
    means = np.bincount(of, values) / counts
    weights = len(values) / (len(names) * counts)
    return np.asarray(means.mean() + weights[of] * (values - means[of]), dtype=np.float64)


def within(values: Floats, strata: Integers, low: float, high: float) -> tuple[float | None, float | None]:
    """The bounds of an interval, cut to what the mean of the strata's means can be when items are drawn again.

    Linearised values may lie outside of it: of few items the bootstrap of their mean may as well.
    """
    names = np.unique(strata)
    if len(names) > 1:
        least, most = (float(np.mean([take(values[strata == name]) for name in names])) for take in (np.min, np.max))
        low, high = (float(np.clip(bound, least, most)) for bound in (low, high))
    return finite(low), finite(high)


def numbers(names: Sequence[str]) -> Integers:
    """(n,) a number for each name, the same for the same."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def finite(value: float) -> float | None:
    """The value, None for NaN."""
    return value if math.isfinite(value) else None


def why_no_interval(clusters: Integers, strata: Integers, names: Sequence[str] = ()) -> str | None:
    """Why a bootstrap has nothing to draw from; None where it has. `names` are those of the strata: one with a single
    cluster says nothing of its spread.
    """
    if np.all(clusters == clusters[0]):
        return "no interval: a single cluster of items"
    for stratum in np.unique(strata).tolist():
        inside = clusters[strata == stratum]
        if np.all(inside == inside[0]):
            return (
                f"no interval: {names[stratum] if stratum < len(names) else 'the rest'} has a single cluster of items"
            )
    return None


def _estimate(
    name: str,
    slice_name: str,
    values: Floats,
    clusters: Integers,
    strata: Integers,
    parts: Sequence[str],
    n_resamples: int,
    seed: int,
) -> Estimate:
    rule, _, metric = name.partition("/")
    known = ~np.isnan(values)
    if not known.any():
        return Estimate.missing(
            metric, rule=rule, slice=slice_name, n_total=values.size, unavailable="no item has an answer"
        )
    interval = core.bootstrap_ci(
        linear(values[known], strata[known]), clusters=clusters[known], n_resamples=n_resamples, seed=seed
    )
    why = why_no_interval(clusters[known], strata[known], parts)
    low, high = (None, None) if why else within(values[known], strata[known], interval.low, interval.high)
    pessimistic = float(linear(np.where(known, values, 0.0), strata).mean())
    return Estimate(
        rule=rule,
        slice=slice_name,
        metric=metric,
        value=interval.mean,
        low=low,
        high=high,
        n=int(known.sum()),
        n_total=values.size,
        pessimistic=None if metric in NO_PESSIMISTIC else pessimistic,
        unavailable=why,
    )
