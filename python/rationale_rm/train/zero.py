"""Training under DeepSpeed ZeRO-3: its engine behind Accelerate's interface, and weights and states by name, whole.

What the loop expects of an accelerator holds for this one too: gradients add up over calls of ``backward``,
``clip_grad_norm_`` gives their length while the weights are as they were, and the update is made by the optimiser's
``step``. Accelerate's own would update within ``backward``, before anybody has looked at loss and gradient.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import accelerate
import torch

from rationale_rm.extras import needs
from rationale_rm.rollout import unwrapped
from rationale_rm.rollout.sharded import whole
from rationale_rm.train.run import TrainingError
from rationale_rm.train.weights import names_in_model, trained

with needs("deepspeed", "deepspeed"):
    import deepspeed


class ZeroAccelerator(accelerate.Accelerator):  # type: ignore[misc]
    """Accelerate with DeepSpeed ZeRO-3, which computes in float32; the policy itself sees to ``model.dtype``."""

    def __init__(self, **options: Any):
        logging.getLogger("DeepSpeed").setLevel(logging.ERROR)  # it warns on standard output
        warnings.filterwarnings("ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning)
        if not torch.accelerator.is_available():
            options["kwargs_handlers"] = [accelerate.InitProcessGroupKwargs(backend="gloo")]  # else it sees one process
            deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else DeepSpeed compiles it first
        super().__init__(**options)
        from transformers.integrations import unset_hf_deepspeed_config

        # Models are loaded whole, and spread when they have been looked at.
        unset_hf_deepspeed_config()
        self._config = self.deepspeed_plugin.deepspeed_config
        check_settings(self._config)
        # Nothing depends on them, but DeepSpeed wants numbers that fit each other.
        self._config |= {"train_micro_batch_size_per_gpu": 1, "train_batch_size": "auto"}

    def prepare(self, policy: Any, optimiser: Any) -> tuple[Any, Any]:
        """Spreads the weights one by one: no device ever holds the whole model for it."""
        deepspeed.zero.Init(module=policy)
        for buffer in policy.buffers():
            buffer.data = buffer.data.to(self.device)
        head = unwrapped(policy.model).get_output_embeddings()
        for weight in head.parameters(recurse=False):  # `Policy.forward` reads them outside of their module's own
            deepspeed.zero.register_external_parameter(policy, weight)
        self._engine, _ = super().prepare(policy, optimiser)
        return self._engine, ZeroOptimiser(self._engine)

    def backward(self, loss: Any, **_: Any) -> None:
        """Adds the gradient of `loss`, averaged over processes."""
        self._engine.set_gradient_accumulation_boundary(False)
        self._engine.backward(loss, scale_wrt_gas=False)

    def clip_grad_norm_(self, parameters: Any, max_norm: float, norm_type: float = 2.0) -> torch.Tensor:
        """The length of the gradient; it is cut to `max_norm` as the update is made."""
        assert norm_type == 2.0
        self._engine.optimizer.clip_grad = 0.0 if math.isinf(max_norm) else max_norm
        shares = [deepspeed.utils.safe_get_local_grad(weight).float() for weight in parameters]
        total = torch.stack([share.norm() for share in shares]).square().sum()
        torch.distributed.all_reduce(total)
        return total.sqrt()


class ZeroOptimiser:
    """The optimiser of a DeepSpeed engine as Accelerate shows others."""

    def __init__(self, engine: Any):
        self._engine = engine
        self.optimizer = engine.optimizer.optimizer
        """The plain one, which has this process's shares of the weights."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups that hold the learning rate."""
        groups: list[dict[str, Any]] = self.optimizer.param_groups
        return groups

    def step(self) -> None:
        """Makes the update, with the gradient that has been added up since the last one."""
        self._engine.set_gradient_accumulation_boundary(True)
        self._engine.step()

    def zero_grad(self) -> None:
        """The first ``backward`` after an update begins anew."""


def model_state(engine: Any) -> dict[str, Any]:
    """See `weights.model_state`."""
    policy = engine.module
    names = names_in_model(policy)
    first = torch.distributed.get_rank() == 0
    found = {}
    for name, weight in policy.state_dict(keep_vars=True).items():
        if name not in names:
            continue
        with whole([weight]):
            if first:
                found[names[name]] = weight.detach().cpu().clone()
    return found


def optimiser_state(engine: Any, optimiser: Any) -> dict[str, dict[str, Any]]:
    """See `weights.optimiser_state`."""
    first = torch.distributed.get_rank() == 0
    of_any = next(iter(optimiser.state.values()))  # all weights are updated together
    states: dict[str, dict[str, Any]] = {}
    for name, weight in trained(engine):
        for kind, value in of_any.items():
            full = value if value.dim() == 0 else deepspeed.utils.safe_get_full_optimizer_state(weight, kind)
            if first:
                states.setdefault(name, {})[kind] = full.cpu().clone()
    return states


def set_optimiser_state(engine: Any, optimiser: Any, states: Mapping[str, Mapping[str, Any]]) -> None:
    """See `weights.set_optimiser_state`."""
    of_any = next(iter(states.values()))
    for share in engine.optimizer.fp32_partitioned_groups_flat:
        optimiser.state[share] = {
            kind: value.clone() if value.dim() == 0 else torch.zeros_like(share) for kind, value in of_any.items()
        }
    rank = torch.distributed.get_rank()
    for name, weight in trained(engine):
        for kind, value in states[name].items():
            if value.dim() > 0:
                size = weight.ds_tensor.numel()
                own = value.flatten()[rank * size : (rank + 1) * size]
                own = torch.nn.functional.pad(own, (0, size - own.numel()))  # the last share may be the shorter one
                deepspeed.utils.safe_set_local_optimizer_state(weight, own, kind)


def check_settings(config: Mapping[str, Any]) -> None:
    """Raises `TrainingError` for settings of DeepSpeed that a run cannot be made with."""
    zero = config["zero_optimization"]
    if zero["stage"] != 3:
        raise TrainingError(f"zero_stage is {zero['stage']}: of DeepSpeed only ZeRO stage 3 is supported")
    for kind in ("bf16", "fp16"):
        if config.get(kind, {}).get("enabled"):
            raise TrainingError(
                f'DeepSpeed is to compute in {kind}: set mixed_precision to "no" in the launch configuration; '
                "model.dtype of the recipe says what is computed in"
            )
    for name in ("offload_optimizer", "offload_param"):
        if (zero.get(name) or {}).get("device", "none") != "none":
            raise TrainingError(f"{name}_device must be none: nothing is offloaded by this trainer")
