"""verl: the advantage estimator ``grpo_answered``, GRPO that leaves out the answers without a reward.

verl's own ``grpo`` makes NaN of a whole group where one score is NaN. verl imports this module, which registers the
estimator, where the environment variable ``VERL_USE_EXTERNAL_MODULES`` names it (docs/trainers/verl.md).
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import torch
from verl.trainer.ppo.core_algos import register_adv_est

from rationale_rm import _core as core
from rationale_rm.rewards import MAX_FAILURE_RATE
from rationale_rm.rewards.ceiling import FEW

EPS: Final = 1e-6
"""Beside the standard deviation, as in verl's ``grpo``."""


class UnansweredError(RuntimeError):
    """Too many answers of a step have no reward; training on the rest would teach the outage."""


@register_adv_est("grpo_answered")  # type: ignore[untyped-decorator]
def grpo_answered(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Group advantages (Eq. 5) of the answers that have a reward; the others get 0.

    Args:
        token_level_rewards: (n, length) float; the sum of a row is its reward, NaN where the judge failed.
        response_mask: (n, length); 1 for the tokens of the answer.
        index: n ids; the answers to one prompt share one.
        config: verl's ``algorithm``: `norm_adv_by_std_in_grpo`, and `max_failure_rate` where it is added (.05).

    Returns:
        Advantages and returns, the same (n, length) tensor. A group with fewer than two rewards, or whose rewards are
        equal, gets 0 (verl's ``grpo`` gives a single answer its reward as advantage).

    Raises `UnansweredError` where more than `max_failure_rate` of the answers have no reward; fewer than `FEW` count as
    so many.
    """
    settings = {} if config is None else config
    rewards = token_level_rewards.sum(dim=-1)
    scores = rewards.double().cpu().numpy()
    unanswered = int(np.isnan(scores).sum())
    ceiling = settings.get("max_failure_rate", MAX_FAILURE_RATE)
    if unanswered > ceiling * max(len(scores), FEW):
        raise UnansweredError(
            f"{unanswered} of the {len(scores)} answers of this step have no reward, more than max_failure_rate "
            f"{ceiling:g}: look for the errors in the logs of the reward workers"
        )
    method: Literal["group_std", "center"] = "group_std" if settings.get("norm_adv_by_std_in_grpo", True) else "center"
    _, groups = np.unique(np.asarray(index).astype(str), return_inverse=True)
    advantages = core.group_advantages(scores, groups, method=method, eps=EPS)
    column = torch.from_numpy(np.nan_to_num(advantages, nan=0.0)).to(rewards).unsqueeze(-1)
    spread = column * response_mask
    return spread, spread
