"""A module whose weights FSDP2 or ZeRO-3 spreads over processes, made whole while each process samples at its own
pace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rationale_rm.engine import EngineError


@contextlib.contextmanager
def gathered(module: Any, run_once: Callable[[], Any] | None = None) -> Iterator[None]:
    """Gathers all weights that are spread within `module`, and spreads them again at the end.

    Without it each step of a sampler would gather them anew, in all processes at once, and processes whose answers
    are shorter would leave the others waiting for ever. Every process must enter and leave it together, and needs
    room for the whole model. Does nothing where nothing is spread, or all is gathered already. `run_once` makes one
    forward pass of `module`, where that takes other arguments than a model of transformers.
    """
    spread = [weight for weight in module.parameters() if hasattr(weight, "ds_id")]
    with _gathered_zero(spread) if spread else _gathered_fsdp(module, run_once):
        yield


@contextlib.contextmanager
def whole(weights: Sequence[Any]) -> Iterator[bool]:
    """Gathers those of some `weights` that ZeRO-3 has spread, and says whether there are any; what is whole within is
    empty afterwards.
    """
    spread = [weight for weight in weights if hasattr(weight, "ds_id")]
    if spread:
        import deepspeed

        with deepspeed.zero.GatheredParameters(spread):
            yield True
    else:
        yield False


@contextlib.contextmanager
def _gathered_zero(weights: Sequence[Any]) -> Iterator[None]:
    """What DeepSpeed has spread. Its hooks, which spread weights again after each use and have the processes compare
    notes at each forward pass, are taken off meanwhile.
    """
    offload = next(weight._z3_optimizer for weight in weights if hasattr(weight, "_z3_optimizer")).parameter_offload
    if not offload.forward_hooks:  # gathered already
        yield
        return
    with whole(weights):
        offload._remove_module_hooks()
        offload.forward_hooks, offload.backward_hooks = [], []
        try:
            yield
        finally:
            offload.setup_zero_stage3_hooks()


@contextlib.contextmanager
def _gathered_fsdp(module: Any, run_once: Callable[[], Any] | None) -> Iterator[None]:
    """What ``fully_shard`` has spread. Afterwards weights are spread after each forward pass except those of the root,
    as torch does it by default. Nothing is done where `module` is a part of a spread one, for whose owner it is to
    gather. Raises `EngineError` where torch is too old.
    """
    import torch
    from torch.distributed.fsdp import FSDPModule

    parts = [part for part in module.modules() if isinstance(part, FSDPModule)]
    if not parts or parts[0]._get_fsdp_state()._is_root is False:
        yield
        return
    if not hasattr(parts[0], "reset_iter_state"):
        raise EngineError(
            "sampling from a model that FSDP2 spreads needs a newer torch, such as 2.13: sample with vLLM"
        )
    # FSDP2 wants its root to run first, in every process; a sampler runs the model within it, or nothing.
    with torch.no_grad():
        if run_once is None:
            module(input_ids=torch.zeros(1, 1, dtype=torch.int64, device=next(module.parameters()).device))
        else:
            run_once()
    try:
        for part in parts:
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()
        yield
    finally:
        # FSDP2 has counted the forward passes, of which each process has made another number, for the order in which
        # it gathers weights in the next backward pass.
        parts[0].reset_iter_state()
        for part in parts:
            part.reshard()
            part.set_reshard_after_forward(part is not parts[0], recurse=False)
