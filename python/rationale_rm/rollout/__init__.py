"""Rollouts: groups of answers to prompts, drawn from the policy's present weights."""

from rationale_rm.rollout.hf import HfRollouts
from rationale_rm.rollout.server import VllmServerRollouts
from rationale_rm.rollout.types import Completion, OnGroup, Rollouts, row_seed
from rationale_rm.rollout.vllm import VllmRollouts
from rationale_rm.rollout.weights import checkpoint_weights, unwrapped

__all__ = [
    "Completion",
    "HfRollouts",
    "OnGroup",
    "Rollouts",
    "VllmRollouts",
    "VllmServerRollouts",
    "checkpoint_weights",
    "row_seed",
    "unwrapped",
]
