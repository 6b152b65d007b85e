"""verifiers: the reward as a function of its rubrics and of its tasks (docs/trainers/verifiers.md)."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cache
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.integrations.labels import NO_LABEL
from rationale_rm.integrations.rows import read_row, row_fields, text_of
from rationale_rm.integrations.scoring import Scoring, answer_figures
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import VERDICT_TEXTS, Pair, RewardBatch

STATE_KEY: Final = "rationale_rm"
"""Where the state of a rollout holds what is known of its answer."""
log = logging.getLogger(__name__)


class NoJudgementError(RuntimeError):
    """No judge answered about a rollout, so nothing is known of its reward."""


def verifiers_reward(settings: RewardSettings | None = None) -> Callable[..., Any]:
    """A reward function for ``Rubric(funcs=[…])`` of verifiers up to 0.3 (``verifiers.legacy``).

    A coroutine function of one rollout, named ``rationale``. It reads `info`, as ``rationale-rm export --for
    verifiers`` writes it, and puts `answer_figures` under ``state["rationale_rm"]``. Without a judgement the
    reward is NaN, and ``state["error"]`` says why. It raises nothing: verifiers would make the reward 0 of whatever is
    raised. A plain `Rubric` takes the mean of a group over NaN too, which leaves the whole group without advantages;
    `RationaleRubric` (`integrations.verifiers_legacy`) leaves out the rollout alone, and stops the run at too many
    failures.

    Raises `RationaleError` for settings that cannot be: verifiers counts no tokens, so there is no `max_length`.
    """
    bound = functools.partial(rationale, open_scoring(settings))
    bound.__name__ = "rationale"  # type: ignore[attr-defined]
    return bound


# No parameter may have a plural name, such as `completions`: verifiers would take it for a function of groups.
async def rationale(scoring: Scoring, /, completion: Any, info: Any, state: MutableMapping[str, Any]) -> float:
    """What `verifiers_reward` binds its settings to; arguments as verifiers fills them in."""
    try:
        row = read_row(info)
        reward, figures = one(await scoring.score([text_of(completion)], [row]))
    except Exception as error:
        log.warning("no reward: %s", error)
        state["error"] = state.get("error") or error
        return math.nan
    state[STATE_KEY] = figures
    return reward


def one(batch: RewardBatch) -> tuple[float, dict[str, float]]:
    """Reward and figures of the only answer of a batch. Raises `NoJudgementError` where no judge answered."""
    reward = float(batch.reward[0])
    if math.isnan(reward):
        raise NoJudgementError(batch.errors[0] or NO_LABEL)
    return reward, {name: float(values[0]) for name, values in answer_figures(batch).items()}


async def trace_reward(task: Any, trace: Any) -> float:
    """The reward of verifiers 0.4 (``verifiers.v1``) for tasks whose data have the fields of `rows.FIELDS`, with the
    settings of the environment: ``--env.taskset.task.rewards.rationale.fn
    rationale_rm.integrations.verifiers:trace_reward``.

    Raises `NoJudgementError` without a judgement and `JudgeFailureError` for too many of them; verifiers puts either
    into the errors of the trace and leaves the reward None, which is no 0.
    """
    return await reward_of_trace(open_scoring(None), task, trace)


async def reward_of_trace(scoring: Scoring, data: Any, trace: Any) -> float:
    """The reward of a v1 trace; the figures of its answer become metrics of the trace."""
    row = read_row({name: getattr(data, name, None) for name in ("references", "label", "swapped", "pair_id")})
    reward, figures = one(await scoring.score([trace.last_reply], [row]))
    trace.record_metrics({name: value for name, value in figures.items() if not math.isnan(value)})
    return reward


def open_scoring(settings: RewardSettings | None) -> Scoring:
    """The scoring of some settings, or of the environment: one for equal settings, so that failures are counted over
    tasks that know nothing of each other. Raises `RationaleError`.
    """
    settings = RewardSettings.from_environment() if settings is None else settings
    if settings.max_length is not None:
        raise RationaleError("max_length is set, and verifiers says nothing of the tokens of an answer")
    return _shared(settings)


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row of a data set for verifiers: the prompt as messages, the human verdict as the answer, the rest as info.

    The answer is about the responses as they are shown; `info` is about response 1 and 2.
    """
    label = pair.label
    answer = "" if label is None else VERDICT_TEXTS[-label if swapped else label]
    return {
        "prompt": [dict(message) for message in messages],
        "answer": answer,
        "info": row_fields(pair, swapped),
    }


@cache
def _shared(settings: RewardSettings) -> Scoring:
    return Scoring(settings)
