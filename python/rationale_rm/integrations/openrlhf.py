"""OpenRLHF: the function that a file named by ``--reward.remote_url`` offers (docs/trainers/openrlhf.md).

OpenRLHF calls it in threads, one answer a call, and swallows what it raises. An answer can be without a reward in two
ways: None, on which its trainer stops, and NaN, which its dynamic filtering drops with the whole group and replaces by
the next prompt. Without dynamic filtering NaN would reach the weights, which is why stopping is the default.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.integrations.openrlhf_queries import found_responses
from rationale_rm.integrations.rows import Row, read_row, row_fields
from rationale_rm.integrations.scoring import FIGURES, Scoring, answer_figures
from rationale_rm.rewards import RewardSettings
from rationale_rm.rewards.ceiling import FailureCeiling
from rationale_rm.types import Pair, RewardBatch

Unanswered = Literal["stop", "drop"]
_UNMATCHED: Final = "a query does not begin with its prompt, nor with an end of it"
_log = logging.getLogger(__name__)


def openrlhf_reward(
    settings: RewardSettings | None = None, *, unanswered: Unanswered = "stop"
) -> Callable[[Sequence[str], Sequence[str], Sequence[Any]], dict[str, Any]]:
    """The function ``reward_func(queries, prompts, labels)`` that OpenRLHF looks for in a file.

    Args:
        settings: The reward; by default what the environment says (`RewardSettings.from_environment`).
        unanswered: What an answer gets whose judge failed, or whose query does not begin with its prompt: ``stop``
            None, on which the trainer stops; ``drop`` NaN, only for ``--algo.dynamic_filtering_enable``, which then
            leaves out its group. Once more than ``settings.max_failure_rate`` of the last 1,000 judged answers failed,
            or of the last 1,000 queries, it is None in either case.

    Returns:
        A function that never raises. It gives ``rewards`` and ``scores``, float32 tensors (n,) or None, and
        ``extra_logs``, a tensor (n,) for each of `FIGURES`; what went wrong is logged as an error. A row that cannot be
        read, or lacks the label that the mode needs, is a fault of the data and gets None in either case.

    Raises `RationaleError` for settings that OpenRLHF cannot serve.
    """
    settings = RewardSettings.from_environment() if settings is None else settings
    mode = settings.mode
    if settings.max_length is not None:
        raise RationaleError(
            "OpenRLHF does not say how long an answer is: leave max_length out and use --reward.overlong_buffer_len"
        )
    if unanswered not in ("stop", "drop"):
        raise RationaleError(f"unanswered must be stop or drop, not {unanswered!r}")
    scoring = Scoring(settings)
    unmatched = FailureCeiling(settings.max_failure_rate)

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
        try:
            rows = [_row(label, mode) for label in labels]
            texts = found_responses(queries, prompts)
            _check_matched(unmatched, texts)
            answer = answer_of(_without(scoring.score_now(texts, rows), texts))
        except Exception as error:  # OpenRLHF would drop the message and go on without a reward
            _log.exception("no reward, on which OpenRLHF stops: %s", error)
            return _tensors(no_answer(len(queries)))
        failed = answer.pop("error")
        if failed is not None:
            _log.error("an answer has no reward: %s", failed)
            if unanswered == "stop":
                return _tensors(no_answer(len(queries)))
        return _tensors(answer)

    return reward_func


def answer_of(batch: RewardBatch) -> dict[str, Any]:
    """``rewards``, ``scores`` and ``extra_logs`` as lists, and ``error``: why a reward is NaN, None where none is.

    OpenRLHF takes the mean of the logs.
    """
    rewards = batch.reward.tolist()
    missing = [row for row, reward in enumerate(rewards) if math.isnan(reward)]
    return {
        "rewards": rewards,
        "scores": rewards,
        "extra_logs": {name: values.tolist() for name, values in answer_figures(batch).items()},
        "error": (batch.errors[missing[0]] or "the data hold no label") if missing else None,
    }


def no_answer(n: int) -> dict[str, Any]:
    """The answer without rewards to n queries."""
    return {"rewards": None, "scores": None, "extra_logs": {name: [math.nan] * n for name in FIGURES}}


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """One row of OpenRLHF's data, for ``--data.input_key input --data.label_key label --data.apply_chat_template``.

    A label is one field there, hence JSON. ``<image>`` in a message would be taken for a picture; it becomes ‹image›,
    as `rationale_rm.prompts.neutralise` writes such tags.
    """
    return {
        "input": [{name: text.replace("<image>", "‹image›") for name, text in message.items()} for message in messages],
        "label": json.dumps(row_fields(pair, swapped), ensure_ascii=False),
    }


def _row(label: Any, mode: str) -> Row:
    row = read_row(label)
    if row.label is None and mode != "rationale":
        raise RationaleError(f"a row of the data has no label, which mode {mode} needs: leave such pairs out")
    return row


def _without(batch: RewardBatch, texts: Sequence[str | None]) -> RewardBatch:
    """The batch with NaN for texts that are None; a batch scores them as answers that never came."""
    missing = np.array([text is None for text in texts], dtype=bool)
    errors = tuple(_UNMATCHED if text is None else error for text, error in zip(texts, batch.errors, strict=True))
    return replace(batch, reward=np.where(missing, np.nan, batch.reward), errors=errors)


def _check_matched(ceiling: FailureCeiling, texts: Sequence[str | None]) -> None:
    """Raises `RationaleError` where too many queries are without their prompt."""
    found = ceiling.exceeded([text is None for text in texts])
    if found is not None:
        n_unmatched, n = found
        raise RationaleError(
            f"{_UNMATCHED}: {n_unmatched} of the last {n}, more than max_failure_rate {ceiling.rate:g}"
        )


def _tensors(answer: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    def tensor(values: list[float] | None) -> Any:
        return None if values is None else torch.tensor(values, dtype=torch.float32)

    return {
        "rewards": tensor(answer["rewards"]),
        "scores": tensor(answer["scores"]),
        "extra_logs": {name: tensor(values) for name, values in answer["extra_logs"].items()},
    }
