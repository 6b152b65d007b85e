"""Sampling from a model that FSDP2 or ZeRO-3 spreads over two processes; its weights made whole for another engine."""

from pathlib import Path

import pytest
from processes import run_together
from training import free_port

SCRIPT = Path(__file__).with_name("sharded_rollouts.py")


@pytest.mark.parametrize("by", ["fsdp2", "zero3"])
def test_two_processes_sample_from_one_sharded_model(tiny_model_path, by):
    port = free_port()
    run_together(SCRIPT, [(tiny_model_path, rank, port, by) for rank in range(2)], says="equal")
