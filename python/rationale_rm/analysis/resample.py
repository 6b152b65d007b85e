"""Resampling whole clusters for figures that are no plain means: ratios, fits, correlations.

`rationale_rm.bootstrap_ci` gives the interval of a mean. A share of a total or a slope needs the resamples themselves,
so they are drawn as the core draws them (`metrics.draws`): the same seed takes the same clusters, and
the mean of a column of `resampled_sums` has the interval that the core gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.metrics.draws import counts, draws

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL: Final = 0.95


def numbered(names: Iterable[str]) -> Ints:
    """A number for each name, the same for the same, in the order in which they are met: int64 (n,)."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def resampled_sums(columns: Floats, clusters: Ints, *, n_resamples: int, seed: int) -> Floats:
    """Sums of `columns`, float64 (n, k), over the rows of each resample of the clusters: (n_resamples, k).

    `clusters` (n,) says which rows go together; ratios of two of the sums are ratio estimates.
    """
    _, place = np.unique(clusters, return_inverse=True)
    n_clusters = int(place.max()) + 1
    totals = np.zeros((n_clusters, columns.shape[1]))
    np.add.at(totals, place, columns)
    found = []
    for block in draws(n_clusters, n_resamples, seed):
        found.append(counts(block, n_clusters) @ totals)
    return np.concatenate(found)


def resampled_spearman(
    x: Floats,
    y: Floats,
    clusters: Ints,
    *,
    n_resamples: int,
    seed: int,
    on_resample: Callable[[int], None] | None = None,
) -> Floats:
    """Spearman's correlation of x and y, (n,) each, over the rows of each resample of the clusters: (n_resamples,).

    As `rationale_rm.spearman` of the rows that are drawn, but they are not sorted again for each: how often each value
    is drawn gives its mean rank. NaN where one of the two does not vary. `on_resample` is called with the number done.
    """
    _, place = np.unique(clusters, return_inverse=True)
    n_clusters = int(place.max()) + 1
    (_, of_x), (_, of_y) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    found: list[float] = []
    for block in draws(n_clusters, n_resamples, seed):
        for taken in block:
            if on_resample is not None:
                on_resample(len(found))
            weights = np.bincount(taken, minlength=n_clusters)[place].astype(np.float64)
            found.append(_weighted_correlation(_ranks(of_x, weights), _ranks(of_y, weights), weights))
    return np.array(found)


def _ranks(value: Ints, weights: Floats) -> Floats:
    """The mean rank of each row where rows stand there `weights` times; `value` numbers the values, rising."""
    counts = np.bincount(value, weights=weights)
    ranks: Floats = (np.cumsum(counts) - counts / 2)[value]
    return ranks


def _weighted_correlation(x: Floats, y: Floats, weights: Floats) -> float:
    total = weights.sum()
    x, y = x - (weights * x).sum() / total, y - (weights * y).sum() / total
    of_x, of_y = weights * x, weights * y
    spread = float((of_x * x).sum()) * float((of_y * y).sum())
    # ranks are multiples of 1/2, so what varies varies by more than rounding
    return float((of_x * y).sum()) / spread**0.5 if spread > 1e-6 else float("nan")


def ratio_difference(sums: Floats) -> Any:
    """The ratio a / b minus c / d of sums (…, 4); NaN where b or d is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            (sums[..., 1] > 0) & (sums[..., 3] > 0), sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3], np.nan
        )


def interval(values: Any) -> tuple[float | None, float | None]:
    """The percentile interval of resampled values; (None, None) where under half of them are defined."""
    values = np.asarray(values, dtype=np.float64)
    known = values[np.isfinite(values)]
    if known.size * 2 <= values.size:
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
