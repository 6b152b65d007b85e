"""The scores of one category: each model's win rate against the baseline, plain and with style taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rationale_rm.evals.arena_hard.battles import Battles
from rationale_rm.evals.arena_hard.bootstrap import question_draws
from rationale_rm.evals.arena_hard.covariates import Covariates, covariates
from rationale_rm.evals.arena_hard.fit import Fit, fit
from rationale_rm.evals.arena_hard.games import Answer
from rationale_rm.evals.arena_hard.style import Control
from rationale_rm.metrics.results import Floats

PLAIN: Final = "plain"
STYLE_CONTROLLED: Final = "style_controlled"
EQUAL_STYLE: Final = "equal_style"


@dataclass(frozen=True, slots=True)
class Rates:
    """Win rates of M models under one rule, in [0, 1]; NaN for a model without a battle."""

    value: Floats
    """(M,) from all battles."""
    resampled: Floats
    """(R, M) from each resample; the resamples are the same for every model and rule."""


@dataclass(frozen=True, slots=True)
class Board:
    """The scores of one category."""

    battles: Battles
    rates: Mapping[str, Rates]
    """Rule → win rates: `PLAIN`; with style, `STYLE_CONTROLLED` (upstream's: at the mean style difference of all
    battles on this board) and `EQUAL_STYLE` (as though both answers were of one style)."""
    covariates: Covariates | None
    coefficients: Rates | None
    """As (K,) and (R, K): the log-odds that one standard deviation of each covariate adds."""


def make_board(
    battles: Battles,
    answers: Mapping[str, Mapping[str, Answer]] | None = None,
    *,
    control: Sequence[Control] = ("length", "markdown"),
    n_resamples: int = 2000,
    seed: int = 0,
) -> Board:
    """Scores the models of `battles`, with intervals from `n_resamples` bootstrap samples of the questions.

    Without `answers`, or with nothing to `control` for, there is the plain rule alone.
    """
    draws = question_draws(len(battles.questions), n_resamples, seed)
    rates = {PLAIN: _plain(battles, draws)}
    styled = covariates(battles, answers, control) if answers is not None and control else None
    if styled is None:
        return Board(battles, rates, None, None)
    whole = fit(battles.wins, battles.weights, styled.values)
    resampled = fit(battles.wins, battles.weights, styled.values, draws)
    fought = draws @ battles.weights > 0
    for rule, at in ((STYLE_CONTROLLED, np.zeros(len(styled.names))), (EQUAL_STYLE, styled.at_equal_style)):
        value = np.where(battles.weights.sum(axis=0) > 0, _chance(whole, at)[0], np.nan)
        rates[rule] = Rates(value, np.where(fought, _chance(resampled, at), np.nan))
    return Board(battles, rates, styled, Rates(whole.coefficients[0], resampled.coefficients))


def _plain(battles: Battles, draws: Floats) -> Rates:
    """Bradley–Terry without covariates. All models meet the baseline alone, so the maximum has a closed form: each
    model's share of the weight that it fought for.
    """
    with np.errstate(invalid="ignore"):
        return Rates(
            battles.wins.sum(axis=0) / battles.weights.sum(axis=0), (draws @ battles.wins) / (draws @ battles.weights)
        )


def _chance(fitted: Fit, at: Floats) -> Floats:
    """Win rates (R, M) where the covariates are `at` (K,)."""
    odds = fitted.strengths + (fitted.coefficients @ at)[:, None]
    chance: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0)))
    return chance
