"""How many failures are an outage, also where a trainer asks for one answer at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

B = TypeVar("B")

WINDOW: Final = 1000
"""Answers that the share of failures is taken over."""
FEW: Final = 20
"""Answers that a smaller number counts as: one failure among the first two is no outage yet."""


class TooManyFailuresError(RuntimeError, Generic[B]):
    """A batch of which too much got no answer: training on the rest would teach the outage."""

    def __init__(self, message: str, batch: B):
        super().__init__(message)
        self.batch = batch
        """What is known all the same: NaN where nothing was answered."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.batch)


class FailureCeiling:
    """The share of failures among the last answers of this process, whatever batches they came in."""

    def __init__(self, rate: float):
        self.rate = rate
        self._last: deque[bool] = deque(maxlen=WINDOW)

    def exceeded(self, failed: Sequence[bool]) -> tuple[int, int] | None:
        """Failures and answers where the new answers make it too many, or are too many by themselves; else None."""
        self._last.extend(failed)
        if not any(failed):
            return None
        for answers in (failed, list(self._last)):
            if sum(answers) > self.rate * max(len(answers), FEW):
                return sum(answers), len(answers)
        return None
