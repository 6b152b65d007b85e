"""Processes that tests start: copies of a script that meet each other, and a vLLM server that takes weights."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from rationale_rm.engine.gloo import SERVER_ARGUMENTS

from benches.vllm_server import VllmServer


def run_together(script, arguments, *, says):
    """Runs a copy of `script` with each of `arguments`; the last word of each must be `says`."""
    started = [
        subprocess.Popen(
            [sys.executable, script, *map(str, own)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for own in arguments
    ]
    try:
        for out, err in [process.communicate(timeout=240) for process in started]:
            assert out.split()[-1:] == [says], err[-3000:]
    finally:
        for process in started:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def weight_server(model, log, *, max_model_len):
    """A vLLM server of `model` that takes weights through vLLM's interface for their transfer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_SERVER_DEV_MODE", "1")
        with VllmServer(
            model, log=log, python=Path(sys.executable), max_model_len=max_model_len, options=SERVER_ARGUMENTS
        ) as running:
            yield running
