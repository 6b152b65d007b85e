"""A gloo group of a trainer and the workers of a vLLM server, and what the server is started with for it."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any

BACKEND = "rationale_rm_gloo"
GREETING = "greeting"

SERVER_ARGUMENTS = (
    "--weight-transfer-config", json.dumps({"backend": BACKEND}),
    "--worker-extension-cls", "rationale_rm.engine.vllm_worker.Extension",
    "--logprobs-mode", "processed_logprobs",
)  # fmt: skip
"""Arguments of vLLM's server that `rollout.VllmServerRollouts` can give weights to; the environment variable
``VLLM_SERVER_DEV_MODE=1`` opens its routes for them."""


def join(store: Any, rank: int, size: int, address: str, wait: timedelta) -> Any:
    """Joins the group that meets at `store`; others reach this process at `address`. Blocks until all are there."""
    from torch.distributed import ProcessGroupGloo

    options = ProcessGroupGloo._Options()
    options._devices = [ProcessGroupGloo.create_device(hostname=address)]
    options._timeout = wait
    return ProcessGroupGloo(store, rank, size, options)


def outgoing_address(host: str, port: int) -> str:
    """This machine's own address on the way to `host`."""
    with socket.create_connection((host, port)) as probe:
        address: str = probe.getsockname()[0]
        return address
