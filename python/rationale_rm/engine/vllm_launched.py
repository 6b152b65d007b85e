"""vLLM in the processes of a launcher (``accelerate launch``): a worker of its own in each, on its own device."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from rationale_rm.engine.types import EngineError

T = TypeVar("T")


class Launched:
    """The processes of torch.distributed, in groups of `tensor_parallel` neighbours that share the model of an engine.

    vLLM takes the groups of torch.distributed that are there. The workers of a group compute the same answers, so they
    are asked the same in the same order. `options` are what ``vllm.LLM`` needs for it; none where nothing was launched.
    """

    def __init__(self, tensor_parallel: int):
        import torch.distributed as dist

        self.are_there: bool = dist.is_available() and dist.is_initialized()
        self.options: dict[str, Any] = {}
        self._shares = tensor_parallel if self.are_there else 1
        if self.are_there:
            n, rank = dist.get_world_size(), dist.get_rank()
            if n % tensor_parallel:
                raise EngineError(f"tensor_parallel_size {tensor_parallel} does not divide {n} processes")
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(n)}
            os.environ.setdefault("LOCAL_RANK", str(rank))  # which device is this process's
            self.options["distributed_executor_backend"] = "external_launcher"

    def together(self, rows: Sequence[T]) -> tuple[list[T], int]:
        """The rows of all processes that share a model, and where this one's begin."""
        if self._shares == 1:
            return list(rows), 0
        import torch.distributed as dist
        from vllm.distributed.parallel_state import get_tp_group

        group = get_tp_group()
        found: list[list[T]] = [[] for _ in range(self._shares)]
        dist.all_gather_object(found, list(rows), group=group.cpu_group)
        before = found[: group.rank_in_group]
        return [row for part in found for row in part], sum(map(len, before))

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """An engine that ends within gives vLLM's groups and memory back, and leaves the launcher's groups, which vLLM
        0.32 would take away with its own.
        """
        from vllm.distributed import cleanup_dist_env_and_memory
        from vllm.v1.engine import core

        leave = _leave if self.are_there else cleanup_dist_env_and_memory
        core.cleanup_dist_env_and_memory = leave
        try:
            yield
        finally:
            core.cleanup_dist_env_and_memory = cleanup_dist_env_and_memory
            leave()


def _leave() -> None:
    import torch
    from vllm.distributed import destroy_model_parallel

    destroy_model_parallel()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
