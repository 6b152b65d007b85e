"""Weights and optimiser states by name, whole, also where FSDP2 or ZeRO-3 spreads them over processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def is_sharded(module: Any) -> bool:
    """Whether the weights of `module` are spread over processes."""
    return _spread_by(module) is not None


def model_state(module: Any) -> dict[str, Any] | None:
    """The weights of the model within a sharded policy, by their names in it, in the first process; nothing in the
    others. None where the weights are not sharded. All processes call it.
    """
    by = _spread_by(module)
    found: dict[str, Any] | None = None if by is None else by.model_state(module)
    return found


def optimiser_state(module: Any, optimiser: Any) -> dict[str, dict[str, Any]]:
    """The states of `optimiser`, a plain one, by the names of the weights; in the first process. All call it."""
    by = _spread_by(module)
    if by is not None and optimiser.state:
        found: dict[str, dict[str, Any]] = by.optimiser_state(module, optimiser)
        return found
    return {name: optimiser.state[weight] for name, weight in trained(module) if weight in optimiser.state}


def set_optimiser_state(module: Any, optimiser: Any, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts back what `optimiser_state` gave. All processes call it, with the same states."""
    by = _spread_by(module)
    if by is not None:
        by.set_optimiser_state(module, optimiser, states)
        return
    for name, weight in trained(module):
        if name in states:  # a step counts on the CPU, whatever the device of its weight
            optimiser.state[weight] = {
                kind: value if value.dim() == 0 else value.to(weight.device) for kind, value in states[name].items()
            }


def trained(module: Any) -> Iterator[tuple[str, Any]]:
    """The weights that are trained, under the names they have in the policy itself."""
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            yield name.removeprefix("module."), weight


def names_in_model(policy: Any) -> dict[str, str]:
    """The names of a policy's weights and buffers → those in its model; of tied weights the first one."""
    names = (name for name, _ in (*policy.named_parameters(), *policy.named_buffers()))
    return {name: name.removeprefix("model.") for name in names}


def _spread_by(module: Any) -> Any:
    """The module of this package that knows how the weights of `module` are spread; None where they are not."""
    for weight in module.parameters():
        if hasattr(weight, "full_tensor"):
            from rationale_rm.train import fsdp

            return fsdp
        if hasattr(weight, "ds_id"):
            from rationale_rm.train import zero

            return zero
    return None
