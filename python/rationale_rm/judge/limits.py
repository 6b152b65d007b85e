"""How hard a model may be asked, how long, and how often again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rationale_rm.engine import Sampling
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge.usage import Usage

CHARACTERS_A_TOKEN: Final = 4.0
"""Assumed until the server's own counts say more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a batch of calls. Times are in seconds."""

    concurrency: int = 64
    """Calls under way at once."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """Prompt and answer tokens; estimated before a call from the counts of earlier ones."""
    attempts: int = 6
    """Calls for one answer, the first included."""
    first_wait: float = 0.5
    """Longest wait before the second attempt; it doubles with each attempt, and the wait is drawn below it."""
    longest_wait: float = 30.0
    timeout: float = 300.0
    """Time of one call."""
    request_budget: float = 1800.0
    """Time for one answer, waits and retries included."""
    batch_budget: float | None = None
    """Time for the whole batch; what is unanswered then ends with the cause ``budget``."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for a limit that is not positive."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}: expected a positive number")
        for name in ("concurrency", "attempts"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name} is {getattr(self, name)}: expected a whole number")


class Pace:
    """Requests and tokens a minute, spread evenly; for one event loop."""

    def __init__(self, limits: Limits, usage: Usage):
        self._usage = usage
        self._requests: Any = None
        self._tokens: Any = None
        if limits.requests_per_minute is None and limits.tokens_per_minute is None:
            return
        try:
            from aiolimiter import AsyncLimiter
        except ImportError:
            raise MissingExtraError("aiolimiter", "judge") from None
        if limits.requests_per_minute is not None:  # a second's worth at a time, and one request at the least
            second = limits.requests_per_minute / 60
            self._requests = AsyncLimiter(max(1.0, second), max(1.0, 1 / second))
        if limits.tokens_per_minute is not None:
            self._tokens = AsyncLimiter(limits.tokens_per_minute, 60)

    @property
    def limited(self) -> bool:
        """Whether a call may have to wait."""
        return self._requests is not None or self._tokens is not None

    async def turn(self, n_characters: int, sampling: Sampling) -> None:
        """Waits until one more call fits."""
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            await self._tokens.acquire(min(self._estimate(n_characters, sampling), self._tokens.max_rate))

    def _estimate(self, n_characters: int, sampling: Sampling) -> float:
        """Tokens of a call to come: its characters and the answers so far; at first the longest answer."""
        usage = self._usage
        if usage.prompt_tokens and usage.prompt_characters and usage.answers:
            a_token = usage.prompt_characters / usage.prompt_tokens
            return n_characters / a_token + usage.completion_tokens / usage.answers
        return n_characters / CHARACTERS_A_TOKEN + sampling.max_tokens
