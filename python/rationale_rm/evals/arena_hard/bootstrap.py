"""Bootstrap over questions: a question is drawn with all of its battles, of both games and of every model."""

from __future__ import annotations

from typing import Final

import numpy as np

from rationale_rm.metrics.results import Floats

UPSTREAM_LEVEL: Final = 0.9
"""Upstream's interval: the 5% and 95% quantiles."""
LEVEL: Final = 0.95


def question_draws(n_questions: int, n_resamples: int, seed: int) -> Floats:
    """How often each question is drawn: (n_resamples, n_questions), rows that sum to `n_questions`.

    The draws are those of the core's `bootstrap_ci` for the same seed and number of clusters (docs/statistics.md).
    """
    words = _generator(seed).random_raw(n_resamples * n_questions)
    n = np.uint64(n_questions)
    high, low = words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)
    drawn = ((high * n + ((low * n) >> np.uint64(32))) >> np.uint64(32)).astype(np.int64)  # (word * n) >> 64
    rows = np.repeat(np.arange(n_resamples, dtype=np.int64), n_questions)
    counts = np.bincount(rows * n_questions + drawn, minlength=n_resamples * n_questions)
    return counts.reshape(n_resamples, n_questions).astype(np.float64)


def percentiles(values: Floats, level: float) -> tuple[float | None, float | None]:
    """The (1 − level)/2 and (1 + level)/2 quantiles of resampled `values`, those without a value (NaN) left out."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None, None
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _generator(seed: int) -> np.random.PCG64:
    words = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        words.append(z ^ (z >> 31))
    increment = (2 * (words[2] + 2**64 * words[3]) + 1) % 2**128
    state = ((words[0] + 2**64 * words[1] + increment) * 0x2360ED051FC65DA44385DF649FCCF645 + increment) % 2**128
    generator = np.random.PCG64()
    generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment},
        "has_uint32": 0,
        "uinteger": 0,
    }
    return generator
