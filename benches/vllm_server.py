"""A real vLLM OpenAI server on the CPU, for benches and tests: started, watched, measured, stopped.

Imports nothing heavy: the server runs under the Python of the heavy environment (`make setup-models`),
whatever Python its client runs under.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PYTHON = Path(__file__).parents[1] / ".venv-models" / "bin" / "python"
START_SECONDS = 300.0
LOG_LINES = 40


class ServerFailed(RuntimeError):
    """The server ended or did not come up in time; the message ends with its log."""


class VllmServer:
    """``with VllmServer(model, log=path) as server: ... server.base_url``; 127.0.0.1 on a free port.

    `options` are further arguments of vLLM's server. `model_name` is what requests name.
    """

    def __init__(
        self,
        model: Path,
        *,
        log: Path,
        python: Path = PYTHON,
        model_name: str = "tiny",
        max_model_len: int = 4096,
        options: Sequence[str] = (),
    ):
        self.model = model
        self.model_name = model_name
        self._log = log
        self._python = python
        # Without --no-enable-chunked-prefill a seeded request whose prompt is split over steps ends the engine of vLLM
        # 0.32 on a CPU ("CPU Generator does not use offset").
        self._options = (
            "--model", str(model), "--served-model-name", model_name, "--dtype", "float32", "--enforce-eager",
            "--max-model-len", str(max_model_len), "--enable-prompt-tokens-details", "--no-enable-chunked-prefill",
            *options,
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def base_url(self) -> str:
        """Where the OpenAI interface answers, such as ``http://127.0.0.1:PORT/v1``."""
        return self._url + "/v1"

    @property
    def metrics_url(self) -> str:
        """The Prometheus page of the server."""
        return self._url + "/metrics"

    def __enter__(self) -> VllmServer:
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        command = [str(self._python), "-m", "vllm.entrypoints.openai.api_server", *self._options]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
        with self._log.open("wb") as log:
            # A session of its own: vLLM starts an engine process, and both must go when the server goes.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True,
            )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server and its engine process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what the server may have left behind
        process.wait(30)

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:])

    def metrics(self) -> dict[str, float]:
        """The server's counters and gauges, each summed over its labels."""
        with urllib.request.urlopen(self.metrics_url, timeout=30) as page:
            return totals(page.read().decode())

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerFailed(f"the vLLM server ended with {self._process.returncode}:\n{self.log_tail()}")
            try:
                with urllib.request.urlopen(self._url + "/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise ServerFailed(f"the vLLM server was not up after {START_SECONDS:g} s:\n{self.log_tail()}")


def totals(page: str) -> dict[str, float]:
    """Samples of a Prometheus text page by name, summed over labels."""
    sums: dict[str, float] = {}
    for name, value in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{.*\})? ([^ \n]+)", page, re.MULTILINE):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
