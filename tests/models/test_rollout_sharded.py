"""Sampling from a model that FSDP2 spreads over two processes, and its weights made whole for another engine."""

import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("sharded_rollouts.py")


def test_two_processes_sample_from_one_sharded_model(tiny_model_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, tiny_model_path, str(rank), port],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        for out, err in [process.communicate(timeout=120) for process in started]:
            assert out.split()[-1:] == ["equal"], err[-3000:]
    finally:
        for process in started:
            process.kill()
            process.communicate()
