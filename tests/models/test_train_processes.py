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


def weights(folder):
    return load_file(folder / "checkpoints" / "last" / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def alone(started, tmp_path_factory):
    """The folder of the run in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    with one_thread():
        train(recipe_from(started, folder, **SECTIONS))
    return folder


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp2"])
def test_two_processes_make_the_same_steps_and_go_on(started, alone, trainings, tmp_path, sharded):
    folder = tmp_path / "run"
    for steps, resume in ((1, False), (2, True)):
        settings = recipe_from(started, folder, **{**SECTIONS, "train": {"steps": steps}})
        trainings.start_several(settings, 2, resume=resume, sharded=sharded)
        assert trainings.wait() == 0, trainings.log()
    expected, found = ([one for one in read_metrics(run, "grpo")] for run in (alone, folder))
    assert [record["step"] for record in found] == [1, 2]
    for one, two in zip(without_times(expected), without_times(found), strict=True):
        assert one["grad_norm"] > 0
        for name in ("reward", "outcome", "advantage_std", "answers", "tokens", "updates", "groups_without_signal"):
            assert two[name] == pytest.approx(one[name], nan_ok=True), name
        for name in ("loss", "kl", "entropy", "ratio", "grad_norm"):
            assert two[name] == pytest.approx(one[name], rel=2e-3, abs=2e-5), name
    first, second = weights(alone), weights(folder)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=0, atol=3e-4, msg=name)
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
