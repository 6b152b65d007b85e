"""A rubric for verifiers up to 0.3, whose own ones know no missing reward; importing this needs it."""

from __future__ import annotations

import math
from typing import Any

import verifiers.legacy as vf

from rationale_rm._core import RationaleError
from rationale_rm.integrations.scoring import FIGURES
from rationale_rm.integrations.verifiers import STATE_KEY, verifiers_reward
from rationale_rm.rewards import JudgeFailureError, RewardSettings


class RationaleRubric(vf.Rubric):  # type: ignore[misc]
    """The reward, beside functions of your own.

    A rollout without a judgement has the reward NaN, the advantage 0 and an error in its state, where trainers look for
    rollouts to leave out; the advantages of its group are about the others. The error is an `InfraError`, for which
    verifiers repeats the rollout where ``max_retries`` lets it. `JudgeFailureError` (too many failures) and
    `RationaleError` (data without human reasons) are raised. Its metrics are those of `answer_figures`
    (`integrations.scoring`), as far as they are known.

    Args:
        settings: The reward; by default what the environment says.
        weight: Of the reward among `funcs`.
        funcs, weights, parser: As for `Rubric`.
    """

    def __init__(
        self,
        settings: RewardSettings | None = None,
        *,
        weight: float = 1.0,
        funcs: list[Any] | None = None,
        weights: list[float] | None = None,
        parser: Any = None,
    ):
        others = list(funcs or ())
        super().__init__(
            funcs=[verifiers_reward(settings), *others],
            weights=[weight, *(weights if weights is not None else [1.0] * len(others))],
            parser=parser,
        )

    async def score_rollout(self, state: Any) -> None:
        """Scores one rollout."""
        await super().score_rollout(state)
        _add_figures(state)
        _check(state)

    async def score_group(self, states: list[Any]) -> None:
        """Scores the rollouts of one prompt."""
        await super().score_group(states)
        for state in states:
            _add_figures(state)
            _check(state)
        known = [state["reward"] for state in states if not math.isnan(state["reward"])]
        if len(known) == len(states):
            return
        mean = sum(known) / len(known) if known else 0.0
        for state in states:
            state["advantage"] = 0.0 if math.isnan(state["reward"]) else state["reward"] - mean
            for step in state["trajectory"]:
                if step["advantage"] is not None and math.isnan(step["advantage"]):
                    step["advantage"] = state["advantage"]


def _check(state: Any) -> None:
    """Raises what is no fault of one rollout; makes the others an error that verifiers knows."""
    error = state.get("error")
    if isinstance(error, (JudgeFailureError, RationaleError)):
        raise error
    if math.isnan(state["reward"]) and isinstance(error, Exception) and not isinstance(error, vf.Error):
        state["error"] = vf.InfraError(str(error))


def _add_figures(state: Any) -> None:
    """Adds to the metrics what is known of an answer. By hand, and not by ``Rubric.add_metric``: verifiers adds
    metrics to the reward with a weight of 0, which makes a known reward NaN where one of them is.
    """
    figures = state.get(STATE_KEY, {"judged": 1.0, "unanswered": 1.0})
    known = {name: figures[name] for name in FIGURES if name in figures and not math.isnan(figures[name])}
    state["metrics"] = {**state["metrics"], **known}
