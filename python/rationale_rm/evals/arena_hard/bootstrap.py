"""Bootstrap over questions: a question is drawn with all of its battles, of both games and of every model."""

from __future__ import annotations

from typing import Final

import numpy as np

from rationale_rm.metrics.draws import counts, draws
from rationale_rm.metrics.results import Floats

UPSTREAM_LEVEL: Final = 0.9
"""Upstream's interval: the 5% and 95% quantiles."""
LEVEL: Final = 0.95


def question_draws(n_questions: int, n_resamples: int, seed: int) -> Floats:
    """How often each question is drawn: (n_resamples, n_questions), rows that sum to `n_questions`.

    The draws are those of the core's `bootstrap_ci` for the same seed and number of clusters (docs/statistics.md).
    """
    blocks = [counts(block, n_questions) for block in draws(n_questions, n_resamples, seed)]
    return np.concatenate(blocks).astype(np.float64)


def percentiles(values: Floats, level: float) -> tuple[float | None, float | None]:
    """The (1 − level)/2 and (1 + level)/2 quantiles of resampled `values`, those without a value (NaN) left out."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None, None
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
