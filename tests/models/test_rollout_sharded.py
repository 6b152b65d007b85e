"""Sampling from a model that FSDP2 or ZeRO-3 spreads over two processes; its weights made whole for another engine."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sharded_rollouts.py")


@pytest.mark.parametrize("by", ["fsdp2", "zero3"])
def test_two_processes_sample_from_one_sharded_model(tiny_model_path, by):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, tiny_model_path, str(rank), port, by],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        for out, err in [process.communicate(timeout=240) for process in started]:
            assert out.split()[-1:] == ["equal"], err[-3000:]
    finally:
        for process in started:
            process.kill()
            process.communicate()
