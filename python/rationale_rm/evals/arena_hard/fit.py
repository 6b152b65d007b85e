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
_TOLERANCE: Final = 1e-9
_CELLS: Final = 1 << 20
"""Resamples × questions × models that are worked on at once, to bound memory."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The maximum for each of R resamples."""

    strengths: Floats
    """(R, M), the models' log-odds of beating the baseline where all covariates are 0."""
    coefficients: Floats
    """(R, K)."""


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
    if draws is None:
        draws = np.ones((1, n_questions))
    size = max(1, _CELLS // max(1, n_questions * n_models))
    found = np.concatenate(
        [_newton(wins, weights, features, draws[at : at + size]) for at in range(0, len(draws), size)]
    )
    return Fit(found[:, :n_models], found[:, n_models:])


def _newton(wins: Floats, weights: Floats, features: Floats, draws: Floats) -> Floats:
    """The maxima (R, M + K) for `draws` (R, Q)."""
    at: Floats = np.zeros((len(draws), features.shape[1] + features.shape[2]))
    height = _height(at, wins, weights, features, draws)
    for _ in range(_MAX_STEPS):
        step = _step(at, wins, weights, features, draws)
        longest = np.abs(step).max(axis=1, initial=0.0)
        if np.all(longest <= _TOLERANCE):
            break
        share = np.ones(len(draws))
        while True:
            ahead = at + share[:, None] * step
            reached = _height(ahead, wins, weights, features, draws)
            # Near the maximum rounding hides what a step gains, and a whole one is right.
            low = (reached < height) & (longest > 1e-4) & (share > 1e-9)
            if not low.any():
                break
            share[low] /= 2.0
        at, height = ahead, reached
    return at


def _odds(at: Floats, features: Floats) -> Floats:
    """η (R, Q, M)."""
    n_models = features.shape[1]
    odds: Floats = at[:, None, :n_models] + np.einsum("qmk,rk->rqm", features, at[:, n_models:])
    return odds


def _height(at: Floats, wins: Floats, weights: Floats, features: Floats, draws: Floats) -> Floats:
    """The penalised log-likelihood (R,)."""
    odds = _odds(at, features)
    # log σ(η) = −log(1 + e^−η), and log σ(−η) = log σ(η) − η
    likelihood = -weights * np.logaddexp(0.0, -odds) - (weights - wins) * odds
    height: Floats = np.einsum("rqm,rq->r", likelihood, draws) - RIDGE / 2.0 * np.square(at).sum(axis=1)
    return height


def _step(at: Floats, wins: Floats, weights: Floats, features: Floats, draws: Floats) -> Floats:
    """Newton's step (R, M + K): the negative Hessian's inverse times the gradient, by a Schur complement."""
    n_questions, n_models, n_features = features.shape
    chance = 1.0 / (1.0 + np.exp(-np.clip(_odds(at, features), -700.0, 700.0)))
    surprise = draws[:, :, None] * (wins - weights * chance)
    information = draws[:, :, None] * weights * chance * (1.0 - chance)
    flat = features.reshape(n_questions * n_models, n_features)
    gradient = np.concatenate([surprise.sum(axis=1), surprise.reshape(len(at), -1) @ flat], axis=1) - RIDGE * at
    diagonal = information.sum(axis=1) + RIDGE
    if n_features == 0:
        plain: Floats = gradient / diagonal
        return plain
    cross = np.einsum("rqm,qmk->rmk", information, features, optimize=True)
    squares = (flat[:, :, None] * flat[:, None, :]).reshape(-1, n_features * n_features)
    block = (information.reshape(len(at), -1) @ squares).reshape(-1, n_features, n_features)
    scaled = cross / diagonal[:, :, None]
    schur = block + RIDGE * np.eye(n_features) - np.einsum("rmk,rml->rkl", cross, scaled)
    right = gradient[:, n_models:] - np.einsum("rmk,rm->rk", scaled, gradient[:, :n_models])
    coefficients = np.linalg.solve(schur, right[:, :, None])[:, :, 0]
    strengths = gradient[:, :n_models] / diagonal - np.einsum("rmk,rk->rm", scaled, coefficients)
    return np.concatenate([strengths, coefficients], axis=1)
