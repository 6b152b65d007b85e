"""The GRPO objective as pure functions of tensors: log-probabilities, ratios, losses and what they are divided by.

See docs/grpo.md for the equations side by side and for how a loop uses them.
"""

from rationale_rm.extras import needs

with needs("train", "torch"):
    import torch  # noqa: F401

from rationale_rm.grpo.denominators import Denominators, counted
from rationale_rm.grpo.logprobs import token_logprobs
from rationale_rm.grpo.loss import LossType, RatioLevel, grpo_loss, kl_k3, ratios, sampler_weights
from rationale_rm.grpo.stats import LossStats

__all__ = [
    "Denominators",
    "LossStats",
    "LossType",
    "RatioLevel",
    "counted",
    "grpo_loss",
    "kl_k3",
    "ratios",
    "sampler_weights",
    "token_logprobs",
]
