"""The figures of a step (docs/training.md says what each of them is)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rationale_rm.grpo import LossStats
from rationale_rm.types import RewardBatch

if TYPE_CHECKING:
    from rationale_rm.train.loop import Answer

_OF_TOKENS: Final = ("entropy", "kl", "ratio", "ratio_max", "clip_low", "clip_high")
_OF_SAMPLER: Final = ("sampler_ratio", "sampler_ratio_max", "sampler_gap", "sampler_gap_max", "sampler_capped")
_NO_SIGNAL: Final = 1e-12


def step_record(
    step: int,
    epoch: float,
    answers: Sequence[Answer],
    rewards: RewardBatch,
    stats: LossStats,
    norms: Sequence[float],
    lr: float,
    seconds: Mapping[str, float],
) -> tuple[dict[str, Any], str]:
    """The record of a step, and the few figures that are shown beside the progress."""
    lengths = np.array([len(one.completion.token_ids) for one in answers], dtype=np.int64)
    truncated = np.array([one.completion.truncated for one in answers], dtype=bool)
    sampled = np.concatenate([np.asarray(one.completion.logprobs, dtype=np.float64) for one in answers])
    prompt_tokens = sum({one.group: len(one.completion.prompt_ids) for one in answers}.values())
    found = stats.means()
    known = rewards.audit_weight * ~np.isnan(rewards.rc)
    record: dict[str, Any] = {
        "phase": "grpo",
        "step": step,
        "epoch": epoch,
        "reward": mean(rewards.reward),
        "reward_std": spread(rewards.reward),
        "outcome": mean(rewards.outcome),
        "rationale": weighted(rewards.rationale, known),
        "rc": rewards.mean_rc,
        "rc_sum": float(np.nansum(rewards.rc * known)),
        "rc_weight": float(known.sum()),
        "advantage_std": spread(rewards.advantage),
        "groups_without_signal": without_signal(rewards),
        "format_errors": float(np.mean(rewards.status != 0)),
        "loss": found["loss"] / len(norms),
        **{name: found[name] for name in (*_OF_TOKENS, *_OF_SAMPLER) if name in found},
        "grad_norm": mean(np.array(norms)),
        "lr": lr,
        "updates": len(norms),
        "answers": {
            "all": len(answers),
            "rewarded": int(np.sum(~np.isnan(rewards.reward))),
            "judged": int(rewards.judged.sum()),
            "gated": int(rewards.gated.sum()),
            "audited": int((rewards.gated & rewards.judged).sum()),
            "failed": int((rewards.judged & ~rewards.answered).sum()),
        },
        "tokens": {
            "prompt": prompt_tokens,
            "answer": int(lengths.sum()),
            "mean": mean(lengths.astype(np.float64)),
            "longest": int(lengths.max()),
            "truncated": float(truncated.mean()),
            "surprise": -mean(sampled),
        },
        "seconds": seconds,
    }
    shown = f"reward {_two(record['reward'])}, outcome {_two(record['outcome'])}, RC {_two(record['rc'])}"
    return record, shown


def mean(values: np.ndarray[Any, Any]) -> float:
    """Mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def spread(values: np.ndarray[Any, Any]) -> float:
    """Standard deviation of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.std()) if known.size else math.nan


def weighted(values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> float:
    """Weighted mean of what is known; NaN where nothing is."""
    known = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else math.nan


def without_signal(rewards: RewardBatch) -> float:
    """Share of the groups whose answers all have the same advantage, so that nothing is learnt from them."""
    silent = []
    for group in np.unique(rewards.group):
        values = rewards.advantage[rewards.group == group]
        silent.append(not np.any(np.abs(values[~np.isnan(values)]) > _NO_SIGNAL))
    return float(np.mean(silent)) if silent else math.nan


def _two(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"
