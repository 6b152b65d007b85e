"""Estimates: a value, its interval over source pairs, and how much of the data stands behind it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm.analysis.resample import Floats, Ints, interval, resampled_sums
from rationale_rm.documents import Estimate

NO_INTERVAL: Final = "no interval: all of it is about a single pair"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How intervals are drawn."""

    n_resamples: int = 2000
    seed: int = 0


def mean(
    slice: str,
    metric: str,
    values: Floats,
    clusters: Ints,
    how: Sampling,
    *,
    n_total: int | None = None,
    rule: str = "",
    pessimistic: bool = False,
    why_none: str = "nothing is known of it",
) -> Estimate:
    """The mean of the values (n,) that are not NaN, with the core's bootstrap over `clusters` (n,).

    `n_total` is how many there should be, by default n. `pessimistic`: what the mean is when missing ones count 0.
    """
    known = ~np.isnan(values)
    total = len(values) if n_total is None else n_total
    if not known.any():
        return Estimate.missing(metric, slice=slice, rule=rule, n_total=total, unavailable=why_none)
    found = core.bootstrap_ci(values[known], clusters=clusters[known], n_resamples=how.n_resamples, seed=how.seed)
    low, high = finite(found.low), finite(found.high)
    return Estimate(
        rule=rule,
        slice=slice,
        metric=metric,
        value=found.mean,
        low=low,
        high=high,
        n=found.n,
        n_total=total,
        pessimistic=float(np.nansum(values)) / total if pessimistic else None,
        unavailable=NO_INTERVAL if low is None else None,
    )


def ratio(
    slice: str,
    metric: str,
    above: Floats,
    below: Floats,
    clusters: Ints,
    how: Sampling,
    *,
    n_total: int | None = None,
    rule: str = "",
    why_none: str = "nothing to divide by",
) -> Estimate:
    """sum(above) / sum(below) over the rows (n,), with resampled clusters; both are known in every row."""
    total = len(above) if n_total is None else n_total
    if not len(below) or not below.sum() > 0:
        return Estimate.missing(metric, slice=slice, rule=rule, n=len(below), n_total=total, unavailable=why_none)
    sums = resampled_sums(np.stack([above, below], axis=1), clusters, n_resamples=how.n_resamples, seed=how.seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = sums[:, 0] / sums[:, 1]
    value = float(above.sum() / below.sum())
    return drawn_estimate(slice, metric, value, drawn, clusters, n=len(above), n_total=total, rule=rule)


def drawn_estimate(
    slice: str,
    metric: str,
    value: float,
    drawn: Any,
    clusters: Ints,
    *,
    n: int,
    n_total: int,
    rule: str = "",
    why_none: str = "not defined: nothing varies",
) -> Estimate:
    """An estimate whose interval is that of `drawn`, its value in each resample of `clusters`."""
    if not math.isfinite(value):
        return Estimate.missing(metric, slice=slice, rule=rule, n=n, n_total=n_total, unavailable=why_none)
    one = clusters.size == 0 or bool(np.all(clusters == clusters[0]))
    low, high = (None, None) if one else interval(drawn)
    why = NO_INTERVAL if one else None if low is not None else "no interval: most resamples do not define it"
    return Estimate(
        rule=rule, slice=slice, metric=metric, value=value, low=low, high=high, n=n, n_total=n_total, unavailable=why
    )


def point(estimate: Estimate, **fields: Any) -> dict[str, Any]:
    """The estimate as a point of a figure, after the fields that say where it stands."""
    shown = {name: getattr(estimate, name) for name in ("metric", "value", "low", "high", "n", "n_total")}
    return {**fields, **shown}


def part(name: str, taken: Collection[str] = ()) -> str:
    """A name from the data as the last part of a slice: without ``/``, and none of `taken`, which mean something else.

    ``%`` and ``/`` in it become ``%25`` and ``%2F``; a name that is taken has ``%%`` before it.
    """
    shown = name.replace("%", "%25").replace("/", "%2F")
    while shown in taken:
        shown = f"%%{shown}"
    return shown


def finite(value: float) -> float | None:
    """The value, None for NaN."""
    return value if math.isfinite(value) else None


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names in their order, each once."""
    return tuple(dict.fromkeys(names))
