"""Do two benchmarks order models alike? Spearman's rank correlation (the paper finds 0.85)."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm.analysis import figures
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.resample import Floats
from rationale_rm.analysis.scoreboards import Scoreboard
from rationale_rm.documents import Analysis, Estimate
from rationale_rm.metrics.draws import draws

MIN_MODELS: Final = 5
"""Of fewer, two equal orders come about by chance in over 5% of all cases, two-sided: 2 of 4! orders."""
_ALL_ORDERS: Final = 7
"""Up to so many models every order is tried."""
_ROUNDING: Final = 1e-12


def rank_agreement(first: Scoreboard, second: Scoreboard, how: Sampling | None = None) -> Analysis:
    """Spearman's correlation over the models that both benchmarks score; tied scores share their mean rank.

    Estimates: ``spearman`` with an interval that resamples models (other models could have been compared: percentile
    bootstrap; too narrow for a dozen of models or fewer), and ``p_value``, of the hypothesis that the orders have
    nothing to do with each other, two-sided, over permutations (all of them up to seven models, else ``n_resamples``
    drawn ones). n_total is the number of models in either. Points: ``model, x, y``.
    """
    how = how or Sampling()
    models = sorted(first.scores.keys() & second.scores.keys())
    named = {*first.scores, *second.scores, *first.unscored, *second.unscored}
    x = np.array([first.scores[model] for model in models], dtype=float)
    y = np.array([second.scores[model] for model in models], dtype=float)
    notes = [
        f"{board.name}: no score for {model} ({why})."
        for board in (first, second)
        for model, why in board.unscored.items()
    ]
    left_out = sorted(named.difference(models))
    if left_out:
        notes.append(f"Left out, for lack of one of the scores: {', '.join(left_out)}.")
    for board, values in ((first, x), (second, y)):
        n_tied = int(np.sum(np.sum(values[:, None] == values, axis=1) > 1))
        if n_tied:
            notes.append(f"{board.name}: {n_tied} models share their score with another, and the mean rank.")
    return Analysis(
        analysis="rank_agreement",
        subject=(first.name, second.name),
        manifest=manifest([*first.files, *second.files], how),
        estimates=tuple(_estimates(x, y, len(named), how)),
        points=tuple({"model": m, "x": first.scores[m], "y": second.scores[m]} for m in models),
        notes=tuple(notes),
    )


def _estimates(x: Floats, y: Floats, n_total: int, how: Sampling) -> list[Estimate]:
    n = len(x)
    if n < MIN_MODELS:
        why = (
            f"models that both benchmarks score: {n}; at least {MIN_MODELS} are needed, for of fewer, two equal "
            "orders come about by chance in more than 5% of all cases"
        )
        return [Estimate.missing(name, n=n, n_total=n_total, unavailable=why) for name in ("spearman", "p_value")]
    value = core.spearman(x, y)
    if not np.isfinite(value):
        why = "one of the benchmarks gives all models the same score"
        return [Estimate.missing(name, n=n, n_total=n_total, unavailable=why) for name in ("spearman", "p_value")]
    drawn = [core.spearman(x[rows], y[rows]) for block in draws(n, how.n_resamples, how.seed) for rows in block]
    each = np.arange(n)
    return [
        figures.drawn_estimate("overall", "spearman", value, drawn, each, n=n, n_total=n_total),
        Estimate(metric="p_value", value=_p_value(x, y, value, how), n=n, n_total=n_total),
    ]


def _p_value(x: Floats, y: Floats, value: float, how: Sampling) -> float:
    if len(x) <= _ALL_ORDERS:
        found = [core.spearman(x, y[list(order)]) for order in permutations(range(len(y)))]
        return float(np.mean(np.abs(found) >= abs(value) - _ROUNDING))
    generator = np.random.default_rng(how.seed)
    found = [core.spearman(x, generator.permutation(y)) for _ in range(how.n_resamples)]
    # the order that is there is one of all orders, so the p-value is never 0
    return float((np.sum(np.abs(found) >= abs(value) - _ROUNDING) + 1) / (how.n_resamples + 1))
