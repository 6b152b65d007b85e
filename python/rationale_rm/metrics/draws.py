"""The resamples that the core's bootstrap draws (docs/statistics.md, "Seeds"), for figures that are no plain means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_CELLS: Final = 1 << 22
"""Drawn indices that are held at once."""


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


def counts(drawn: Ints, n: int) -> Ints:
    """How often each of n units is in each row of a block of `draws`: int64 (block, n)."""
    rows = np.arange(len(drawn), dtype=np.int64)[:, None] * n
    return np.bincount((drawn + rows).ravel(), minlength=len(drawn) * n).reshape(len(drawn), n)


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
