"""Critiques in, rewards out: `RationaleReward`, and `RewardSettings` that describe one in plain values."""

from rationale_rm.rewards.reward import (
    AUDIT,
    GATED,
    MAX_FAILURE_RATE,
    NO_REASONS,
    NO_VERDICT,
    Advantage,
    JudgeFailureError,
    RationaleReward,
    RationaleTerm,
    RewardMode,
)
from rationale_rm.rewards.settings import ORACLE, VARIABLE, RewardSettings, open_judge

__all__ = [
    "AUDIT",
    "GATED",
    "MAX_FAILURE_RATE",
    "NO_REASONS",
    "NO_VERDICT",
    "ORACLE",
    "VARIABLE",
    "Advantage",
    "JudgeFailureError",
    "RationaleReward",
    "RationaleTerm",
    "RewardMode",
    "RewardSettings",
    "open_judge",
]
