"""Boards as documents that the report reads: an `EvalResult` for a judged model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rationale_rm.documents import Estimate, EvalResult
from rationale_rm.evals.arena_hard.board import PLAIN, STYLE_CONTROLLED, Board
from rationale_rm.evals.arena_hard.bootstrap import LEVEL, UPSTREAM_LEVEL, percentiles
from rationale_rm.evals.arena_hard.games import BASELINES
from rationale_rm.evals.figures import estimates
from rationale_rm.evals.table import ScoredItem
from rationale_rm.metrics.results import Floats

NAME: Final = "arena_hard"
WIN_RATE: Final = "win_rate"
WIN_RATE_UPSTREAM: Final = "win_rate_5_95"
"""The same figure with upstream's interval, from the 5% to the 95% quantile of the same resamples."""
HEADLINE: Final = ("plain/win_rate", "style_controlled/win_rate", "equal_style/win_rate", "per_question/win_rate")
INTERVALS: Final = (
    "win_rate has a 95% interval, as all figures of this program; win_rate_5_95 is the same figure with the interval "
    "that Arena-Hard publishes, from the 5% to the 95% quantile. Both resample questions, with both games of each"
)


def make_result(
    model: str,
    boards: Sequence[Board],
    items: Sequence[ScoredItem],
    manifest: Mapping[str, Any],
    *,
    n_resamples: int,
    seed: int,
) -> EvalResult:
    """What `model` came to on each of `boards` that it is on; each category is a slice of its own, and there is none of
    all.

    `items` are the model's (`views.items`), of all boards: what stands beside the score is counted over them. Figures
    under `STYLE_CONTROLLED` depend on who else is on the board, which the manifest names.
    """
    on = [board for board in boards if model in board.battles.models]
    statuses: Counter[str] = Counter()
    found: list[Estimate] = []
    beside = estimates(items, n_resamples=n_resamples, seed=seed)
    for board in on:
        statuses.update(board.battles.statuses[board.battles.models.index(model)])
        found += [*_rates(board, model), *_coefficients(board, model)]
        found += [one for one in beside if one.slice == board.battles.category]
    return EvalResult(
        eval=NAME,
        model=model,
        manifest={**manifest, "boards": [_described(board) for board in on]},
        estimates=tuple(found),
        statuses=dict(sorted(statuses.items())),
        notes=(
            INTERVALS,
            *(
                f"{judge} judged, and its own answers are left out, as Arena-Hard has it: --candidate puts them in"
                for judge in manifest.get("left_out", ())
            ),
            *(note for board in on for note in _notes(board, manifest.get("judge"))),
        ),
    )


def difference(board: Board, a: str, b: str) -> list[Estimate]:
    """Model `a`'s win rate minus model `b`'s under each rule, with a 95% interval from paired resamples."""
    i, j = board.battles.models.index(a), board.battles.models.index(b)
    complete = board.battles.complete
    n = int((complete[:, i] & complete[:, j]).sum())
    found = []
    for rule, rates in board.rates.items():
        resampled = rates.resampled[:, i] - rates.resampled[:, j]
        found.append(
            _estimate(board, rule, "win_rate_difference", rates.value[i] - rates.value[j], resampled, LEVEL, n)
        )
    return found


def _rates(board: Board, model: str) -> list[Estimate]:
    fought, column = board.battles, board.battles.models.index(model)
    n = int(fought.complete[:, column].sum())
    # A question without both verdicts as two games lost
    weight = fought.weights[:, column].sum() + 2.0 * (len(fought.questions) - n)
    lost = float(fought.wins[:, column].sum() / weight) if weight else None
    return [
        _estimate(
            board,
            rule,
            metric,
            rates.value[column],
            rates.resampled[:, column],
            level,
            n,
            pessimistic=lost if rule == PLAIN else None,
        )
        for rule, rates in board.rates.items()
        for metric, level in ((WIN_RATE, LEVEL), (WIN_RATE_UPSTREAM, UPSTREAM_LEVEL))
    ]


def _coefficients(board: Board, model: str) -> list[Estimate]:
    """What the judge makes of style; of the whole board."""
    if board.covariates is None or board.coefficients is None:
        return []
    n = int(board.battles.complete[:, board.battles.models.index(model)].sum())
    value, resampled = board.coefficients.value, board.coefficients.resampled
    return [
        _estimate(board, STYLE_CONTROLLED, f"coefficient_{name}", value[k], resampled[:, k], LEVEL, n)
        for k, name in enumerate(board.covariates.names)
    ]


def _estimate(
    board: Board,
    rule: str,
    metric: str,
    value: float,
    resampled: Floats,
    level: float,
    n: int,
    *,
    pessimistic: float | None = None,
) -> Estimate:
    known = bool(np.isfinite(value))
    # Resamples of one question are all the same: no spread is known, which is not one of 0
    low, high = percentiles(resampled, level) if known and n > 1 else (None, None)
    why = "no interval: a single question" if n == 1 else None
    return Estimate(
        rule=rule,
        slice=board.battles.category,
        metric=metric,
        value=float(value) if known else None,
        low=low,
        high=high,
        n=n,
        n_total=len(board.battles.questions),
        pessimistic=pessimistic,
        unavailable=why if known else "no question has a verdict in both games",
    )


def _described(board: Board) -> dict[str, Any]:
    styled = board.covariates
    return {
        "category": board.battles.category,
        "baseline": board.battles.baseline,
        "models": list(board.battles.models),
        "questions": len(board.battles.questions),
        "style": None
        if styled is None
        else {"controlled": list(styled.names), "constant": list(styled.constant), "length_unit": styled.unit},
    }


def _notes(board: Board, judge: str | None) -> list[str]:
    category, styled = board.battles.category, board.covariates
    notes, usual = [], BASELINES.get(category)
    if board.battles.baseline != usual:
        notes.append(f"{category}: judged against {board.battles.baseline}, and the benchmark's baseline is {usual}")
    if judge in board.battles.models:
        notes.append(f"{category}: {judge} judged its own answers, too; Arena-Hard leaves a judge's own answers out")
    if styled is None:
        return notes
    notes += [
        f"{category}: style_controlled is Arena-Hard's rule, the win rate at the mean style difference of all battles "
        f"on the board (models: {len(board.battles.models)}); equal_style is that against an answer of the same style"
    ]
    if styled.constant:
        notes.append(f"{category}: the same in every battle, and not controlled for: {', '.join(styled.constant)}")
    return notes
