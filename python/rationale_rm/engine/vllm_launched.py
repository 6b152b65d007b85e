"""vLLM in the processes of a launcher (``accelerate launch``): a worker of its own in each, on its own device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Launched:
    """The processes of torch.distributed, in groups of `tensor_parallel` neighbours that share the model of an engine.

    vLLM takes the groups of torch.distributed that are there. The workers of a group compute the same answers, so they
    are asked the same in the same order. `options` are what ``vllm.LLM`` needs for it.
    """

    def __init__(self, tensor_parallel: int):
        import torch.distributed as dist

        self.n: int = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        self.options: dict[str, Any] = {}
        self.shares = tensor_parallel if self.n > 1 else 1
        if self.n > 1:
            rank = dist.get_rank()
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(self.n)}
            os.environ.setdefault("LOCAL_RANK", str(rank))  # which device is this process's
            self.options["distributed_executor_backend"] = "external_launcher"

    def together(self, rows: Sequence[T]) -> tuple[list[T], int]:
        """The rows of all processes that share a model, and where this one's begin."""
        if self.shares == 1:
            return list(rows), 0
        import torch.distributed as dist
        from vllm.distributed.parallel_state import get_tp_group

        group = get_tp_group()
        found: list[list[T]] = [[] for _ in range(self.shares)]
        dist.all_gather_object(found, list(rows), group=group.cpu_group)
        before = found[: group.rank_in_group]
        return [row for part in found for row in part], sum(map(len, before))

    def leave(self) -> None:
        """Gives vLLM's groups and memory back; those of torch.distributed are the launcher's where there are several
        processes.
        """
        import torch
        from vllm.distributed import cleanup_dist_env_and_memory, destroy_model_parallel

        if self.n == 1:
            cleanup_dist_env_and_memory()
            return
        destroy_model_parallel()
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
