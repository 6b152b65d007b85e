"""The reward as ms-swift's own classes; importing this needs ms-swift, and `integrations.swift.register` does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swift.rewards.orm import ORM, AsyncORM

from rationale_rm.integrations.scoring import Scoring
from rationale_rm.integrations.swift import inputs, rewards
from rationale_rm.rewards import RewardSettings


def _heeds_none(args: Any) -> bool:
    return getattr(args, "scale_rewards", None) == "gdpo"


class RationaleORM(ORM):  # type: ignore[misc]
    """The reward for ``--reward_funcs rationale``."""

    def __init__(self, args: Any = None, *, settings: RewardSettings | None = None, **others: Any):
        super().__init__(args, **others)
        self.scoring = Scoring(RewardSettings.from_environment() if settings is None else settings)

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Rewards of n answers, as `integrations.swift.rewards` gives them. Raises `JudgeFailureError`, and what
        `integrations.swift.inputs` raises.
        """
        texts, rows, lengths = inputs(self.scoring.settings, completions, columns)
        batch = self.scoring.score_now(texts, rows, lengths)
        return rewards(batch, rows, columns, heeds_none=_heeds_none(self.args))


class AsyncRationaleORM(AsyncORM):  # type: ignore[misc]
    """The reward for ``--reward_funcs rationale_async``, which runs beside other coroutine rewards.

    ms-swift makes an event loop for each step; connections to the judge belong to the loop of `rationale_rm.judge`,
    which outlives them.
    """

    def __init__(self, args: Any = None, *, settings: RewardSettings | None = None, **others: Any):
        super().__init__(args, **others)
        self.scoring = Scoring(RewardSettings.from_environment() if settings is None else settings)

    async def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """As `RationaleORM`."""
        texts, rows, lengths = inputs(self.scoring.settings, completions, columns)
        batch = await self.scoring.score(texts, rows, lengths)
        return rewards(batch, rows, columns, heeds_none=_heeds_none(self.args))
