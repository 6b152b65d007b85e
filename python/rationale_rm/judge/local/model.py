"""The logistic model that turns features into a probability, and its coefficients, which are data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np

from rationale_rm.judge.local.alignment import Floats
from rationale_rm.judge.local.conflicts import CONFLICTS

ENOUGH: Final = 4.0
"""Log-odds of likeness that count against a full conflict: however alike two sentences are, those that are equal but
for the response they speak of make opposite points."""
FULL: Final = 5.0
"""Log-odds from which a conflict is full."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A fitted model: ``coefficients.json`` holds them with where they come from (benches/calibrate_local.py)."""

    intercept: float
    weights: Mapping[str, float]
    """Feature → weight, on the features as they are."""
    floor: float
    """Probability from which two reasons count as one point; what is below scores 0."""

    def probability(self, features: Floats, names: Sequence[str]) -> Floats:
        """The probability (…) of the same point, of features (…, len(names)) in the order of `names`."""
        weights = np.array([self.weights[name] for name in names])
        against = np.isin(names, CONFLICTS)
        alike = self.intercept + features @ np.where(against, 0.0, weights)
        conflict = features @ np.where(against, weights, 0.0)
        beyond = np.maximum(alike - ENOUGH, 0.0) * np.clip(-conflict / FULL, 0.0, 1.0)
        logit = np.clip(alike - beyond + conflict, -50.0, 50.0)
        chance: Floats = 1.0 / (1.0 + np.exp(-logit))
        return chance


@cache
def shipped(judge: str) -> Coefficients:
    """The coefficients of a judge: ``embedding``, ``lexical:token_set``, ``lexical:token_sort``, ``lexical:ratio``."""
    data = json.loads(resources.files(__package__).joinpath("coefficients.json").read_text("utf-8"))[judge]
    return Coefficients(data["intercept"], data["weights"], data["floor"])
