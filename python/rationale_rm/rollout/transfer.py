"""The trainer's side of a transfer of weights to a vLLM server (`engine.vllm_worker` is the other)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any, Protocol

from rationale_rm.engine import EngineError
from rationale_rm.engine.gloo import GREETING, join

_CHUNK_BYTES = 256 * 2**20  # of weights that one request announces


class Control(Protocol):
    """Sends a request to one of the server's routes for weights; raises what it likes when that fails."""

    def __call__(self, route: str, body: dict[str, Any] | None = None) -> None:
        """POSTs `body` to `route`."""
        ...


class WeightSender:
    """Sends weights to the workers of a server, which are told by `control` what comes.

    Waits for the workers at `address`, an address of this machine that they can reach, on a free port. `greeting` is
    what the server says of itself. Each step waits `seconds` at the most. Raises `EngineError`; after a failure a new
    sender is needed.
    """

    def __init__(self, control: Control, address: str, seconds: float):
        from torch.distributed import TCPStore

        self._control = control
        self._group: Any = None
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="weights")
        limit = timedelta(seconds=seconds)
        with socket.create_server((address, 0)) as listening:
            port = listening.getsockname()[1]
            store = TCPStore(address, port, is_master=True, timeout=limit, wait_for_workers=False,
                             master_listen_fd=listening.detach())  # fmt: skip
        try:
            asked = self._pool.submit(
                control,
                "init_weight_transfer_engine",
                {"init_info": {"address": address, "port": port, "seconds": seconds}},
            )
            self.greeting = _greeting(store, asked, seconds)
            self._group = join(store, 0, 1 + self.greeting["workers"], address, limit)
            _result(asked, seconds)
        except BaseException:
            self.close()
            raise
        self._store = store  # lives as long as the group
        self._seconds = seconds

    def send(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Replaces the server's weights by `weights`, all of them, under the names of a checkpoint."""
        self._control("start_weight_update")
        for chunk in _chunks(weights):
            names, tensors = zip(*chunk, strict=True)
            info = {
                "names": names,
                "dtypes": [str(tensor.dtype).removeprefix("torch.") for tensor in tensors],
                "shapes": [list(tensor.shape) for tensor in tensors],
            }
            told = self._pool.submit(self._control, "update_weights", {"update_info": info})
            sent = self._pool.submit(self._broadcast, tensors)
            _, late = wait([told, sent], self._seconds)
            if late:
                raise EngineError(f"the server has not taken the weights in {self._seconds:g} s")
            told.result()  # its own words first
            sent.result()
        self._control("finish_weight_update")

    def close(self) -> None:
        """Lets go of the workers. Closing twice is fine."""
        self._pool.shutdown(cancel_futures=True)
        self._group = None

    def _broadcast(self, tensors: Sequence[Any]) -> None:
        import torch

        for tensor in tensors:
            raw = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
            try:
                self._group.broadcast(raw, 0).wait()
            except RuntimeError as error:
                raise EngineError(f"the weights did not reach the server: {error}") from error


def _greeting(store: Any, asked: Future[None], seconds: float) -> dict[str, Any]:
    """What the server says of itself, or the error of the request that told it to."""
    deadline = time.monotonic() + seconds
    while not store.check([GREETING]):
        if asked.done():
            asked.result()
        if time.monotonic() > deadline:
            raise EngineError(f"no worker of the server has come for its weights in {seconds:g} s")
        time.sleep(0.02)
    greeting: dict[str, Any] = json.loads(store.get(GREETING))
    return greeting


def _result(asked: Future[None], seconds: float) -> None:
    try:
        asked.result(seconds)
    except TimeoutError:
        raise EngineError(f"the server has not answered in {seconds:g} s") from None


def _chunks(weights: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """The weights in runs of some size, at least one weight each."""
    waiting = iter(weights)
    for first in waiting:
        chunk, size = [first], first[1].nbytes
        for name, tensor in waiting:
            chunk.append((name, tensor))
            size += tensor.nbytes
            if size >= _CHUNK_BYTES:
                break
        yield chunk
