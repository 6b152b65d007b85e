"""Training with vLLM as the sampler, in this process and on a server of its own: its weights follow the policy's."""

import pytest
from processes import weight_server
from rationale_rm.rollout import VllmRollouts
from rationale_rm.train.loop import train
from training import CLOSE, WITH_VLLM, gaps_of, one_thread, recipe_from

SECTIONS = {**WITH_VLLM, "train": {"steps": 3}}


def gaps(start, folder, **sections):
    """Trains in this process; see `gaps_of`."""
    with one_thread():
        train(recipe_from(start, folder, **{**SECTIONS, **sections}))
    return gaps_of(folder)


def on_server(server, **how):
    return {**SECTIONS["rollout"], "engine": "vllm_server", "server": {"url": server.base_url, **how}}


@pytest.fixture(scope="module")
def server(wide_start, tmp_path_factory):
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with weight_server(wide_start, log, max_model_len=368) as running:
        yield running


def test_in_this_process(wide_start, tmp_path):
    found = gaps(wide_start, tmp_path / "run")
    assert len(found) == 3
    assert max(found) < CLOSE


def test_without_sync_the_gap_shows(wide_start, tmp_path, monkeypatch):
    monkeypatch.setattr(VllmRollouts, "sync", lambda self, model: None)
    first, *later = gaps(wide_start, tmp_path / "run", train={"steps": 2})
    assert first < CLOSE
    assert min(later) > 10 * CLOSE


def test_on_a_server(wide_start, server, trainings, tmp_path):
    """Then with a policy that two processes hold the parts of, and another one than the server was left with."""
    sections = {**SECTIONS, "train": {"steps": 2}, "rollout": on_server(server)}
    found = gaps(wide_start, tmp_path / "one", **sections)
    assert max(found) < CLOSE
    trainings.start_several(recipe_from(wide_start, tmp_path / "two", **sections), 2, sharded="fsdp2")
    assert trainings.wait() == 0, trainings.log()
    found = gaps_of(tmp_path / "two")
    assert len(found) == 2
    assert max(found) < CLOSE


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"server": {"url": "http://127.0.0.1:9/v1"}}, "does not answer"),
        ({"server": {"model": "another"}}, "serves tiny, not another"),
        ({"max_tokens": 49}, "--max-model-len 369"),
        ({"engine": "vllm", "vllm": {"tensor_parallel_size": 2}}, "tensor_parallel_size 2 does not divide"),
    ],
)
def test_a_sampler_that_cannot_be_had_is_said_before_anything_is_written(wide_start, server, tmp_path, how, said):
    rollout = on_server(server)
    rollout |= {**how, "server": {**rollout["server"], **how.get("server", {})}}
    with pytest.raises(ValueError, match=said):
        train(recipe_from(wide_start, tmp_path / "run", **{**SECTIONS, "rollout": rollout}))
    assert not (tmp_path / "run").exists()
