"""The one wrapper of what generates text in this process: vLLM and transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Message = Mapping[str, str]
"""A chat message: ``role`` and ``content``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw one answer."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    """Seed of this draw; None leaves it to the engine."""
    regex: str | None = None
    """The whole answer must match this expression, where the engine can constrain its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer."""

    text: str
    finish_reason: str | None
    """``stop``, or ``length`` when `Sampling.max_tokens` cut it."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that a prefix cache served."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Log-probability of each token under the sampler, where asked for."""


class Engine(Protocol):
    """Generates in this process. Calls block; one call at a time."""

    constrains: bool
    """Whether `Sampling.regex` is honoured."""

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sequence[Sampling], *, logprobs: bool = False
    ) -> list[Generation]:
        """One answer for each prompt, in their order, drawn with the sampling of the same index."""
        ...
