"""TRL: reward functions for `GRPOTrainer` and the trainers that call rewards as it does (docs/trainers/trl.md)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from rationale_rm.integrations.rows import read_columns, row_fields, text_of
from rationale_rm.integrations.scoring import Scoring, metrics
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import VERDICT_TEXTS, GenrmStatus, Pair, RewardBatch

Rewards = list[float | None]


def trl_reward(settings: RewardSettings | None = None, *, sync: bool = False) -> Callable[..., Any]:
    """A reward function for ``GRPOTrainer(reward_funcs=…)``.

    It takes the columns `references`, `label`, `swapped` and `pair_id` that ``rationale-rm export --for trl`` writes,
    and completions as texts or as messages. An answer without a judgement is None: TRL leaves it out of its group and
    gives it no advantage, where no other reward function has a reward for it. More failures than
    ``settings.max_failure_rate`` raise `JudgeFailureError`, which stops the training.

    Args:
        settings: The reward; by default what the environment says (`RewardSettings.from_environment`).
        sync: A plain function in place of a coroutine function. TRL runs those one after another, and all coroutine
            functions at once.

    Returns:
        A coroutine function by every test that TRL has had for one. It pickles and has a name, by which TRL logs it:
        ``rationale_reward``, or ``outcome_only_reward`` and ``rationale_only_reward`` for the modes of these names, so
        that both can be given beside each other. TRL's ``multi_objective_aggregation="normalize_then_sum"`` then
        normalises each by itself.

    Raises `RationaleError` for a mode that makes advantages, as ``gdpo``.
    """
    settings = RewardSettings.from_environment() if settings is None else settings
    function = _FUNCTIONS.get(settings.mode, (rationale_reward, rationale_reward_sync))[sync]
    bound = functools.partial(function, Scoring(settings))
    bound.__name__ = function.__name__  # type: ignore[attr-defined]  # TRL before 1.0 asks the partial itself
    return bound


async def rationale_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """What `trl_reward` binds its settings to; arguments as TRL gives them."""
    batch = await scoring.score(*_inputs(scoring, completions, columns))
    return _reported(batch, scoring.settings, columns)


def rationale_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` for callers that wait."""
    batch = scoring.score_now(*_inputs(scoring, completions, columns))
    return _reported(batch, scoring.settings, columns)


# TRL logs a function by the name of what a partial binds, so that each name is a function of its own.


async def outcome_only_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` in the mode ``outcome``."""
    return await rationale_reward(scoring, completions, **columns)


async def rationale_only_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` in the mode ``rationale``."""
    return await rationale_reward(scoring, completions, **columns)


def outcome_only_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward_sync` in the mode ``outcome``."""
    return rationale_reward_sync(scoring, completions, **columns)


def rationale_only_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward_sync` in the mode ``rationale``."""
    return rationale_reward_sync(scoring, completions, **columns)


_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]] = {
    "outcome": (outcome_only_reward, outcome_only_reward_sync),
    "rationale": (rationale_only_reward, rationale_only_reward_sync),
}


class GroupReward(Protocol):
    """`rationale_rm.pairwise.PairwiseReward`, or what scores responses to prompts as it does."""

    async def score(
        self, prompts: Sequence[Any], responses: Sequence[str | None], *, groups: Sequence[int] | None = None
    ) -> Any:
        """A batch with a column `score`, NaN where nothing is known, and `errors`."""


def trl_pairwise_reward(reward: GroupReward) -> Callable[..., Any]:
    """A reward function for policies: the responses to each prompt are scored by comparing them.

    The rows of a group must lie in one process: ``per_device_train_batch_size`` times ``steps_per_generation`` is a
    multiple of ``num_generations``. A response that nothing is known of is None. What `reward` raises for too many
    failures stops the training. Needs no columns. It pickles where `reward` does.
    """
    bound = functools.partial(pairwise_reward, reward)
    bound.__name__ = "pairwise_reward"  # type: ignore[attr-defined]
    return bound


async def pairwise_reward(
    reward: GroupReward, /, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
) -> Rewards:
    """What `trl_pairwise_reward` binds its reward to; arguments as TRL gives them."""
    texts = [text_of(completion) for completion in completions]
    batch = await reward.score(prompts, texts, groups=_runs(prompts))
    if (log_extra := columns.get("log_extra")) is not None:
        log_extra("pairwise/no_score", list(batch.errors))
    if (log_metric := columns.get("log_metric")) is not None:
        log_metric("pairwise/unanswered", sum(error is not None for error in batch.errors) / max(len(texts), 1))
    return _known(batch.score)


def _runs(prompts: Sequence[Any]) -> list[int]:
    """Numbers of the runs of equal prompts, as TRL repeats them."""
    numbers: list[int] = []
    for at, prompt in enumerate(prompts):
        same = at > 0 and prompt == prompts[at - 1]
        numbers.append(numbers[-1] + (not same) if numbers else 0)
    return numbers


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row of a data set for TRL: the prompt as messages, and the columns that the reward takes."""
    return {"prompt": [dict(message) for message in messages], **row_fields(pair, swapped)}


def _inputs(scoring: Scoring, completions: Sequence[Any], columns: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    texts = [text_of(completion) for completion in completions]
    ids = columns.get("completion_ids")
    lengths = None if ids is None or scoring.settings.max_length is None else [len(tokens) for tokens in ids]
    return texts, read_columns(len(texts), columns), lengths


def _reported(batch: RewardBatch, settings: RewardSettings, columns: Mapping[str, Any]) -> Rewards:
    """Puts what is known of the answers into TRL's metrics and its table of completions, and gives the rewards."""
    mode = settings.mode
    prefix = f"{mode}_only" if mode in _FUNCTIONS else "rationale_rm"
    log_metric, log_extra = columns.get("log_metric"), columns.get("log_extra")
    if log_metric is not None:
        for name, value in metrics(batch).items():
            if not math.isnan(value):  # TRL averages over processes, where one NaN would hide what the others know
                log_metric(f"{prefix}/{name}", value)
    if log_extra is not None:
        for name, values in _table(batch).items():
            log_extra(f"{prefix}/{name}", values)
    return _known(batch.reward)


def _table(batch: RewardBatch) -> dict[str, list[Any]]:
    return {
        "status": [GenrmStatus(int(status)).name.lower() for status in batch.status],
        "verdict": [VERDICT_TEXTS.get(int(verdict)) for verdict in batch.verdict],
        "outcome": _known(batch.outcome),
        "rationale": _known(batch.rationale),
        "rc": _known(batch.rc),
        "no_judgement": [error if judged else None for error, judged in zip(batch.errors, batch.judged, strict=True)],
    }


def _known(values: Any) -> Rewards:
    """Floats, None for NaN."""
    return [None if math.isnan(value) else value for value in values.tolist()]
