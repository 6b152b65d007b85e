"""The loop as a whole, in this process: what a step depends on, and what it does when something fails."""

import json
import math
import os
import signal

import numpy as np
import pyarrow.parquet
import pytest
import torch
from rationale_rm.train import judging, loop
from rationale_rm.train.loop import TrainingError, train
from rationale_rm.train.tracking import read_metrics
from safetensors.torch import load_file
from servers import ScriptedServer
from training import one_thread, recipe_from, without_times


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def weights(folder):
    return load_file(folder / "checkpoints" / "last" / "model" / "model.safetensors")


def close(left, right, tolerance):
    """Whether two records hold the same figures to a tolerance, NaN and None being their own equals."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key], tolerance) for key in left)
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
    return left == right


ONE_STEP = {"train": {"steps": 1}, "output": {"samples_every": None}}


@pytest.mark.parametrize("loss", [{"type": "dapo"}, {"type": "grpo", "ratio": "sequence"}, {"type": "dr_grpo"}])
def test_a_step_does_not_depend_on_how_it_is_cut_into_micro_batches(started, tmp_path, loss):
    found = []
    for budget in (1, 700, 10**6):
        folder = tmp_path / str(budget)
        train(
            recipe_from(started, folder, loss=loss, optimiser={"micro_batch_tokens": budget, "epochs": 2}, **ONE_STEP)
        )
        found.append((without_times(read_metrics(folder)), weights(folder)))
    (records, first), *others = found
    assert records[0]["grad_norm"] > 0
    assert records[0]["updates"] == 4
    for other, changed in others:
        assert close(records[0], other[0], 2e-5), (records[0], other[0])
        for name in first:
            torch.testing.assert_close(changed[name], first[name], rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_run_and_another_one_another(started, tmp_path):
    found = []
    for number, seed in enumerate((3, 3, 4)):
        train(recipe_from(started, tmp_path / str(number), seed=seed, train={"steps": 2}))
        found.append(without_times(read_metrics(tmp_path / str(number))))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_steps_raise_the_reward(started, tmp_path):
    """The reward of the form and its length is learnt in a few steps: a loss with the wrong sign would lower it."""
    settings = recipe_from(
        started,
        tmp_path / "run",
        reward={"mode": "outcome", "format_penalty": 1.0, "max_length": 48, "length_buffer": 47},
        rollout={"prompts": 8, "samples": 8},
        optimiser={"lr": 5e-3, "mini_batch": None},
        loss={"mask_truncated": False},
        train={"steps": 12},
    )
    train(settings)
    rewards = [record["reward"] for record in read_metrics(tmp_path / "run", "grpo")]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.2, rewards


def test_samples_hold_what_the_reward_was_made_of(started, tmp_path):
    folder = tmp_path / "run"
    settings = recipe_from(
        started,
        folder,
        reward={"mode": "sum", "format_penalty": 0.5},
        train={"steps": 2},
        output={"samples_every": 2, "samples": 3},
    )
    train(settings)
    assert [path.name for path in (folder / "samples").iterdir()] == ["step-000002.parquet"]
    rows = pyarrow.parquet.read_table(folder / "samples" / "step-000002.parquet").to_pylist()
    assert len(rows) == 3 * 4
    matched = 0
    for row in rows:
        if row["status"] != "ok":
            assert row["reward"] == -0.5
            continue
        total = sum(match["score"] for match in row["matches"])
        assert row["rc"] == pytest.approx(total / len(row["references"]))
        assert row["reward"] == pytest.approx(0.5 * row["rationale"] + 0.5 * row["outcome"])
        for match in row["matches"]:
            matched += 1
            reason, reference = row["reasons"][match["reason"]], row["references"][match["reference"]]
            side = {"A": "1", "B": "2"}[reason.split()[1]]
            side = {"1": "2", "2": "1"}[side] if row["swapped"] else side
            assert reference.split()[1] == side
            if match["score"] == 1:
                assert reason.split()[2:] == reference.split()[2:]
    assert any(row["status"] == "ok" for row in rows)
    record = read_metrics(folder, "grpo")[1]
    assert record["answers"]["all"] == 16
    assert record["answers"]["judged"] <= 16 - round(16 * record["format_errors"])


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_adapters_train_in_bfloat16_with_checkpointing_and_go_on(started, tmp_path, beta):
    folder = tmp_path / "run"
    sections = {
        "model": {
            "dtype": "bfloat16",
            "gradient_checkpointing": True,
            "lora": {"r": 4, "alpha": 8.0, "dropout": 0.1},
        },
        "loss": {"beta": beta},
        "optimiser": {"lr": 1e-2},
        "output": {"save_every": 1, "keep_last": 3},
    }
    train(recipe_from(started, folder, train={"steps": 3}, **sections))
    last = folder / "checkpoints" / "last" / "model"
    adapters = load_file(last / "adapter_model.safetensors")
    assert not (last / "model.safetensors").exists()
    assert all("lora_" in name for name in adapters)
    assert any(weight.abs().max() > 0 for name, weight in adapters.items() if "lora_B" in name)
    records = read_metrics(folder, "grpo")
    if beta:
        assert records[0]["kl"] == pytest.approx(0, abs=0.05)  # rounding, dropout, and the second update of the step
        assert records[2]["kl"] > 0
    again = tmp_path / "again"
    train(recipe_from(started, again, train={"steps": 2}, **sections))
    train(recipe_from(started, again, train={"steps": 3}, **sections), resume=True)
    assert without_times(read_metrics(again)) == without_times(read_metrics(folder))


def test_the_reference_is_the_first_policy_also_after_going_on(started, tmp_path):
    folder, again = tmp_path / "run", tmp_path / "again"
    sections = {"loss": {"beta": 0.05}, "optimiser": {"lr": 5e-3, "mini_batch": None}}
    train(recipe_from(started, folder, train={"steps": 3}, **sections))
    kl = [record["kl"] for record in read_metrics(folder, "grpo")]
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert min(kl[1:]) > 1e-3
    train(recipe_from(started, again, train={"steps": 2}, **sections))
    train(recipe_from(started, again, train={"steps": 3}, **sections), resume=True)
    assert [record["kl"] for record in read_metrics(again, "grpo")] == kl


@pytest.fixture(scope="module")
def server():
    with ScriptedServer() as running:
        yield running


def judged_by(server, **changes):
    return {
        "judge": f"openai:scripted@{server.url}",
        "mode": "sum",
        "attempts": 1,
        "timeout": 20.0,
        "audit": 0.0,
        **changes,
    }


def outage(server, monkeypatch, *, at_step, ends=True):
    """Takes the judge away when the answers of a step are there, and gives it back in the first pause if it `ends`."""
    real = judging.Scoring.begin

    def begin(self, number, shown, completions):
        if self._step == at_step and number == 0:
            server.configure(faults={"error_503": 1.0})
        real(self, number, shown, completions)

    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if ends:
            server.configure(faults={})

    monkeypatch.setattr(judging.Scoring, "begin", begin)
    monkeypatch.setattr(judging.time, "sleep", sleep)
    return pauses


def test_an_outage_of_the_judge_pauses_the_run_and_changes_nothing(started, tmp_path, server, monkeypatch):
    server.configure(faults={})
    steps = {"train": {"steps": 3}, "output": {"samples_every": None}}
    train(recipe_from(started, tmp_path / "well", reward=judged_by(server), **steps))
    pauses = outage(server, monkeypatch, at_step=2)
    train(recipe_from(started, tmp_path / "out", reward=judged_by(server), **steps))
    assert pauses, "the judge was never away"
    found = without_times(read_metrics(tmp_path / "out"))
    assert found == without_times(read_metrics(tmp_path / "well"))
    assert found[1]["answers"]["judged"] > 0
    assert found[1]["answers"]["failed"] == 0


def test_past_its_budget_an_outage_stops_the_run_with_a_checkpoint(started, tmp_path, server, monkeypatch):
    server.configure(faults={})
    folder = tmp_path / "out"
    steps = {"train": {"steps": 3}, "output": {"samples_every": None, "save_every": None}}
    train(recipe_from(started, tmp_path / "well", reward=judged_by(server), **steps))
    with monkeypatch.context() as patched:
        outage(server, patched, at_step=2, ends=False)
        with pytest.raises(
            TrainingError, match=r"error_503|failed for .* of .* answers.*retry_for.*Saved after step 1"
        ):
            train(recipe_from(started, folder, reward=judged_by(server, retry_for=0.3), **steps))
    assert [record["step"] for record in read_metrics(folder)] == [1]
    server.configure(faults={})
    train(recipe_from(started, folder, reward=judged_by(server), **steps), resume=True)
    assert without_times(read_metrics(folder)) == without_times(read_metrics(tmp_path / "well"))


def test_a_few_failures_are_left_out_and_counted(started, tmp_path, server):
    server.configure(hopeless=0.3, seed=5)
    try:
        folder = tmp_path / "run"
        reward = judged_by(server, max_failure_rate=1.0)
        train(recipe_from(started, folder, reward=reward, train={"steps": 2}, rollout={"prompts": 8}))
    finally:
        server.configure(hopeless=0.0)
    records = read_metrics(folder, "grpo")
    failed = [record["answers"]["failed"] for record in records]
    assert sum(failed) > 0
    for record in records:
        counts = record["answers"]
        assert counts["rewarded"] == counts["all"] - counts["failed"]


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_before_the_update(started, tmp_path, monkeypatch, fault):
    folder = tmp_path / "run"
    real = loop.grpo_loss
    calls = []

    def broken(logprobs, *rest, **options):
        share, stats = real(logprobs, *rest, **options)
        calls.append(1)
        if len(calls) <= 2:  # two updates are one step
            return share, stats
        if fault == "loss":
            return real(logprobs * float("nan"), *rest, **options)
        logprobs.register_hook(lambda gradient: gradient * float("inf"))
        return share, stats

    monkeypatch.setattr(loop, "grpo_loss", broken)
    settings = recipe_from(
        started, folder, train={"steps": 3}, output={"save_every": 1, "samples_every": None}, loss={"beta": 0.01}
    )
    with pytest.raises(loop.NonFiniteError, match=rf"the {fault} is (nan|inf)") as raised:
        train(settings)
    assert raised.value.started
    assert [record["step"] for record in read_metrics(folder)] == [1]
    state = json.loads((folder / "checkpoints" / "last" / "state.json").read_text())
    assert state["step"] == 1
    monkeypatch.setattr(loop, "grpo_loss", real)
    train(settings, resume=True)
    records = read_metrics(folder)
    assert [record["step"] for record in records] == [1, 2, 3]
    assert all(math.isfinite(weight.sum()) for weight in weights(folder).values())


def test_the_best_and_the_last_checkpoints_are_kept(started, tmp_path):
    folder = tmp_path / "run"
    settings = recipe_from(
        started,
        folder,
        train={"steps": 4},
        evaluation={"every": 1, "start": True, "pairs": 6},
        output={"save_every": 1, "keep_last": 1, "samples_every": None},
    )
    train(settings)
    evaluations = [one for one in read_metrics(folder, "evaluation") if one["split"] == "validation"]
    assert [one["step"] for one in evaluations] == [0, 1, 2, 3, 4]
    best = max(evaluations, key=lambda one: (one["reward"], -one["step"]))["step"]
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert names == {"best", "last", "step-000004", f"step-{best:06d}"}
    assert (folder / "checkpoints" / "best").resolve().name == f"step-{best:06d}"
    assert (folder / "checkpoints" / "best" / "model" / "config.json").exists()
    assert (folder / "checkpoints" / "last" / "optimiser.safetensors").exists()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_stop_in_the_last_evaluation_loses_nothing(started, tmp_path, monkeypatch, split):
    """The run goes on with the evaluation, whose outcome is saved with the weights that it is of."""
    sections = {
        "train": {"steps": 2},
        "data": {"test_pairs": 4},
        "evaluation": {"every": 1, "start": True, "pairs": 6},
        "model": {"lora": {"r": 2, "alpha": 4, "dropout": 0.3, "target_modules": ["q_proj"]}},
        "output": {"samples_every": None},
    }
    world = {"pairs": 40, "validation_pairs": 6, "test_pairs": 4, "vocabulary": 0.5}
    sections["data"] = {"world": world}
    whole, folder = tmp_path / "whole", tmp_path / "run"
    train(recipe_from(started, whole, **sections))
    real = loop.evaluate

    def stopped(run, pairs, step, which):
        record = real(run, pairs, step, which)
        if (step, which) == (2, split):
            os.kill(os.getpid(), signal.SIGTERM)
        return record

    with monkeypatch.context() as patched:
        patched.setattr(loop, "evaluate", stopped)
        assert train(recipe_from(started, folder, **sections)).stopped
    for _ in range(2):  # once done, it is done
        assert not train(recipe_from(started, folder, **sections), resume=True).stopped
        assert without_times(read_metrics(folder)) == without_times(read_metrics(whole))
        for name in ("best", "last"):
            assert (folder / "checkpoints" / name).resolve().name == (whole / "checkpoints" / name).resolve().name
        states = [json.loads((run / "checkpoints" / "last" / "state.json").read_text()) for run in (whole, folder)]
        for key in ("step", "records", "evaluated", "best_step", "best_value", "generators"):
            assert states[0][key] == states[1][key], key


def test_trackers_get_the_figures(started, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    train(recipe_from(started, folder, train={"steps": 2}, output={"trackers": ["tensorboard"]}))
    found = []
    for events in {path.parent for path in folder.rglob("events.out.tfevents.*")}:
        read = EventAccumulator(str(events))
        read.Reload()
        if "grpo/reward" in read.Tags()["scalars"]:
            found += [(event.step, event.value) for event in read.Scalars("grpo/reward")]
    expected = [(record["step"], record["reward"]) for record in read_metrics(folder, "grpo")]
    assert found == [(step, pytest.approx(value)) for step, value in expected]
