"""A taskset of verifiers 0.4 over ``rationale-rm export --for verifiers``; importing this needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import verifiers.v1 as vf
from pydantic import Field

from rationale_rm._core import RationaleError
from rationale_rm.integrations.verifiers import open_scoring, reward_of_trace
from rationale_rm.rewards import RewardSettings


class PairData(vf.TaskData):  # type: ignore[misc]
    """A pair as a prompt, and what an answer to it is scored against."""

    references: list[str]
    label: int | None = None
    swapped: bool = False
    pair_id: str | None = None


class PairTaskConfig(vf.TaskConfig):  # type: ignore[misc]
    """How answers are rewarded."""

    reward: dict[str, Any] = Field(default_factory=dict)
    """`RewardSettings` by name; without any, those of the environment."""


class PairTask(vf.Task[PairData, vf.State, PairTaskConfig]):  # type: ignore[misc]
    """Judge a pair, and be rewarded for the verdict and its reasons."""

    @vf.reward  # type: ignore[untyped-decorator]
    async def rationale(self, trace: vf.Trace) -> float:
        """The reward. Raises as `integrations.verifiers.trace_reward`: the trace then has an error and no reward."""
        settings = RewardSettings.from_mapping(self.config.reward) if self.config.reward else None
        return await reward_of_trace(open_scoring(settings), self.data, trace)


class PairTasksetConfig(vf.TasksetConfig):  # type: ignore[misc]
    """Which pairs are judged."""

    data: Path = Path("pairs.verifiers.jsonl")
    """What ``rationale-rm export --for verifiers`` wrote, as JSON Lines."""
    task: PairTaskConfig = PairTaskConfig()


class PairTaskset(vf.Taskset[PairTask, PairTasksetConfig]):  # type: ignore[misc]
    """The pairs of a file, one task each."""

    def load(self) -> Iterator[PairTask]:
        """The tasks in the order of the lines. Raises `OSError`, and `RationaleError` that names the line."""
        with self.config.data.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line.decode("utf-8"))
                    info = row["info"]
                    data = PairData(prompt=row["prompt"], name=info["pair_id"], **info)
                except (ValueError, KeyError, TypeError) as error:
                    raise RationaleError(
                        f"{self.config.data}:{number}: not as `rationale-rm export --for verifiers` writes it: {error}"
                    ) from None
                yield PairTask(data, self.config.task)
