"""vLLM in several processes of a run: each samples its own prompts with a worker of its own, or shares one's model."""

import pytest
from training import CLOSE, WITH_VLLM, gaps_of, recipe_from


def ran(trainings, start, folder, *, tensor_parallel=1, **how):
    """The gaps of each step of two processes, and what they have said."""
    before = len(trainings.log())
    rollout = {**WITH_VLLM["rollout"], "vllm": {"tensor_parallel_size": tensor_parallel}}
    trainings.start_several(recipe_from(start, folder, **{**WITH_VLLM, "rollout": rollout}), 2, **how)
    assert trainings.wait() == 0, trainings.log()[before:]
    gaps = gaps_of(folder)
    assert len(gaps) == 2
    return gaps, trainings.log()[before:]


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
