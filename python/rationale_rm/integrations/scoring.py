"""Answers and what they are scored against → rewards, for every trainer alike."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import Row
from rationale_rm.judge import loop
from rationale_rm.rewards import JudgeFailureError, RationaleReward, RewardSettings
from rationale_rm.types import GenrmStatus, RewardBatch

ADVANTAGE_MODES: Final = ("papo", "gdpo", "gdpo_batch")
WINDOW: Final = 1000
"""Judged answers that the failure rate is taken over."""
FEW: Final = 20
"""Answers that a smaller number counts as: one failure among the first two is no outage yet."""
METRICS: Final = ("outcome", "rationale", "rc", "judged", "unanswered", "malformed")


class Scoring:
    """A reward as trainers call it: any number of answers at a time, from any thread, event loop and process.

    The reward of an answer whose judge failed is NaN, with the reason in `errors`. More than
    ``settings.max_failure_rate`` failures of the last 1,000 judged answers raise `JudgeFailureError`, also where a
    trainer asks for one answer at a time. It pickles: the judge is opened where it is used first.

    Raises `RationaleError` for a mode that makes advantages, which trainers that take rewards have no use for.
    """

    def __init__(self, settings: RewardSettings):
        if settings.mode in ADVANTAGE_MODES:
            raise RationaleError(
                f"mode {settings.mode} makes advantages, and this trainer takes rewards: choose product, sum, "
                "rationale or outcome, or train with `rationale-rm train`"
            )
        self.settings = settings
        self._ceiling = _Ceiling(settings.max_failure_rate)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    async def score(
        self, texts: Sequence[str | None], rows: Sequence[Row], lengths: Sequence[int] | None = None
    ) -> RewardBatch:
        """Rewards of n answers. `lengths`, in tokens, are needed where the settings have a `max_length`."""
        batch = await self._reward().score(texts, **_columns(rows), lengths=lengths)
        self._ceiling.count(batch)
        return batch

    def score_now(
        self, texts: Sequence[str | None], rows: Sequence[Row], lengths: Sequence[int] | None = None
    ) -> RewardBatch:
        """`score` for callers that wait."""
        return loop.run(self.score(texts, rows, lengths))

    def _reward(self) -> RationaleReward:
        return replace(self.settings, max_failure_rate=1.0).shared()


def metrics(batch: RewardBatch, row: int | None = None) -> dict[str, float]:
    """What is worth a curve, of one answer or in the mean over a batch: always the keys `METRICS`, NaN where nothing is
    known.

    `rationale` and `rc` are known of judged answers only, and weighted so that audited ones stand for all that the gate
    kept from the judge.
    """
    at = slice(None) if row is None else slice(row, row + 1)
    weight = batch.audit_weight[at]
    return {
        "outcome": _mean(batch.outcome[at]),
        "rationale": _mean(batch.rationale[at], weight),
        "rc": _mean(batch.rc[at], weight),
        "judged": _mean(batch.judged[at].astype(np.float64)),
        "unanswered": _mean((batch.judged & ~batch.answered)[at].astype(np.float64)),
        "malformed": _mean((batch.status != int(GenrmStatus.OK))[at].astype(np.float64)),
    }


def _mean(values: Any, weights: Any = None) -> float:
    known = ~np.isnan(values)
    weights = np.ones(len(values)) if weights is None else weights
    total = float(weights[known].sum())
    return float((values[known] * weights[known]).sum() / total) if total > 0 else math.nan


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "references": [row.references for row in rows],
        "labels": [row.label for row in rows],
        "swapped": [row.swapped for row in rows],
    }


class _Ceiling:
    """The share of failures among the last judged answers of this process."""

    def __init__(self, rate: float):
        self._rate = rate
        self._lock = threading.Lock()
        self._failed: deque[bool] = deque(maxlen=WINDOW)

    def count(self, batch: RewardBatch) -> None:
        """Raises `JudgeFailureError` where the answers of `batch` make it too many."""
        failed = (batch.judged & ~batch.answered)[batch.judged]
        if not failed.size:
            return
        with self._lock:
            self._failed.extend(failed.tolist())
            n, n_failed = len(self._failed), sum(self._failed)
        if failed.any() and n_failed > self._rate * max(n, FEW):
            last = next(error for error in reversed(batch.errors) if error is not None)
            raise JudgeFailureError(
                f"the judge failed for {n_failed} of the last {n} answers, more than max_failure_rate {self._rate:g}; "
                f"the last: {last}",
                batch,
            )
