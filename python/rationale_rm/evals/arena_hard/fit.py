"""Bradley–Terry strengths of models that all met one baseline, with covariates; fitted to many resamples at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rationale_rm.metrics.results import Floats

RIDGE: Final = 1e-6
"""Precision of a normal prior around 0 on every strength and coefficient: it makes the maximum finite and unique where
a model won every battle or two features go together. A model that won all of n battles gets 1 − 2e-5 / n or more."""
_MAX_STEPS: Final = 100
_TOLERANCE: Final = 1e-6
"""A step of no more than this in any parameter ends the search: the error left is about its square."""
_CELLS: Final = 1 << 18
"""Resamples × questions × models that are worked on at once: more would not fit into a processor's cache."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The maximum for each of R resamples."""

    strengths: Floats
    """(R, M), the models' log-odds of beating the baseline where all covariates are 0."""
    coefficients: Floats
    """(R, K)."""


@dataclass(frozen=True, slots=True)
class _Data:
    """Models stand first, so that what has to be added up over questions is a product of matrices."""

    wins: Floats
    """(M, 1, Q)."""
    weights: Floats
    """(M, 1, Q)."""
    design: Floats
    """(M, Q, 1 + K): a column of ones for the strength, and the features."""
    squares: Floats
    """(M, Q, (1 + K)²): the products of each two columns."""


def fit(wins: Floats, weights: Floats, features: Floats, draws: Floats | None = None) -> Fit:
    """Fits P(model m beats the baseline on question q) = σ(θ_m + Σ_k β_k x_qmk) by maximum likelihood.

    `wins` and `weights` are (Q, M): the weight of the battles that model m won on question q, a tie half, and of all of
    them; 0 where there was none. `features` is (Q, M, K) with K from 0, finite everywhere. `draws` (R, Q) says how
    often each question is drawn in each of R > 0 resamples; None is once, R = 1. Maximises

        Σ_qm c_q [w_qm log σ(η_qm) + (n_qm − w_qm) log σ(−η_qm)] − RIDGE/2 (Σ θ² + Σ β²)

    by Newton's method with step halving. As each battle has one model, the Hessian is diagonal in θ, and only a (K, K)
    system (its Schur complement) is solved a resample.
    """
    n_questions, n_models = wins.shape
    n_columns = 1 + features.shape[2]
    design = np.ones((n_models, n_questions, n_columns))
    design[:, :, 1:] = features.transpose(1, 0, 2)
    squares = (design[..., :, None] * design[..., None, :]).reshape(n_models, n_questions, n_columns**2)
    data = _Data(wins.T[:, None, :], weights.T[:, None, :], design, squares)
    start = np.zeros((1, n_models + features.shape[2]))
    found = _newton(data, np.ones((1, n_questions)), start)
    if draws is not None:
        size = max(1, _CELLS // max(1, wins.size))
        parts = [_newton(data, draws[at : at + size], found) for at in range(0, len(draws), size)]
        found = np.concatenate(parts)
    return Fit(found[:, :n_models], found[:, n_models:])


def _newton(data: _Data, draws: Floats, start: Floats) -> Floats:
    """The maxima (R, M + K) for `draws` (R, Q), from `start` (1, M + K)."""
    at = np.repeat(start, len(draws), axis=0)
    height, chance = _height(data, draws, at)
    for _ in range(_MAX_STEPS):
        step = _step(data, draws, at, chance)
        longest = np.abs(step).max(axis=1, initial=0.0)
        share = np.ones(len(draws))
        while True:
            ahead = at + share[:, None] * step
            reached, chance = _height(data, draws, ahead)
            # Near the maximum rounding hides what a step gains, and a whole one is right.
            low = (reached < height) & (longest > 1e-4) & (share > 1e-9)
            if not low.any():
                break
            share[low] /= 2.0
        at, height = ahead, reached
        if np.all(longest <= _TOLERANCE):
            break
    return at


def _height(data: _Data, draws: Floats, at: Floats) -> tuple[Floats, Floats]:
    """The penalised log-likelihood (R,), and σ(η) (M, R, Q)."""
    n_models = data.design.shape[0]
    own = np.empty((n_models, len(at), data.design.shape[2]))
    own[:, :, 0] = at[:, :n_models].T
    own[:, :, 1:] = at[:, n_models:]
    odds = own @ data.design.transpose(0, 2, 1)
    small = np.exp(-np.abs(odds))
    chance = np.where(odds < 0.0, small, 1.0) / (1.0 + small)
    # log σ(η) = −max(−η, 0) − log(1 + e^−|η|), and log σ(−η) = log σ(η) − η
    lost = data.weights * (np.maximum(-odds, 0.0) + np.log1p(small)) + (data.weights - data.wins) * odds
    height: Floats = -np.einsum("mrq,rq->r", lost, draws) - RIDGE / 2.0 * np.square(at).sum(axis=1)
    return height, chance


def _step(data: _Data, draws: Floats, at: Floats, chance: Floats) -> Floats:
    """Newton's step (R, M + K): the negative Hessian's inverse times the gradient, by a Schur complement."""
    n_models, _, n_columns = data.design.shape
    pull = (draws * (data.wins - data.weights * chance)) @ data.design
    bend = (draws * (data.weights * chance * (1.0 - chance))) @ data.squares
    bend = bend.reshape(n_models, len(at), n_columns, n_columns)
    pull_strengths = pull[:, :, 0].T - RIDGE * at[:, :n_models]
    pull_coefficients = pull[:, :, 1:].sum(axis=0) - RIDGE * at[:, n_models:]
    diagonal = bend[:, :, 0, 0].T + RIDGE
    cross = bend[:, :, 0, 1:].transpose(1, 0, 2)
    scaled = cross / diagonal[:, :, None]
    block = bend[:, :, 1:, 1:].sum(axis=0) + RIDGE * np.eye(n_columns - 1)
    schur = block - cross.transpose(0, 2, 1) @ scaled
    right = pull_coefficients - np.einsum("rmk,rm->rk", scaled, pull_strengths)
    coefficients = np.linalg.solve(schur, right[:, :, None])[:, :, 0]
    strengths = pull_strengths / diagonal - np.einsum("rmk,rk->rm", scaled, coefficients)
    return np.concatenate([strengths, coefficients], axis=1)
