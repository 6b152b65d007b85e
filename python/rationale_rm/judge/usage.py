"""What calls came to: counts, tokens, cost, and how fast."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rationale_rm.engine import Generation
from rationale_rm.judge.faults import Tokens
from rationale_rm.judge.prices import Price


@dataclass(slots=True)
class Usage:
    """Counts of a run so far; one event loop writes them."""

    questions: int = 0
    """Questions that have ended, answered or not."""
    calls: int = 0
    """Requests made, with retries and those that servers failed before another answered."""
    answers: int = 0
    """Calls that gave a text, readable or not."""
    cache_hits: int = 0
    """Questions answered from the cache on disk."""
    shared: int = 0
    """Questions that waited for an equal one under way instead of asking again."""
    retries: int = 0
    failed: int = 0
    """Questions that ended without a readable answer."""
    prompt_characters: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the server's prefix cache served, where it says so."""
    completion_tokens: int = 0
    constraints_held: int = 0
    constraints_missed: int = 0
    """Answers that were to be constrained and do not match: the server ignores the constraint."""
    faults: Counter[str] = field(default_factory=Counter)
    """Cause → calls that failed."""

    def spend(self, used: Generation | Tokens) -> None:
        """Adds the tokens of a call."""
        self.prompt_tokens += used.prompt_tokens
        self.cached_tokens += used.cached_tokens
        self.completion_tokens += used.completion_tokens

    def cost(self, price: Price | None) -> float | None:
        """US dollars so far; None without a price."""
        if price is None:
            return None
        return price.cost(self.prompt_tokens, self.cached_tokens, self.completion_tokens)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "faults"}
        return {**counts, "faults": dict(sorted(self.faults.items()))}
