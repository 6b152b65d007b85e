"""A vLLM server with an engine process of its own, given weights through vLLM's interface for their transfer."""

import copy

import pytest
import torch
import transformers
from processes import weight_server
from rationale_rm.engine import EngineError
from rationale_rm.rollout import VllmServerRollouts
from training import CLOSE

from benches import tiny_model

PROMPTS = [
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "user", "content": "The human list names the year, the sum and the missing unit. " * 20}],
    [{"role": "user", "content": "word " * 900}],
]
HOW = {"max_tokens": 16, "temperature": 0.9, "seeds": [3, 14, 15]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model.make(tmp_path_factory.mktemp("models") / "policy", layers=2)


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with weight_server(folder, log, max_model_len=512) as running:
        yield running


@pytest.fixture
def rollouts(server, folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rollouts = VllmServerRollouts(server.base_url, server.model_name, tokenizer, seconds=120)
    yield rollouts
    rollouts.close()


@pytest.fixture
def model(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")


def farthest(model, groups):
    """The largest difference between the sampler's log-probabilities and the model's own."""
    worst = 0.0
    for one in [one for group in groups for one in group if one.error is None]:
        with torch.no_grad():
            logits = model(torch.tensor([one.prompt_ids + one.token_ids])).logits[0, len(one.prompt_ids) - 1 : -1]
        said = (logits / 0.9).log_softmax(-1).gather(1, torch.tensor(one.token_ids)[:, None])[:, 0]
        worst = max(worst, float((said - torch.tensor(one.logprobs)).abs().max()))
    return worst


def update(model, ids):
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss.backward()
    optimiser.step()


def test_the_server_samples_with_the_trainer_s_weights(rollouts, model):
    """Also from prompts that its prefix cache knows, and only after `sync`."""
    told = {}
    first = rollouts.sample(PROMPTS, 3, **HOW, on_group=told.__setitem__)
    assert told == dict(enumerate(first))
    assert farthest(model, first) < CLOSE
    assert len(first[1][0].prompt_ids) > 256, "two blocks of the prefix cache"
    assert "the model's context 512" in first[2][2].error
    for one in first[0] + first[1]:
        assert one.truncated == (len(one.token_ids) == 16)
        assert len(one.logprobs) == len(one.token_ids)
    assert len({one.token_ids for one in first[0]}) == 3
    for _ in range(2):
        update(model, list(first[1][0].prompt_ids))
        assert farthest(model, rollouts.sample(PROMPTS, 3, **HOW)) > 30 * CLOSE
        rollouts.sync(model)
        assert farthest(model, rollouts.sample(PROMPTS, 3, **HOW)) < CLOSE


def test_draws_depend_on_the_seed_and_the_sample_alone(rollouts):
    together = rollouts.sample(PROMPTS, 3, **HOW)
    alone = rollouts.sample(PROMPTS[1:2], 2, **{**HOW, "seeds": [14]})[0]
    assert [one.token_ids for one in alone] == [one.token_ids for one in together[1][:2]]
    greedy = rollouts.sample(PROMPTS[:1], 2, max_tokens=5, temperature=0, seeds=[1])[0]
    assert greedy[0].token_ids == greedy[1].token_ids
    assert [one.sample for one in greedy] == [0, 1]


def test_after_a_failed_sync_nothing_is_sampled_until_one_succeeds(rollouts, model):
    """Here weights of another shape, which vLLM cannot load; what came before them is loaded already."""
    broken = copy.deepcopy(model)
    broken.model.norm.weight = torch.nn.Parameter(torch.ones(7))
    with pytest.raises(EngineError, match="refuses"):
        rollouts.sync(broken)
    with pytest.raises(EngineError, match="last sync failed"):
        rollouts.sample(PROMPTS[:1], 1, **{**HOW, "seeds": [3]})
    rollouts.sync(model)
    assert farthest(model, rollouts.sample(PROMPTS, 2, **HOW)) < CLOSE


def test_what_a_listener_raises_ends_the_sampling(rollouts):
    def listener(index, group):
        raise KeyError(index)

    with pytest.raises(KeyError):
        rollouts.sample(PROMPTS, 2, **HOW, on_group=listener)


def test_a_closed_one_says_so(rollouts, model):
    rollouts.close()
    rollouts.close()
    for call in (lambda: rollouts.sync(model), lambda: rollouts.sample(PROMPTS[:1], 1, **{**HOW, "seeds": [1]})):
        with pytest.raises(EngineError, match="closed"):
            call()


def test_a_server_that_takes_no_weights_is_refused_at_once(vllm_server, folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with pytest.raises(EngineError, match="VLLM_SERVER_DEV_MODE"):
        VllmServerRollouts(vllm_server.base_url, vllm_server.model_name, tokenizer, seconds=20)
    with pytest.raises(EngineError, match="Connection error"):
        VllmServerRollouts("http://127.0.0.1:9/v1", "tiny", tokenizer, seconds=20)
