"""Weights and optimiser states by name, whole, where FSDP2 spreads them over processes: see `weights`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from rationale_rm.train.weights import names_in_model


def model_state(module: Any) -> dict[str, Any]:
    """See `weights.model_state`."""
    found = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    names = names_in_model(module)
    return {names[name]: weight for name, weight in found.items() if name in names}


def optimiser_state(module: Any, optimiser: Any) -> dict[str, dict[str, Any]]:
    """See `weights.optimiser_state`."""
    found: dict[str, dict[str, Any]] = _whole(module, optimiser).get("state", {})
    return found


def set_optimiser_state(module: Any, optimiser: Any, states: Mapping[str, Mapping[str, Any]]) -> None:
    """See `weights.set_optimiser_state`."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, broadcast_from_rank0=True)
    groups = _whole(module, optimiser)
    first = torch.distributed.get_rank() == 0
    set_optimizer_state_dict(module, optimiser, {**groups, "state": dict(states)} if first else {}, options=options)


def _whole(module: Any, optimiser: Any) -> dict[str, Any]:
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    found: dict[str, Any] = get_optimizer_state_dict(module, optimiser, options=options)
    return found
