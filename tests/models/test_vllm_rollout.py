"""Rollouts from vLLM in this process: the contract of `Rollouts`, beside the same calls of the transformers sampler."""

import math

import pytest
import torch
import transformers
from rationale_rm.engine import EngineError, Sampling, VllmEngine
from rationale_rm.rollout import VllmRollouts

PROMPTS = [
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "user", "content": "Response 1 ignores the question. " * 9}],
    [{"role": "user", "content": "Ω"}],
]
HOW = {"max_tokens": 24, "temperature": 0.9, "seeds": [3, 14, 15]}


@pytest.fixture(scope="module")
def engine(tiny_model_path):
    with VllmEngine(tiny_model_path, max_model_len=512) as engine:
        yield engine


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")


def test_groups_are_whole_and_their_logprobs_are_the_model_s(engine, model):
    told = {}
    groups = VllmRollouts(engine).sample(PROMPTS, 4, **HOW, on_group=told.__setitem__)
    assert told == dict(enumerate(groups))
    for index, group in enumerate(groups):
        assert [(one.prompt, one.sample) for one in group] == [(index, sample) for sample in range(4)]
        assert len({one.token_ids for one in group}) == 4
        for one in group:
            assert list(one.prompt_ids) == engine.chat.encode(PROMPTS[index])
            assert one.text == engine.chat.decode(one.token_ids)
            assert one.truncated == (len(one.token_ids) == 24)
            with torch.no_grad():
                logits = model(torch.tensor([one.prompt_ids + one.token_ids])).logits[0, len(one.prompt_ids) - 1 : -1]
            said = (logits / 0.9).log_softmax(-1).gather(1, torch.tensor(one.token_ids)[:, None])[:, 0]
            assert one.logprobs == pytest.approx(said.tolist(), abs=1e-3)


def test_draws_depend_on_the_seed_and_the_sample_alone(engine):
    together = VllmRollouts(engine).sample(PROMPTS, 4, **HOW)
    for index in range(3):
        alone = VllmRollouts(engine).sample([PROMPTS[index]], 2, **{**HOW, "seeds": [HOW["seeds"][index]]})[0]
        assert [one.token_ids for one in alone] == [one.token_ids for one in together[index][:2]]


def test_a_group_is_told_while_others_are_drawn(engine):
    """The context leaves the first prompt a few tokens, and the second many."""
    long = [{"role": "user", "content": "word " * 480}]
    room = engine.max_model_len - len(engine.chat.encode(long))
    assert 0 < room < 40
    under_way = []

    def listener(index, group):
        under_way.append((index, engine._llm.llm_engine.get_num_unfinished_requests()))

    how = {"max_tokens": 200, "temperature": 0.0, "seeds": [1, 2]}
    groups = VllmRollouts(engine).sample([PROMPTS[0], long], 2, **how, on_group=listener)
    assert under_way[0] == (1, 2), under_way
    assert under_way[1] == (0, 0)
    assert all(one.truncated and len(one.token_ids) == room for one in groups[1])


def test_what_a_listener_raises_ends_the_sampling_and_leaves_nothing_behind(engine):
    def listener(index, group):
        raise KeyError(index)

    expected = VllmRollouts(engine).sample(PROMPTS, 2, **HOW)
    with pytest.raises(KeyError):
        VllmRollouts(engine).sample(PROMPTS, 2, **HOW, on_group=listener)
    assert engine._llm.llm_engine.get_num_unfinished_requests() == 0
    assert VllmRollouts(engine).sample(PROMPTS, 2, **HOW) == expected


def test_a_prompt_that_cannot_be_answered_spoils_no_other(engine):
    prompts = [PROMPTS[0], [{"role": "user", "content": "word " * 900}], [{"role": "user", "content": "\ud800"}]]
    told = {}
    groups = VllmRollouts(engine).sample(prompts, 2, **HOW, on_group=told.__setitem__)
    assert "the model's context 512" in groups[1][0].error
    assert "chat template" in groups[2][1].error
    assert all(one.error is None and one.token_ids for one in groups[0])
    assert all(not one.token_ids and not one.text and not one.truncated for group in groups[1:] for one in group)
    assert told == dict(enumerate(groups))
    assert VllmRollouts(engine).sample(prompts[1:], 1, **{**HOW, "seeds": [1, 2]})[0][0].error


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"temperature": math.inf}, {"seeds": [1]}, {"n": 0}])
def test_misuse_raises(engine, wrong):
    with pytest.raises(EngineError, match=next(iter(wrong))):
        VllmRollouts(engine).sample(PROMPTS, **{"n": 2, **HOW, **wrong})


def test_an_engine_that_was_given_stays_open(engine):
    VllmRollouts(engine).close()
    assert engine.generate([PROMPTS[0]], [Sampling(max_tokens=1)])[0].error is None
    with pytest.raises(EngineError, match="dtype"):
        VllmRollouts(engine, dtype="float32")


def test_rollouts_close_an_engine_of_their_own(engine, tiny_model_path):
    """The last test of this file: one engine at a time."""
    expected = VllmRollouts(engine).sample(PROMPTS, 1, **HOW)
    engine.close()
    rollouts = VllmRollouts(tiny_model_path, max_model_len=512)
    assert rollouts.sample(PROMPTS, 1, **HOW) == expected
    rollouts.close()
    rollouts.close()
    with pytest.raises(EngineError, match="closed"):
        rollouts.sample(PROMPTS, 1, **HOW)
