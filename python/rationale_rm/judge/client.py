"""What a MetaJudge, a GenRM or the decomposition asks: one small protocol over servers and engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rationale_rm.engine import Generation, Message, Sampling
from rationale_rm.judge.faults import Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class LateGeneration(Generation):
    """An answer that took more than one request; its tokens are those of the last."""

    earlier: tuple[Failed, ...]
    """The requests before, which count as calls too."""


class Client(Protocol):
    """A model that answers chat messages."""

    @property
    def name(self) -> str:
        """How result files name it: ``openai:NAME@URL``, ``vllm:PATH``, ``hf:PATH``; no secrets."""
        ...

    @property
    def model(self) -> str:
        """The model alone, wherever it is served: part of the cache key, and what price tables name."""
        ...

    @property
    def constrains(self) -> bool:
        """Whether `Sampling.regex` is worth sending; may turn false when a server refuses it."""
        ...

    async def complete(self, messages: Sequence[Message], sampling: Sampling, *, timeout: float) -> Generation:
        """One answer within `timeout` seconds; a `LateGeneration` where requests before it failed. Raises `CallError`;
        does not retry.
        """
        ...

    async def close(self) -> None:
        """Gives connections and memory back. A later call opens connections again; an engine in this process stays
        closed, and the call fails.
        """
        ...
