"""What an engine is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rationale_rm._core import RationaleError

Message = Mapping[str, str]
"""A chat message: ``role`` and ``content``."""


class EngineError(RationaleError):
    """The engine cannot be used as asked: no chat template, an expression that does not compile, closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw one answer. All tokens can be drawn: there is no top-k, and no `top_p` by default."""

    max_tokens: int
    temperature: float = 0.0
    """0 takes the likeliest token at each step."""
    top_p: float = 1.0
    seed: int | None = None
    """Seed of this draw; None leaves it to the engine."""
    regex: str | None = None
    """The whole answer must match this expression, where the engine can constrain its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer."""

    text: str
    """Without special tokens; empty where `finish_reason` is ``error``."""
    finish_reason: str | None
    """``stop``; ``length`` when `Sampling.max_tokens` or the model's context cut it; ``error`` when this prompt
    could not be answered; another word of a server's, or None where it gives none."""
    error: str | None = None
    """Why there is no answer, such as a prompt longer than the model's context."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that a prefix cache served."""
    token_ids: tuple[int, ...] = ()
    """The tokens drawn, with the one that ends the answer if it ended by itself."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each of `token_ids` under the distribution it was drawn from (after temperature,
    `top_p` and `regex`; at temperature 0 the model's own), where asked for."""


class Engine(Protocol):
    """Generates in this process. Calls block; one call at a time, from any thread."""

    constrains: bool
    """Whether `Sampling.regex` is honoured."""

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sequence[Sampling], *, logprobs: bool = False
    ) -> list[Generation]:
        """One answer for each prompt, in their order, drawn with the sampling of the same index.

        A prompt that cannot be answered is a `Generation` with an `error` and spoils no other. Raises
        `EngineError` on misuse alone.
        """
        ...

    def close(self) -> None:
        """Gives the model's memory back, once a call under way has ended; later calls raise `EngineError`. Closing
        twice is fine.
        """
        ...
