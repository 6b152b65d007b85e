"""Checkpoints, apart from the loop: what they hold comes back, and no half of one is ever taken for one."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from rationale_rm import RationaleError
from rationale_rm.train import checkpoint
from rationale_rm.train.checkpoint import State


def save(folder, state, optimiser=None):
    return checkpoint.save(
        folder,
        state,
        lambda model: (model.mkdir(), (model / "model.safetensors").write_bytes(b"weights")),
        optimiser,
        [checkpoint.generators()],
    )


def test_generators_come_back(tmp_path):
    path = save(tmp_path, State(phase="grpo", step=3))
    draws = [random.random(), np.random.random(), np.random.normal(), torch.rand(2).tolist()]
    checkpoint.set_generators(checkpoint.read_generators(path, 0))
    assert [random.random(), np.random.random(), np.random.normal(), torch.rand(2).tolist()] == draws
    checkpoint.set_generators(checkpoint.read_generators(path, 5))  # more processes than before
    assert random.random() == draws[0]


def test_state_and_optimiser_come_back(tmp_path):
    state = State(
        phase="grpo",
        step=12,
        records=40,
        evaluated=10,
        best_step=10,
        best_value=0.1 + 0.2,
        seconds=3.5,
        settings={"a": [1]},
    )
    moments = {
        "layer.weight": {"exp_avg": torch.randn(3, 2), "step": torch.tensor(7.0)},
        "odd/name": {"x": torch.ones(1)},
    }
    path = save(tmp_path, state, moments)
    assert path.name == "step-000012"
    assert checkpoint.read_state(path) == state
    found = checkpoint.read_optimiser(path)
    assert found.keys() == moments.keys()
    for name, kinds in moments.items():
        for kind, value in kinds.items():
            assert torch.equal(found[name][kind], value)
    assert checkpoint.last(tmp_path) == path


def test_the_last_is_the_furthest_of_the_run(tmp_path):
    assert checkpoint.last(tmp_path) is None
    for phase, step in (("warm_start", 900), ("warm_start", 1000), ("grpo", 0), ("grpo", 9), ("grpo", 1_000_000)):
        path = save(tmp_path, State(phase=phase, step=step))
        assert checkpoint.last(tmp_path) == path


def test_what_fails_while_it_is_written_is_no_checkpoint(tmp_path):
    kept = save(tmp_path, State(phase="grpo", step=1))

    def full(model):
        model.mkdir()
        (model / "model.safetensors").write_bytes(b"half")
        raise OSError("no space left on device")

    with pytest.raises(RationaleError, match="step-000002 cannot be written: no space"):
        checkpoint.save(tmp_path, State(phase="grpo", step=2), full, None, [checkpoint.generators()])
    assert checkpoint.last(tmp_path) == kept
    checkpoint.clear_unfinished(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000001"]
    assert save(tmp_path, State(phase="grpo", step=2)) == checkpoint.last(tmp_path)


def test_files_are_on_disk_before_the_name_is(tmp_path, monkeypatch):
    """A rename that reaches the disk before the files would leave an empty checkpoint after a power cut."""
    synced, renamed = set(), []
    real_sync, real_rename = os.fsync, os.rename

    def fsync(handle):
        synced.add(os.fstat(handle).st_ino)
        real_sync(handle)

    def rename(source, target):
        inodes = {entry.stat().st_ino for root, _, _ in os.walk(source) for entry in os.scandir(root)}
        renamed.append(inodes - synced)
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    save(tmp_path, State(phase="grpo", step=1), {"w": {"exp_avg": torch.ones(2)}})
    assert renamed == [set()]
    assert (tmp_path / "checkpoints").stat().st_ino in synced


def test_old_ones_go_and_the_best_keeps_its_model(tmp_path):
    state = State(phase="grpo", step=0)
    for step, best in ((0, None), (10, 10), (20, 10), (30, 10), (40, 40)):
        state = replace(state, step=step, best_step=best)
        save(tmp_path, state, {"w": {"exp_avg": torch.ones(1)}})
        checkpoint.keep(tmp_path, state, 2)
        names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir() if not path.is_symlink())
        assert (
            names
            == {
                0: ["step-000000"],
                10: ["step-000000", "step-000010"],
                20: ["step-000010", "step-000020"],
                30: ["step-000010", "step-000020", "step-000030"],
                40: ["step-000030", "step-000040"],
            }[step]
        )
        assert (tmp_path / "checkpoints" / "last").resolve().name == f"step-{step:06d}"
        if step == 30:
            best = tmp_path / "checkpoints" / "best"
            assert (best / "model" / "model.safetensors").exists()
            assert not (best / "optimiser.safetensors").exists()


def whole(path):
    return checkpoint.read_state(path), checkpoint.read_optimiser(path), checkpoint.read_generators(path, 0)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("state.json", b"{", "the checkpoint is damaged"),
        ("state.json", b'{"version": 99}', "layout 99"),
        ("optimiser.safetensors", b"x" * 50, "the checkpoint is damaged"),
        ("generators.safetensors", b"", "the checkpoint is damaged"),
    ],
)
def test_a_damaged_one_is_said_to_be(tmp_path, name, content, said):
    path = save(tmp_path, State(phase="grpo", step=1), {"w": {"exp_avg": torch.ones(1)}})
    (path / name).write_bytes(content)
    with pytest.raises(RationaleError, match=said):
        whole(path)
