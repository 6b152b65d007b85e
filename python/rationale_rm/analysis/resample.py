"""Resampling whole clusters for figures that are no plain means: ratios, fits, correlations.

`rationale_rm.bootstrap_ci` gives the interval of a mean. A share of a total or a slope needs the resamples themselves,
so they are drawn here as the core draws them (docs/statistics.md, "Seeds"): the same seed takes the same clusters, and
the mean of a column of `resampled_sums` has the interval that the core gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL: Final = 0.95
_CELLS: Final = 1 << 22
"""Drawn indices that are held at once."""


def numbered(names: Iterable[str]) -> Ints:
    """A number for each name, the same for the same, in the order in which they are met: int64 (n,)."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def draws(n: int, n_resamples: int, seed: int) -> Iterator[Ints]:
    """The resamples of n units, in blocks of int64 (block, n): which unit is taken, `n_resamples` rows in all."""
    generator = _generator(seed)
    size = max(1, _CELLS // max(n, 1))
    low_half, shift, units = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(n)
    for start in range(0, n_resamples, size):
        rows = min(size, n_resamples - start)
        words = generator.random_raw(rows * n)
        # (word * n) >> 64 without 128 bits
        index = ((words >> shift) * units + ((words & low_half) * units >> shift)) >> shift
        yield index.astype(np.int64).reshape(rows, n)


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
        offsets = np.arange(len(block))[:, None] * n_clusters
        counts = np.bincount((block + offsets).ravel(), minlength=len(block) * n_clusters)
        found.append(counts.reshape(len(block), n_clusters) @ totals)
    return np.concatenate(found)


def resampled_spearman(x: Floats, y: Floats, clusters: Ints, *, n_resamples: int, seed: int) -> Floats:
    """Spearman's correlation of x and y, (n,) each, over the rows of each resample of the clusters: (n_resamples,).

    As `rationale_rm.spearman` of the rows that are drawn, but they are not sorted again for each: how often each value
    is drawn gives its mean rank. NaN where one of the two does not vary.
    """
    _, place = np.unique(clusters, return_inverse=True)
    n_clusters = int(place.max()) + 1
    (_, of_x), (_, of_y) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    found = []
    for block in draws(n_clusters, n_resamples, seed):
        for taken in block:
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


def _generator(seed: int) -> np.random.PCG64:
    """The core's generator (docs/statistics.md)."""
    words = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        words.append(z ^ (z >> 31))
    inc = (2 * (words[2] + 2**64 * words[3]) + 1) % 2**128
    state = ((words[0] + 2**64 * words[1] + inc) * 0x2360ED051FC65DA44385DF649FCCF645 + inc) % 2**128
    pcg = np.random.PCG64()
    pcg.state = {"bit_generator": "PCG64", "state": {"state": state, "inc": inc}, "has_uint32": 0, "uinteger": 0}
    return pcg
