"""What the benchmark consists of: questions, answers, and the games that a judge decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rationale_rm.evals.arena_hard.style import Style

CATEGORIES: Final = ("hard_prompt", "creative_writing")
BASELINES: Final[Mapping[str, str]] = {
    "hard_prompt": "o3-mini-2025-01-31",
    "creative_writing": "gemini-2.0-flash-001",
}
"""Category → the model whose answers all others meet, in version 2 of the benchmark."""
NOT_ANSWERED: Final = "not_answered"
"""Status of a game of which there is no answer of the judge."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt of the benchmark."""

    uid: str
    category: str
    subcategory: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model answered to one question."""

    uid: str
    model: str
    text: str
    recorded_style: Style | None = None
    """As the file has it, with the length in tokens; None where it says nothing."""


@dataclass(frozen=True, slots=True)
class Game:
    """One judgment of a model's answer beside the baseline's."""

    uid: str
    category: str
    model: str
    baseline: str
    judge: str
    model_first: bool
    """Whether the judge saw the model's answer as A. The benchmark's first game shows the baseline's first."""
    level: int | None
    """+2 where the model is much better, to -2 where the baseline is; None without a verdict."""
    status: str
    """A name of `GenrmStatus` in lower case, or `NOT_ANSWERED`."""
    text: str | None = None
    """The judge's whole answer."""
    reasons: tuple[str, ...] = ()
    error: str | None = None
    """Why there is no answer."""
