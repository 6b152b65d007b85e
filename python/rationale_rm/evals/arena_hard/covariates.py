"""The style differences of a category's battles as covariates, standardised over the battles as upstream does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rationale_rm.evals.arena_hard.battles import Battles
from rationale_rm.evals.arena_hard.games import Answer
from rationale_rm.evals.arena_hard.style import CONTROLS, FEATURES, Control, Style, differences, style_of
from rationale_rm.metrics.results import Floats

LengthUnit = Literal["tokens", "characters"]


@dataclass(frozen=True, slots=True)
class Covariates:
    """K features of the battles of Q questions and M models."""

    names: tuple[str, ...]
    """Some of `FEATURES`: those that are controlled for and vary."""
    values: Floats
    """(Q, M, K), mean 0 and standard deviation 1 over the battles; 0 where there is no battle."""
    at_equal_style: Floats
    """(K,) the value that stands for no difference from the baseline."""
    constant: tuple[str, ...]
    """Features that are the same in every battle, and left out."""
    unit: LengthUnit


def covariates(
    battles: Battles, answers: Mapping[str, Mapping[str, Answer]], control: Sequence[Control] = ("length", "markdown")
) -> Covariates:
    """The covariates of `battles`.

    `answers`: model → question id → answer, the baseline's too. Lengths are tokens where every answer has its recorded
    counts, else all counts are made here and lengths are characters. Raises `ValueError` where the answer of a battle
    is missing.
    """
    fought = battles.weights > 0
    styles, unit = _styles(battles, fought, answers)
    counts = np.zeros((*fought.shape, len(FEATURES)))
    baseline = np.zeros_like(counts)
    for q, m in np.argwhere(fought).tolist():
        counts[q, m] = _row(styles[battles.models[m], battles.questions[q]])
        baseline[q, m] = _row(styles[battles.baseline, battles.questions[q]])
    raw = differences(counts, baseline)
    chosen = sorted(column for name in control for column in CONTROLS[name])
    weights = battles.weights[fought]
    values = raw[fought][:, chosen]
    total = max(weights.sum(), 2.0)
    mean = (weights @ values) / total
    spread = np.sqrt(weights @ np.square(values - mean) / (total - 1.0))
    varies = spread > 1e-12
    names = [FEATURES[column] for column in chosen]
    kept = [column for column, some in zip(chosen, varies.tolist(), strict=True) if some]
    scaled = (raw[:, :, kept] - mean[varies]) / spread[varies]
    return Covariates(
        names=tuple(FEATURES[column] for column in kept),
        values=np.where(fought[:, :, None], scaled, 0.0),
        at_equal_style=-mean[varies] / spread[varies],
        constant=tuple(name for name, some in zip(names, varies.tolist(), strict=True) if not some),
        unit=unit,
    )


def _styles(
    battles: Battles, fought: NDArray[np.bool_], answers: Mapping[str, Mapping[str, Answer]]
) -> tuple[dict[tuple[str, str], Style], LengthUnit]:
    """The style of every answer in a battle, by model and question."""
    needed = [(battles.models[m], battles.questions[q]) for q, m in np.argwhere(fought).tolist()]
    needed += [(battles.baseline, battles.questions[q]) for q in np.flatnonzero(fought.any(axis=1)).tolist()]
    held: dict[tuple[str, str], Answer] = {}
    for model, uid in needed:
        answer = answers.get(model, {}).get(uid)
        if answer is None:
            raise ValueError(
                f"{battles.category}: no answer of {model} to question {uid}, which was judged: style control needs "
                "the model_answer files of every judged model and of the baseline"
            )
        held[model, uid] = answer
    recorded = {place: answer.recorded_style for place, answer in held.items() if answer.recorded_style is not None}
    if len(recorded) == len(held):
        return recorded, "tokens"
    return {place: style_of(answer.text) for place, answer in held.items()}, "characters"


def _row(style: Style) -> tuple[float, ...]:
    return float(style.length), float(style.headers), float(style.lists), float(style.bold)
