"""Answers and what they are scored against → rewards, for every trainer alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import Row
from rationale_rm.judge import loop
from rationale_rm.rewards import JudgeFailureError, RationaleReward, RewardSettings
from rationale_rm.rewards.ceiling import FailureCeiling
from rationale_rm.types import GenrmStatus, RewardBatch

ADVANTAGE_MODES: Final = ("papo", "gdpo", "gdpo_batch")
METRICS: Final = ("outcome", "rationale", "rc", "judged", "unanswered", "malformed")
FIGURES: Final = ("outcome", "malformed", "judged", "unanswered", "scored", "scored_rationale", "scored_rc")


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
        self._unchecked = replace(settings, max_failure_rate=1.0)  # failures are counted here, over many batches
        self._ceiling = FailureCeiling(settings.max_failure_rate)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)

    async def score(
        self, texts: Sequence[str | None], rows: Sequence[Row], lengths: Sequence[int] | None = None
    ) -> RewardBatch:
        """Rewards of n answers. `lengths`, in tokens, are needed where the settings have a `max_length`."""
        batch = await self._reward().score(texts, **_columns(rows), lengths=lengths)
        self._check(batch)
        return batch

    def score_now(
        self, texts: Sequence[str | None], rows: Sequence[Row], lengths: Sequence[int] | None = None
    ) -> RewardBatch:
        """`score` for callers that wait."""
        return loop.run(self.score(texts, rows, lengths))

    def _reward(self) -> RationaleReward:
        return self._unchecked.shared()

    def _check(self, batch: RewardBatch) -> None:
        """Raises `JudgeFailureError` where the answers of `batch` make it too many failures."""
        found = self._ceiling.exceeded((batch.judged & ~batch.answered)[batch.judged].tolist())
        if found is None:
            return
        last = next(error for error in reversed(batch.errors) if error is not None)
        raise JudgeFailureError(
            f"the judge failed for {found[0]} of the last {found[1]} answers, more than max_failure_rate "
            f"{self._ceiling.rate:g}; the last: {last}",
            batch,
        )


def metrics(batch: RewardBatch) -> dict[str, float]:
    """What is worth a curve, in the mean over a batch: always the keys `METRICS`, NaN where nothing is known.

    `rationale` and `rc` are those of all answers of the batch: audited ones stand for all that the gate kept from the
    judge, so that a batch that has gated answers and no audited one has none (`RewardBatch.mean_rc`).
    """
    figures = answer_figures(batch)
    means = {name: _mean(figures[name]) for name in ("outcome", "judged", "unanswered", "malformed")}
    return {name: {"rationale": batch.mean_rationale, "rc": batch.mean_rc, **means}[name] for name in METRICS}


def answer_figures(batch: RewardBatch) -> dict[str, NDArray[np.float64]]:
    """What trainers that take one answer at a time can average: (n,) columns, always the keys `FIGURES`.

    All are numbers, but for `outcome`, NaN without a label. `scored` is what the reasons of an answer count in curves:
    0 where they were not judged, 1 / p where they were in an audit of the share p. `scored_rationale` and `scored_rc`
    are weighted by it, so that the mean of `scored_rc` divided by the mean of `scored` is the RC.
    """
    known = ~np.isnan(batch.rationale)
    weight = np.where(known, batch.audit_weight, 0.0)
    figures = {
        "outcome": batch.outcome,
        "malformed": batch.status != int(GenrmStatus.OK),
        "judged": batch.judged,
        "unanswered": batch.judged & ~batch.answered,
        "scored": weight,
        "scored_rationale": np.where(known, batch.rationale, 0.0) * weight,
        "scored_rc": np.where(known, batch.rc, 0.0) * weight,
    }
    return {name: figures[name].astype(np.float64) for name in FIGURES}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """The columns of `RationaleReward.score`; answers to one pair are a group, whose judge calls follow one another."""
    numbers: dict[Any, int] = {}
    groups = [numbers.setdefault(row.pair_id or (at,), len(numbers)) for at, row in enumerate(rows)]
    return {
        "references": [row.references for row in rows],
        "labels": [row.label for row in rows],
        "swapped": [row.swapped for row in rows],
        "groups": groups,
    }
