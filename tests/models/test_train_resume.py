"""A run that is killed, at any moment, goes on as if it had not been: its metrics are those of one that was not."""

import contextlib
import json
import os
import random
import signal
import time

import pytest
from rationale_rm.train.tracking import read_metrics
from training import recipe, without_times

MOMENTS = 3
"""Kills while a checkpoint is written, and as many at random moments."""


@pytest.fixture(scope="module")
def uninterrupted(trainings, tmp_path_factory):
    """The folder of a run that nothing happened to, and the seconds it took."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    trainings.start(recipe(folder))
    began = time.monotonic()
    assert trainings.wait() == 0, trainings.log()
    return folder, time.monotonic() - began


def exists(pid):
    """Whether the process still runs: one that has ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


def kill_while_writing(pid, folder):
    """Kills the process as soon as a checkpoint is half-written, and says whether it was."""
    checkpoints = folder / "checkpoints"
    while exists(pid):
        try:
            names = os.listdir(checkpoints)
        except FileNotFoundError:
            names = []
        if any(name.startswith(".unfinished-") for name in names):
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(0.0005)
    return False


def test_kill_9_and_resume(trainings, uninterrupted, tmp_path):
    whole, seconds = uninterrupted
    folder = tmp_path / "run"
    settings = recipe(folder)
    rng = random.Random(5)
    half_written = 0
    resume = False
    for number in range(2 * MOMENTS):
        pid = trainings.start(settings, resume=resume)
        if number % 2:
            half_written += kill_while_writing(pid, folder)
        else:
            time.sleep(rng.uniform(0.1, 0.7) * seconds)
            with contextlib.suppress(ProcessLookupError):  # it has ended: then nothing is left to kill
                os.kill(pid, signal.SIGKILL)
        assert trainings.wait() in (-signal.SIGKILL, 0), trainings.log()
        resume = True
    assert half_written, "no checkpoint was being written when the process was killed"
    trainings.start(settings, resume=True)
    assert trainings.wait() == 0, trainings.log()

    expected, found = without_times(read_metrics(whole)), without_times(read_metrics(folder))
    assert found == expected
    learnt = [record for record in found if record["phase"] == "grpo"]
    assert [record["step"] for record in learnt] == [1, 2, 3, 4, 5]
    assert any(record["grad_norm"] > 0 for record in learnt), "the steps must depend on each other"
    last = [(one / "checkpoints" / "last" / "model" / "model.safetensors").read_bytes() for one in (whole, folder)]
    assert last[0] == last[1]
    assert not list((folder / "checkpoints").glob(".unfinished-*"))


def test_sigterm_saves_and_the_run_goes_on(trainings, uninterrupted, tmp_path):
    whole, _ = uninterrupted
    folder = tmp_path / "run"
    settings = recipe(folder, output={"save_every": None, "progress": True})
    pid = trainings.start(settings)
    while not (folder / "metrics.jsonl").exists() or len(read_metrics(folder, "grpo")) < 2:
        time.sleep(0.01)
        assert exists(pid), trainings.log()
    os.kill(pid, signal.SIGTERM)
    assert trainings.wait() == 0, trainings.log()
    assert "go on by --resume" in trainings.log()
    done = len(read_metrics(folder, "grpo"))
    assert 2 <= done < 5
    state = json.loads((folder / "checkpoints" / "last" / "state.json").read_text())
    assert (state["phase"], state["step"]) == ("grpo", done)
    trainings.start(settings, resume=True)
    assert trainings.wait() == 0, trainings.log()
    assert without_times(read_metrics(folder)) == without_times(read_metrics(whole))


def test_a_run_that_is_done_is_left_as_it_is(trainings, uninterrupted):
    folder, _ = uninterrupted
    before = (folder / "metrics.jsonl").read_bytes()
    trainings.start(recipe(folder), resume=True)
    assert trainings.wait() == 0, trainings.log()
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_without_resume_or_under_other_settings_a_run_is_not_touched(trainings, uninterrupted):
    folder, _ = uninterrupted
    before = (folder / "metrics.jsonl").read_bytes()
    trainings.start(recipe(folder))
    assert trainings.wait() == 2
    assert "holds a run already: go on with it by --resume" in trainings.log()
    trainings.start(recipe(folder, seed=1), resume=True)
    assert trainings.wait() == 2
    assert "seed: 0 in the checkpoint, 1 now" in trainings.log()
    assert (folder / "metrics.jsonl").read_bytes() == before
