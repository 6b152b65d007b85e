"""TRL: reward functions for `GRPOTrainer` and the trainers that call rewards as it does (docs/trainers/trl.md)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from rationale_rm.integrations.labels import require_labels, why_unknown
from rationale_rm.integrations.rows import Row, read_columns, row_fields, text_of
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
        A coroutine function by every test that TRL has had for one. It pickles and has a name, by which TRL logs it,
        one for each mode, so that functions of several modes can be given beside each other: ``rationale_reward``
        (product), ``rationale_sum_reward``, ``outcome_only_reward`` and ``rationale_only_reward``. TRL's
        ``multi_objective_aggregation="normalize_then_sum"`` then normalises each by itself.

    Raises `RationaleError` for a mode that makes advantages, as ``gdpo``. The function raises it for data without the
    column `references`, and for a batch without any label where the mode is not ``rationale``.
    """
    settings = RewardSettings.from_environment() if settings is None else settings
    scoring = Scoring(settings)
    function = _FUNCTIONS[settings.mode][sync]
    bound = functools.partial(function, scoring)
    bound.__name__ = function.__name__  # type: ignore[attr-defined]  # TRL before 1.0 asks the partial itself
    return bound


async def rationale_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """What `trl_reward` binds its settings to; arguments as TRL gives them."""
    texts, rows, lengths = _labelled(scoring, completions, columns)
    batch = await scoring.score(texts, rows, lengths)
    return _reported(batch, rows, scoring.settings, columns)


def rationale_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` for callers that wait."""
    texts, rows, lengths = _labelled(scoring, completions, columns)
    batch = scoring.score_now(texts, rows, lengths)
    return _reported(batch, rows, scoring.settings, columns)


# TRL logs a function by the name of what a partial binds, so that each name is a function of its own.


async def rationale_sum_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` in the mode ``sum``."""
    return await rationale_reward(scoring, completions, **columns)


async def outcome_only_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` in the mode ``outcome``."""
    return await rationale_reward(scoring, completions, **columns)


async def rationale_only_reward(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward` in the mode ``rationale``."""
    return await rationale_reward(scoring, completions, **columns)


def rationale_sum_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward_sync` in the mode ``sum``."""
    return rationale_reward_sync(scoring, completions, **columns)


def outcome_only_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward_sync` in the mode ``outcome``."""
    return rationale_reward_sync(scoring, completions, **columns)


def rationale_only_reward_sync(scoring: Scoring, /, completions: Sequence[Any], **columns: Any) -> Rewards:
    """`rationale_reward_sync` in the mode ``rationale``."""
    return rationale_reward_sync(scoring, completions, **columns)


_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]] = {
    "product": (rationale_reward, rationale_reward_sync),
    "sum": (rationale_sum_reward, rationale_sum_reward_sync),
    "outcome": (outcome_only_reward, outcome_only_reward_sync),
    "rationale": (rationale_only_reward, rationale_only_reward_sync),
}
_PREFIXES: Final[Mapping[str, str]] = {
    "product": "rationale_rm",
    "sum": "rationale_sum",
    "outcome": "outcome_only",
    "rationale": "rationale_only",
}
"""Before the names of the figures that are logged. TRL joins columns of one name, so each mode has its own."""


class GroupReward(Protocol):
    """`rationale_rm.pairwise.PairwiseReward`, or what scores responses to prompts as it does."""

    async def score(
        self, prompts: Sequence[Any], responses: Sequence[str | None], *, groups: Sequence[int] | None = None
    ) -> Any:
        """A batch with a column `score`, NaN where nothing is known, `errors`, and `counts()`, figures by name."""


def trl_pairwise_reward(reward: GroupReward) -> Callable[..., Any]:
    """A reward function for policies: the responses to each prompt are scored by comparing them.

    The rows of a group must lie in one process: ``per_device_train_batch_size`` times ``steps_per_generation`` is a
    multiple of ``num_generations``. A response that nothing is known of is None. What `reward` raises for too many
    failures stops the training. Needs no columns. Comparisons, ties and order consistency are logged as metrics.
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
        for name, value in batch.counts().items():
            if not math.isnan(value):
                log_metric(f"pairwise/{name}", value)
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


def _labelled(scoring: Scoring, completions: Sequence[Any], columns: Mapping[str, Any]) -> tuple[Any, list[Row], Any]:
    """Texts, rows and lengths. Raises `RationaleError` for data that the reward cannot be made of."""
    texts, rows, lengths = _inputs(scoring, completions, columns)
    require_labels(scoring.settings.mode, rows)
    return texts, rows, lengths


def _inputs(scoring: Scoring, completions: Sequence[Any], columns: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    texts = [text_of(completion) for completion in completions]
    ids = columns.get("completion_ids")
    lengths = None if ids is None or scoring.settings.max_length is None else [len(tokens) for tokens in ids]
    return texts, read_columns(len(texts), columns), lengths


def _reported(batch: RewardBatch, rows: Sequence[Row], settings: RewardSettings, columns: Mapping[str, Any]) -> Rewards:
    """Puts what is known of the answers into TRL's metrics and its table of completions, and gives the rewards."""
    prefix = _PREFIXES[settings.mode]
    log_metric, log_extra = columns.get("log_metric"), columns.get("log_extra")
    if log_metric is not None:
        for name, value in metrics(batch).items():
            if not math.isnan(value):  # TRL averages over processes, where one NaN would hide what the others know
                log_metric(f"{prefix}/{name}", value)
    if log_extra is not None:
        for name, values in _table(batch, rows).items():
            log_extra(f"{prefix}/{name}", values)
    return _known(batch.reward)


def _table(batch: RewardBatch, rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {
        "status": [GenrmStatus(int(status)).name.lower() for status in batch.status],
        "verdict": [VERDICT_TEXTS.get(int(verdict)) for verdict in batch.verdict],
        "outcome": _known(batch.outcome),
        "rationale": _known(batch.rationale),
        "rc": _known(batch.rc),
        "no_judgement": why_unknown(batch, rows),
    }


def _known(values: Any) -> Rewards:
    """Floats, None for NaN."""
    return [None if math.isnan(value) else value for value in values.tolist()]
