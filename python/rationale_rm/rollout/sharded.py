"""A module whose weights FSDP2 spreads over processes, made whole while each process samples at its own pace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rationale_rm.engine import EngineError


@contextlib.contextmanager
def gathered(module: Any, run_once: Callable[[], Any] | None = None) -> Iterator[None]:
    """Gathers all weights that ``fully_shard`` has spread within `module`, and spreads them again at the end.

    Without it each step of a sampler would gather them anew, in all processes at once, and processes whose answers
    are shorter would leave the others waiting for ever. Every process must enter and leave it together, and needs
    room for the whole model. Afterwards weights are spread after each forward pass except those of the root, as
    torch does it by default. Does nothing where nothing is spread, or where `module` is a part of a spread one, for
    whose owner it is to gather. `run_once` makes one forward pass of `module`, where that takes other arguments than a
    model of transformers. Raises `EngineError` where torch is too old.
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
