"""Weights and optimiser states by name, whole, also where FSDP2 spreads them over processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch


def is_sharded(module: Any) -> bool:
    """Whether the weights of `module` are spread over processes."""
    return any(hasattr(weight, "full_tensor") for weight in module.parameters())


def model_state(module: Any) -> dict[str, Any] | None:
    """The weights of the model within a sharded policy, by their names in it, in the first process; nothing in the
    others. None where the weights are not sharded. All processes call it.
    """
    if not is_sharded(module):
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    found = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    once = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}  # of tied weights the first name
    return {name.removeprefix("model."): weight for name, weight in found.items() if name in once}


def optimiser_state(module: Any, optimiser: Any) -> dict[str, dict[str, Any]]:
    """The states of `optimiser`, a plain one, by the names of the weights; in the first process. All call it."""
    if is_sharded(module) and optimiser.state:
        found: dict[str, dict[str, Any]] = _whole(module, optimiser).get("state", {})
        return found
    return {name: optimiser.state[weight] for name, weight in _trained(module) if weight in optimiser.state}


def set_optimiser_state(module: Any, optimiser: Any, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts back what `optimiser_state` gave. All processes call it, with the same states."""
    if not is_sharded(module):
        for name, weight in _trained(module):
            if name in states:  # a step counts on the CPU, whatever the device of its weight
                optimiser.state[weight] = {
                    kind: value if value.dim() == 0 else value.to(weight.device) for kind, value in states[name].items()
                }
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, broadcast_from_rank0=True)
    groups = _whole(module, optimiser)
    first = torch.distributed.get_rank() == 0
    set_optimizer_state_dict(module, optimiser, {**groups, "state": dict(states)} if first else {}, options=options)


def _whole(module: Any, optimiser: Any) -> dict[str, Any]:
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    found: dict[str, Any] = get_optimizer_state_dict(module, optimiser, options=options)
    return found


def _trained(module: Any) -> Iterator[tuple[str, Any]]:
    """The weights that are trained, under the names they have in the policy itself."""
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            yield name.removeprefix("module."), weight
