"""Rollouts: groups of answers to prompts, drawn from the policy's present weights."""

from rationale_rm.rollout.hf import HfRollouts
from rationale_rm.rollout.types import Completion, OnGroup, Rollouts, row_seed

__all__ = ["Completion", "HfRollouts", "OnGroup", "Rollouts", "row_seed"]
