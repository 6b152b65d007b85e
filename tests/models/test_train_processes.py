"""Several processes over gloo: the same step as in one, and checkpoints that all of them go on from."""

import os
import signal
import time

import pytest
import torch
from rationale_rm.train.loop import train
from rationale_rm.train.tracking import read_metrics
from safetensors.torch import load_file
from servers import ScriptedServer
from training import one_thread, recipe_from, without_times

SECTIONS = {
    "train": {"steps": 2},
    "rollout": {"prompts": 5},
    "reward": {"mode": "gdpo_batch", "format_penalty": 0.5},  # advantages of the whole batch, not of each process
    "optimiser": {"mini_batch": 5, "epochs": 2, "micro_batch_tokens": 400, "lr": 1e-4},
    "evaluation": {"every": 2, "start": True, "pairs": 3},
    "loss": {"beta": 0.01},
    "output": {"save_every": 1, "samples_every": 1},
}


def tensors(folder, name):
    return load_file(folder / "checkpoints" / "last" / name)


@pytest.fixture(scope="module")
def alone(started, tmp_path_factory):
    """The folder of the run in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    with one_thread():
        train(recipe_from(started, folder, **SECTIONS))
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((2, None), (2, None), id="ddp"),
        pytest.param((2, "fsdp2"), (2, "fsdp2"), id="fsdp2"),
        pytest.param((2, "zero3"), (2, "zero3"), id="zero3"),
        pytest.param((3, "zero3"), (1, None), id="zero3-then-one"),  # three: shares of unequal length
        pytest.param((1, None), (3, "zero3"), id="one-then-zero3"),
    ],
)
def test_several_processes_make_the_same_steps_and_go_on(started, alone, trainings, tmp_path, first, second):
    folder = tmp_path / "run"
    for steps, (n, sharded) in enumerate((first, second), 1):
        settings = recipe_from(started, folder, **{**SECTIONS, "train": {"steps": steps}})
        trainings.start_several(settings, n, resume=steps > 1, sharded=sharded)
        assert trainings.wait() == 0, trainings.log()
    expected, found = ([one for one in read_metrics(run, "grpo")] for run in (alone, folder))
    assert [record["step"] for record in found] == [1, 2]
    for one, two in zip(without_times(expected), without_times(found), strict=True):
        assert one["grad_norm"] > 0
        for name in ("reward", "outcome", "advantage_std", "answers", "tokens", "updates", "groups_without_signal"):
            assert two[name] == pytest.approx(one[name], nan_ok=True), name
        for name in ("loss", "kl", "entropy", "ratio", "grad_norm"):
            assert two[name] == pytest.approx(one[name], rel=2e-3, abs=2e-5), name
    for name in ("model/model.safetensors", "optimiser.safetensors"):
        one, two = tensors(alone, name), tensors(folder, name)
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            torch.testing.assert_close(two[key], tensor, rtol=0, atol=2e-5, msg=key)
    assert {path.name for path in (folder / "samples").iterdir()} == {"step-000001.parquet", "step-000002.parquet"}


def test_sigterm_stops_all_processes_at_the_same_step(started, trainings, tmp_path):
    folder = tmp_path / "run"
    settings = recipe_from(started, folder, train={"steps": 1000}, output={"save_every": None})
    pids = trainings.start_several(settings, 2)
    while not (folder / "metrics.jsonl").exists() or len(read_metrics(folder, "grpo")) < 2:
        time.sleep(0.01)
    os.kill(pids[1], signal.SIGTERM)  # one alone: the other is told
    assert trainings.wait() == 0, trainings.log()
    last = (folder / "checkpoints" / "last").resolve().name
    assert last == f"step-{len(read_metrics(folder, 'grpo')):06d}"


def test_sigterm_ends_the_wait_for_a_judge_in_all_processes(started, trainings, tmp_path):
    folder = tmp_path / "run"
    with ScriptedServer() as server:
        server.configure(faults={"error_503": 1.0})
        reward = {"judge": f"openai:scripted@{server.url}", "mode": "sum", "attempts": 1, "retry_for": 3600.0}
        settings = recipe_from(started, folder, reward=reward, output={"progress": True})
        pids = trainings.start_several(settings, 2)
        while "judged again in" not in trainings.log():
            time.sleep(0.05)
        os.kill(pids[1], signal.SIGTERM)
        began = time.monotonic()
        assert trainings.wait() == 0, trainings.log()
    assert time.monotonic() - began < 60
    assert (folder / "checkpoints" / "last").resolve().name == "step-000000"
