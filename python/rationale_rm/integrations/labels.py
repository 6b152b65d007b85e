"""Answers that no label is known for: a fault of the data where all of a batch are such, and else said of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import Row
from rationale_rm.rewards import RewardMode
from rationale_rm.types import RewardBatch

NO_LABEL: Final = "the data hold no label"


def require_labels(mode: RewardMode, rows: Sequence[Row]) -> None:
    """Raises `RationaleError` where no row has a label and the reward depends on it, as in all modes but ``rationale``.

    No answer would ever have a reward, and a trainer would go on without learning anything.
    """
    if mode != "rationale" and rows and all(row.label is None for row in rows):
        raise RationaleError(
            f"no row has a label (the column `label`), without which mode {mode} has no reward: name the human "
            "preference so, as `rationale-rm export` does, or choose mode rationale, which needs none"
        )


def why_unknown(batch: RewardBatch, rows: Sequence[Row]) -> list[str | None]:
    """For each answer why its judge gave no judgement, or that its reward wants a label; else None."""
    columns = zip(batch.reward.tolist(), batch.judged.tolist(), batch.errors, rows, strict=True)
    return [
        error if judged and error is not None else NO_LABEL if math.isnan(reward) and row.label is None else None
        for reward, judged, error, row in columns
    ]
