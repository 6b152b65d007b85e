"""From answers to rewards while sampling goes on, and through outages of the judge."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rationale_rm import rewards
from rationale_rm.judge import Judge, loop
from rationale_rm.judge.protocol import OnResult
from rationale_rm.rewards import JudgeFailureError, RationaleReward, RewardSettings
from rationale_rm.rollout import Completion
from rationale_rm.train.batches import Shown
from rationale_rm.train.processes import Processes
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.signals import Stop, StopRequestedError
from rationale_rm.types import MatchRequest, MatchResult, RewardBatch

CACHE: Final = "judge.sqlite"
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 60.0
_GLANCE: Final = 2.0
"""Seconds between two looks at whether to stop."""


class JudgeOutageError(RuntimeError):
    """The judge stayed away for longer than the run waits for it."""


def open_judge(text: str, recipe: Recipe, folder: Path) -> Judge:
    """The judge that a recipe names; what it answers is kept in `folder`. Raises `RationaleError`, `OSError` and
    `MissingExtraError` for one that cannot be had.
    """
    return rewards.open_judge(_settings(recipe, judge=text, cache=recipe.reward.cache or str(folder / CACHE)))


def open_reward(recipe: Recipe, judge: Judge) -> RationaleReward:
    """The reward that a recipe describes."""
    return _settings(recipe).reward(judge)


def _settings(recipe: Recipe, **changes: Any) -> RewardSettings:
    return RewardSettings(**{**recipe.reward.model_dump(exclude={"retry_for"}), "seed": recipe.seed, **changes})


class Remembering:
    """A judge whose results of the present step are kept, for the samples that are written down."""

    def __init__(self, judge: Judge):
        self._judge = judge
        self._results: dict[tuple[tuple[str, ...], tuple[str, ...], bool], MatchResult] = {}
        self.remembers = False

    @property
    def name(self) -> str:
        """The judge's name."""
        return self._judge.name

    @property
    def stand_in(self) -> str | None:
        """See `Judge.stand_in`."""
        return self._judge.stand_in

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """See `Judge.match`."""
        results = await self._judge.match(requests, on_result=on_result)
        if self.remembers:
            for request, result in zip(requests, results, strict=True):
                self._results[request.references, request.reasons, request.swapped] = result
        return results

    def result(self, references: Sequence[str], reasons: Sequence[str], swapped: bool) -> MatchResult | None:
        """What the judge said of these lists; None where it was not asked."""
        return self._results.get((tuple(references), tuple(reasons), swapped))

    def forget(self) -> None:
        """Begins a new step."""
        self._results.clear()


@dataclass(frozen=True, slots=True)
class _Group:
    shown: Shown
    completions: Sequence[Completion]
    number: int
    """Which prompt of the step."""


class Scoring:
    """The rewards of one step. Groups are given to the judge as they come; `finish` waits for the rest."""

    def __init__(self, reward: RationaleReward, step: int):
        self._reward = reward
        self._step = step
        self._groups: dict[int, _Group] = {}
        self._under_way: dict[int, Future[RewardBatch]] = {}

    def begin(self, number: int, shown: Shown, completions: Sequence[Completion]) -> None:
        """Begins to judge the answers to prompt `number` of the step; those that the sampler failed to give are left
        out, for nothing is known of them.
        """
        self._groups[number] = _Group(shown, [one for one in completions if one.error is None], number)
        self._ask(number)

    def finish(
        self, processes: Processes, stop: Stop, retry_for: float, on_pause: Callable[[str], None]
    ) -> RewardBatch:
        """The rewards of all groups of all processes, by prompt and sample, with the advantages of the whole.

        Where too many answers have no judgement the groups that lack one are judged again, after pauses that grow, for
        up to `retry_for` seconds; `on_pause` is told why and how long. Raises `JudgeOutageError` after that, and
        `StopRequestedError` when asked to stop meanwhile.
        """
        parts = {number: future.result() for number, future in self._under_way.items()}
        whole: list[RewardBatch] = []

        def join() -> str | None:
            failed = [number for number, part in parts.items() if bool((part.judged & ~part.answered).any())]
            if whole:
                for number in failed:
                    self._ask(number)
                parts.update({number: self._under_way[number].result() for number in failed})
            try:
                whole[:] = [self._reward.join(_all_parts(processes, parts))]
            except JudgeFailureError as error:
                whole[:] = [error.batch]
                return str(error)
            return None

        retried(join, processes, stop, retry_for, on_pause)
        return whole[0]

    def cancel(self) -> None:
        """Gives up what is under way."""
        for future in self._under_way.values():
            future.cancel()

    def _ask(self, number: int) -> None:
        self._under_way[number] = loop.begin(self._score(self._groups[number]))

    async def _score(self, group: _Group) -> RewardBatch:
        pair, completions = group.shown.pair, group.completions
        n = len(completions)
        try:
            return await self._reward.score(
                [one.text for one in completions],
                references=[pair.references] * n,
                labels=[pair.label] * n,
                groups=[group.number] * n,
                swapped=[group.shown.swapped] * n,
                lengths=[len(one.token_ids) for one in completions],
                ids=[f"{self._step}/{group.number}/{one.sample}" for one in completions],
            )
        except JudgeFailureError as error:  # how many failed is asked of the step, not of one group
            return error.batch


def retried(
    ask: Callable[[], str | None],
    processes: Processes,
    stop: Stop,
    retry_for: float,
    on_pause: Callable[[str], None],
) -> None:
    """Calls `ask`, which says what is wrong with the judge's answers, until nothing is.

    Pauses in between, which grow. All processes call it and are told the same. Raises `JudgeOutageError` after
    `retry_for` seconds, and `StopRequestedError` in a pause in which any of them is asked to stop.
    """
    began, pause = time.monotonic(), _FIRST_PAUSE
    while (fault := ask()) is not None:
        left = processes.least(retry_for - (time.monotonic() - began))
        if left <= 0:
            raise JudgeOutageError(f"{fault}, for more than reward.retry_for ({retry_for:g} s)")
        pause = min(pause, left)
        on_pause(f"{fault}; judged again in {pause:.0f} s, for {left:.0f} s more")
        _wait(pause, processes, stop)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _wait(seconds: float, processes: Processes, stop: Stop) -> None:
    n = math.ceil(seconds / _GLANCE)
    for _ in range(n):
        time.sleep(seconds / n)
        if processes.any(stop.requested):
            raise StopRequestedError


def _all_parts(processes: Processes, parts: Mapping[int, RewardBatch]) -> list[RewardBatch]:
    gathered = dict(processes.gather(list(parts.items())))
    return [gathered[number] for number in sorted(gathered)]
