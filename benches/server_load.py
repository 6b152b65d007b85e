"""A running reward server, and load for it: requests that are ready made, over connections that stay open.

``python -m benches.server_load PORT SECONDS CONNECTIONS`` is the process that makes the load, so that it does not share
an interpreter with what measures it. It reads one request body from standard input and prints what came of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

HEADERS = {"Content-Type": "application/json"}
STARTS_WITHIN = 30.0


@dataclass(frozen=True)
class Served:
    """A server process, by its port and its process id."""

    port: int
    pid: int


@contextlib.contextmanager
def server(*options: str) -> Iterator[Served]:
    """``rationale-rm serve`` on a free port of this machine, ended with SIGTERM."""
    command = [sys.executable, "-m", "rationale_rm", "serve", "--port", "0", *options]
    # The log is read to the end, for a full pipe would stop the server.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    port = json.loads(process.stderr.readline())["port"]
    reader = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    reader.start()
    try:
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(STARTS_WITHIN)
        reader.join()


def post(port: int, path: str, body: bytes) -> dict[str, list[float | None]]:
    """One answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", path, body, HEADERS)
    response = connection.getresponse()
    found = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"the server answered {response.status}: {found[:300]!r}")
    answer: dict[str, list[float | None]] = json.loads(found)
    return answer


def load(port: int, path: str, body: bytes, *, seconds: float, connections: int) -> list[float]:
    """Seconds of each request that `connections` made, one after another on each, from a process of its own."""
    command = [sys.executable, "-m", "benches.server_load", str(port), path, str(seconds), str(connections)]
    done = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def resident(pid: int) -> float:
    """MiB of a process."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _ask(port: int, path: str, body: bytes, until: float, taken: list[float]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    while time.perf_counter() < until:
        began = time.perf_counter()
        connection.request("POST", path, body, HEADERS)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"the server answered {response.status}")
        taken.append(time.perf_counter() - began)


def _main() -> None:
    port, path, seconds, connections = sys.argv[1:]
    body = sys.stdin.buffer.read()
    taken: list[list[float]] = [[] for _ in range(int(connections))]
    until = time.perf_counter() + float(seconds)
    threads = [threading.Thread(target=_ask, args=(int(port), path, body, until, own), daemon=True) for own in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps([one for own in taken for one in own]))


if __name__ == "__main__":
    _main()
