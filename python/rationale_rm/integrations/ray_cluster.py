"""A connection to a Ray cluster: the one of this process, the one that ``RAY_ADDRESS`` names, or a local one."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from rationale_rm._core import RationaleError
from rationale_rm.extras import needs

REACH_S: Final = 10.0
"""How long to wait for the cluster of ``RAY_ADDRESS``: Ray itself tries for twelve minutes."""
STORE_BYTES: Final = 512 << 20
"""Object store of a local cluster: it holds figures of files that are under way."""
LOCAL: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Environment of a local cluster, where it says nothing else; Ray reads it as it is imported. The second, made for
other systems, gives the node the loopback address, so that nothing listens beyond it; the third keeps the terminal
ours."""


class EngineError(RationaleError):
    """Ray could not score the files."""


@contextlib.contextmanager
def cluster(workers: int | None) -> Iterator[int]:
    """A connection to a cluster, and the number of workers to use. Raises `EngineError` where there is none."""
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        for name, value in LOCAL.items():
            os.environ.setdefault(name, value)
    with needs("ray", "ray", "pyarrow", "pandas"):
        import ray
        import ray.data
    own = not ray.is_initialized()
    if own:
        options: dict[str, Any] = {"address": address}
        if not address:
            options = {
                "address": "local",
                "num_cpus": workers or os.cpu_count(),
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
            }
        try:
            if address:
                _reach(address)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=FutureWarning)  # a tip about accelerators
                ray.init(**options, logging_level="ERROR", log_to_driver=False)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            what = f"cannot join the Ray cluster at {address} ($RAY_ADDRESS)" if address else "cannot start Ray"
            raise EngineError(f"{what}: {cause_of(error)}") from error
    try:
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if own:
            ray.shutdown()


def _reach(address: str) -> None:
    """Raises `OSError` where nothing listens at ``host:port`` or ``ray://host:port``; other forms are left to Ray."""
    import ray

    place = urlsplit(f"//{address.removeprefix('ray://')}")
    if place.hostname is None or place.port is None:
        return
    # As Ray does: a node may listen at its own address alone.
    host = ray.util.get_node_ip_address() if place.hostname in ("localhost", "127.0.0.1", "::1") else place.hostname
    socket.create_connection((host, place.port), timeout=REACH_S).close()


def cause_of(error: BaseException) -> str:
    """What went wrong, without the frames of Ray above it."""
    while (inner := getattr(error, "cause", None) or error.__cause__) is not None:
        error = inner
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip() if lines else 'no message'}"
