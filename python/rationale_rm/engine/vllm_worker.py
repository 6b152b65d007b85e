"""Loaded into the workers of a vLLM server: takes weights over gloo, through vLLM's interface for their transfer.

vLLM's own transports (NCCL, CUDA IPC) need CUDA on both sides; this one runs wherever torch does. Start the server
with `SERVER_ARGUMENTS` and ``VLLM_SERVER_DEV_MODE=1``, which opens the routes for weights: keep it off public networks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch.distributed import ProcessGroupGloo, TCPStore
from vllm.distributed.weight_transfer import WeightTransferEngineFactory
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)

from rationale_rm.engine.gloo import BACKEND, GREETING, join, outgoing_address
from rationale_rm.engine.vllm_reload import forget_half_loaded, pack_experts, quiet_about_rotary


@dataclass
class GlooInit(WeightTransferInitInfo):  # type: ignore[misc]
    """Where the trainer waits."""

    address: str
    port: int
    seconds: float


@dataclass
class GlooUpdate(WeightTransferUpdateInfo):  # type: ignore[misc]
    """Names, dtypes (``float32``) and shapes of the weights that come next, in their order."""

    names: list[str]
    dtypes: list[str]
    shapes: list[list[int]]


class GlooWeights(WeightTransferEngine):  # type: ignore[misc]
    """Receives weights under the names of a checkpoint from rank 0, the trainer; the workers are the ranks from 1."""

    init_info_cls = GlooInit
    update_info_cls = GlooUpdate
    _group: ProcessGroupGloo | None = None

    def init_transfer_engine(self, init_info: GlooInit) -> None:
        """Says what server this is, and joins the trainer's group."""
        parallel = self.parallel_config
        workers = parallel.world_size * parallel.data_parallel_size
        rank = 1 + parallel.data_parallel_index * parallel.world_size + parallel.rank
        wait = timedelta(seconds=init_info.seconds)
        store = TCPStore(init_info.address, init_info.port, is_master=False, timeout=wait)
        if rank == 1:
            hello = {"workers": workers, "logprobs_mode": self.model_config.logprobs_mode}
            store.set(GREETING, json.dumps(hello))
        self._group = join(store, rank, 1 + workers, outgoing_address(init_info.address, init_info.port), wait)

    def start_weight_update(self) -> None:
        """Gets the model ready to take weights in."""
        from vllm.model_executor.model_loader.reload import initialize_layerwise_reload

        forget_half_loaded(self.model)
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """Takes some weights in."""
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: GlooUpdate) -> None:
        """Takes some weights in, one after the other."""
        coming = self._weights(update_info)
        try:
            self.model.load_weights(coming)
        finally:
            for _ in coming:  # after a failure: what is not taken would leave the trainer waiting
                pass

    def finish_weight_update(self) -> None:
        """Brings what came into the form of the kernels."""
        from vllm.model_executor.model_loader.reload import finalize_layerwise_reload

        with quiet_about_rotary():
            finalize_layerwise_reload(self.model, self.model_config)
        pack_experts(self.model)

    def shutdown(self) -> None:
        """Leaves the trainer's group."""
        self._group = None

    def _weights(self, update_info: GlooUpdate) -> Iterator[tuple[str, Any]]:
        if self._group is None:
            raise RuntimeError("no trainer has said where it waits")
        rows = zip(update_info.names, update_info.dtypes, update_info.shapes, strict=True)
        for name, dtype_name, shape in rows:
            dtype = getattr(torch, dtype_name)
            raw = torch.empty(math.prod(shape) * dtype.itemsize, dtype=torch.uint8)
            self._group.broadcast(raw, 0).wait()
            yield name, raw.view(dtype).view(shape).to(self.device)


class Extension:
    """Named to vLLM as ``--worker-extension-cls``, so that its workers load this module."""


WeightTransferEngineFactory.register_engine(BACKEND, GlooWeights)
