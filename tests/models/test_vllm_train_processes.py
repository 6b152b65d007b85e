"""vLLM in several processes of a run: each samples its own prompts with a worker of its own, or shares one's model."""

import pytest
from rationale_rm.train.tracking import read_metrics
from training import recipe_from

CLOSE = 1e-3
SECTIONS = {
    "train": {"steps": 2},
    "rollout": {"engine": "vllm", "prompts": 3, "samples": 4, "max_tokens": 24},
    "reward": {"mode": "sum", "format_penalty": 0.5},
    "optimiser": {"mini_batch": 3, "lr": 3e-3},
    "output": {"save_every": None, "samples_every": None},
}


def gaps(trainings, started, folder, *, tensor_parallel=1, **how):
    """The largest distance of the sampler's log-probabilities from the trainer's, in each step of two processes."""
    rollout = {**SECTIONS["rollout"], "vllm": {"tensor_parallel_size": tensor_parallel}}
    trainings.start_several(recipe_from(started, folder, **{**SECTIONS, "rollout": rollout}), 2, **how)
    assert trainings.wait() == 0, trainings.log()
    records = list(read_metrics(folder, "grpo"))
    assert [record["step"] for record in records] == [1, 2]
    assert all(record["grad_norm"] > 0 for record in records)
    return [record["sampler_gap_max"] for record in records]


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp2"])
def test_each_process_samples_with_the_weights_of_the_last_update(started, trainings, tmp_path, sharded):
    first, second = gaps(trainings, started, tmp_path / "run", sharded=sharded)
    assert first < CLOSE
    assert second < CLOSE
    for rank, prompts in ((0, 2), (1, 1)):
        assert trainings.log().count(f"process {rank}: worker {rank} on device {rank}, {prompts} prompts") == 2


def test_a_process_that_forgets_an_update_is_seen(started, trainings, tmp_path):
    first, second = gaps(trainings, started, tmp_path / "run", forgetful=[1])
    assert first < CLOSE
    assert second > 10 * CLOSE


def test_two_processes_share_a_model(started, trainings, tmp_path):
    first, second = gaps(trainings, started, tmp_path / "run", tensor_parallel=2)
    assert first < CLOSE
    assert second < CLOSE
