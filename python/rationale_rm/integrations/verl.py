"""verl: the function that ``reward.custom_reward_function`` names (docs/trainers/verl.md).

verl asks for one answer a call, from several worker processes; what bounds and shares the judge calls is the reward
that all calls of a process share.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import Row, read_row, row_fields
from rationale_rm.integrations.scoring import Scoring, answer_figures
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import REWARD_COLUMNS, Pair, RewardBatch

DATA_SOURCE: Final = "rationale-rm"
ROUTER: Final = "{reward_router_address}"
"""Stands in `judge` for the address of a model that verl serves itself (``reward.reward_model``)."""
_log = logging.getLogger(__name__)


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_router_address: str | None = None,
    reward_model_tokenizer: Any = None,
    **settings: Any,
) -> dict[str, float]:
    """The reward of one answer, as verl's reward managers ask for it.

    Args:
        data_source: Not looked at.
        solution_str: The answer, without special tokens.
        ground_truth: The human preference, +2 (response 1 much better) to -2, or its spelling; None where unknown.
        extra_info: `references`, `swapped` and `pair_id`, as ``rationale-rm export --for verl`` writes them.
        reward_router_address: Where verl serves a reward model itself; takes the place of
            ``{reward_router_address}`` in `judge`.
        reward_model_tokenizer: Comes with it; not looked at.
        settings: ``reward_kwargs``: `RewardSettings`; without any, those of the environment.

    Returns:
        ``score`` and `answer_figures`, the same keys for every answer. The score of an answer whose judge failed is
        NaN, which the advantage estimator ``grpo_answered`` leaves out (`verl_advantages`). It is NaN too, with an
        error in the worker's log, for settings and rows that cannot be read, a judge that cannot be opened, and a row
        without the label that its mode needs. Nothing raises: verl trains on without what raised, or gives it 0, so
        that the estimator is what stops the run.
    """
    try:
        scoring = _scoring(_frozen(settings), reward_router_address)
        batch = await scoring.score([solution_str], [_row(ground_truth, extra_info, scoring)])
    except Exception as error:
        batch = _unscored(error)
    return _result(batch)


def compute_score_sync(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_router_address: str | None = None,
    reward_model_tokenizer: Any = None,
    **settings: Any,
) -> dict[str, float]:
    """`compute_score` for reward managers that cannot await; each call holds one of their threads."""
    try:
        scoring = _scoring(_frozen(settings), reward_router_address)
        batch = scoring.score_now([solution_str], [_row(ground_truth, extra_info, scoring)])
    except Exception as error:
        batch = _unscored(error)
    return _result(batch)


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """One row of verl's Parquet files; the trainer asks for a prompt as messages and for `reward_model`."""
    fields = row_fields(pair, swapped)
    return {
        "data_source": DATA_SOURCE,
        "prompt": [dict(message) for message in messages],
        "ability": "judging",
        "reward_model": {"style": "rule", "ground_truth": fields.pop("label")},
        "extra_info": {"index": pair.id, **fields},
    }


@cache
def _scoring(settings: tuple[tuple[str, Any], ...], address: str | None) -> Scoring:
    named = RewardSettings.from_mapping(dict(settings)) if settings else RewardSettings.from_environment()
    if named.max_length is not None:
        raise RationaleError(
            "verl does not say how long an answer is: leave max_length out and use "
            "reward.reward_kwargs.overlong_buffer_cfg of its reward manager dapo"
        )
    if ROUTER in named.judge:
        if address is None:
            raise RationaleError(f"the judge is at {ROUTER}, but verl serves no reward model: see reward.reward_model")
        named = replace(named, judge=named.judge.replace(ROUTER, address))
    return Scoring(replace(named, max_failure_rate=1.0))


def _frozen(settings: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    for name, value in settings.items():
        if isinstance(value, (Mapping, list)):
            raise RationaleError(f"the setting {name} must be a number, a text or true or false, not {value!r:.60}")
    return tuple(sorted(settings.items()))


def _row(ground_truth: Any, extra_info: Mapping[str, Any] | None, scoring: Scoring) -> Row:
    row = read_row({**(extra_info or {}), "label": ground_truth})
    if row.label is None and scoring.settings.mode != "rationale":
        raise RationaleError(f"the row has no label, which mode {scoring.settings.mode} needs: leave such pairs out")
    return row


def _unscored(error: Exception) -> RewardBatch:
    """A batch of one answer of which nothing is known, so that its figures have the keys of all others."""
    cause = str(error) if isinstance(error, RationaleError) else f"{type(error).__name__}: {error}"
    unknown = {
        name: np.full(1, np.nan if issubclass(dtype, np.floating) else 0, dtype)
        for name, dtype in REWARD_COLUMNS.items()
    }
    return RewardBatch(id="", critique_ids=("",), errors=(cause,), **unknown)  # type: ignore[arg-type]


def _result(batch: RewardBatch) -> dict[str, float]:
    reward = float(batch.reward[0])
    if math.isnan(reward):
        _log.error("an answer has no reward: %s", batch.errors[0] or "the data hold no label")
    return {"score": reward, **{name: float(values[0]) for name, values in answer_figures(batch).items()}}
