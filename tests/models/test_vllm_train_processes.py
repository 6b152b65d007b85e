"""vLLM in several processes of a run: each samples its own prompts with a worker of its own, or shares one's model."""

import pytest
from rationale_rm.train.tracking import read_metrics
from training import recipe_from

CLOSE = 1e-3
SECTIONS = {
    "train": {"steps": 2},
    "rollout": {"engine": "vllm", "prompts": 3, "samples": 4, "max_tokens": 48},
    "reward": {"mode": "sum", "format_penalty": 0.5},
    "optimiser": {"mini_batch": 3, "lr": 3e-3},
    "output": {"save_every": None, "samples_every": None},
}


def ran(trainings, start, folder, *, tensor_parallel=1, **how):
    """The largest distance of the sampler's log-probabilities from the trainer's, in each step of two processes, and
    what they have said.
    """
    before = len(trainings.log())
    rollout = {**SECTIONS["rollout"], "vllm": {"tensor_parallel_size": tensor_parallel}}
    trainings.start_several(recipe_from(start, folder, **{**SECTIONS, "rollout": rollout}), 2, **how)
    assert trainings.wait() == 0, trainings.log()[before:]
    records = list(read_metrics(folder, "grpo"))
    assert [record["step"] for record in records] == [1, 2]
    assert all(record["grad_norm"] > 0 for record in records)
    return [record["sampler_gap_max"] for record in records], trainings.log()[before:]


@pytest.mark.parametrize(
    ("tensor_parallel", "sharded"), [(1, None), (1, "fsdp2"), (2, None)], ids=["ddp", "fsdp2", "tensor-parallel"]
)
def test_each_process_samples_with_the_weights_of_the_last_update(
    wide_start, trainings, tmp_path, tensor_parallel, sharded
):
    found, said = ran(trainings, wide_start, tmp_path / "run", tensor_parallel=tensor_parallel, sharded=sharded)
    assert max(found) < CLOSE
    for rank, prompts in ((0, 2), (1, 1)):
        assert said.count(f"process {rank}: worker {rank} on device {rank}, {prompts} prompts") == 2
    assert said.count("the launcher's groups are there") == 2


def test_a_process_that_forgets_an_update_is_seen(wide_start, trainings, tmp_path):
    (first, second), _ = ran(trainings, wide_start, tmp_path / "run", forgetful=[1])
    assert first < CLOSE
    assert second > 10 * CLOSE
