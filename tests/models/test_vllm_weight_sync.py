"""Weights that go from a trainer into vLLM in this process: what vLLM says of fixed tokens is what the trainer says."""

import copy

import peft
import pytest
import torch
import transformers
from rationale_rm.engine import EngineError, Sampling, VllmEngine
from rationale_rm.rollout import VllmRollouts, checkpoint_weights

from benches import tiny_model

CLOSE = 1e-3
PROMPT = [{"role": "user", "content": "The human list names the year, the sum and the missing unit. " * 20}]


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def folder(request, tmp_path_factory):
    """The tiny model with tied and with untied embeddings."""
    made = tiny_model.make(tmp_path_factory.mktemp("models") / "policy", layers=2)
    if not request.param:
        config = transformers.AutoConfig.from_pretrained(made, tie_word_embeddings=False)
        torch.manual_seed(7)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def engine(folder):
    with VllmEngine(folder, max_model_len=512) as engine:
        yield engine


@pytest.fixture
def rollouts(engine, folder):
    """Rollouts whose engine has the weights of the files again afterwards."""
    yield VllmRollouts(engine)
    engine.load_weights(checkpoint_weights(load(folder)))


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")


def tokens(folder):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(3, tiny_model.VOCABULARY, (200,), generator=generator).tolist()


def said_by_vllm(engine, ids):
    """Log-probabilities of ids[1:], each after those before it."""
    import vllm

    params = vllm.SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False)
    output = engine._llm.generate([{"prompt_token_ids": ids}], params, use_tqdm=False)[0]
    return torch.tensor([step[token].logprob for step, token in zip(output.prompt_logprobs[1:], ids[1:], strict=True)])


def said_by(model, ids):
    model.eval()
    with torch.no_grad():
        logprobs = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return logprobs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


def update(model, ids, lr=3e-3, steps=1):
    """Optimiser steps that make `ids` likelier."""
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=lr)
    for _ in range(steps):
        model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss.backward()
        optimiser.step()
        optimiser.zero_grad()


def far(left, right):
    return float((left - right).abs().max())


def test_after_updates_vllm_says_what_the_trainer_says(rollouts, engine, folder):
    """And not before `sync`: without it the difference is a hundred times what is allowed."""
    model, ids = load(folder), tokens(folder)
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE
    for _ in range(2):
        update(model, ids)
        assert far(said_by_vllm(engine, ids), said_by(model, ids)) > 100 * CLOSE
        rollouts.sync(model)
        assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE


def test_the_trainer_s_weights_stay_as_they_are(rollouts, folder):
    model = load(folder)
    before = copy.deepcopy(model.state_dict())
    rollouts.sync(model)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def lora(model, **more):
    torch.manual_seed(5)
    targets = ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"]
    config = {"r": 8, "lora_alpha": 32, "target_modules": targets, "init_lora_weights": False, **more}
    return peft.get_peft_model(model, peft.LoraConfig(**config))


@pytest.mark.parametrize("more", [{}, {"use_rslora": True, "modules_to_save": ["norm"]}], ids=["plain", "scaled"])
def test_lora_counts_once(rollouts, engine, folder, more):
    """Neither left out nor added at every sync: after two syncs without a step nothing has moved."""
    model, ids = lora(load(folder), **more), tokens(folder)
    base = copy.deepcopy(model.state_dict())
    assert far(said_by(model, ids), said_by(load(folder), ids)) > 100 * CLOSE
    for _ in range(2):
        rollouts.sync(model)
        assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE
    assert all(torch.equal(weight, base[name]) for name, weight in model.state_dict().items())
    update(model, ids, lr=1e-2)
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) > 10 * CLOSE
    rollouts.sync(model)
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE


def test_lora_that_is_off_or_merged_already_is_not_added(rollouts, engine, folder):
    model, ids = lora(load(folder)), tokens(folder)
    with model.disable_adapter():
        rollouts.sync(model)
        assert far(said_by_vllm(engine, ids), said_by(load(folder), ids)) < CLOSE
    model.merge_adapter()
    rollouts.sync(model)
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE


def test_a_wrapped_module_is_synced_like_the_bare_one(rollouts, engine, folder):
    model, ids = load(folder), tokens(folder)
    update(model, ids)
    rollouts.sync(torch.compile(model))  # wrapped, and never run
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE


def test_the_prefix_cache_serves_nothing_stale(rollouts, engine, folder):
    """A prompt of several blocks that the cache knows under the old weights, drawn from again under new ones."""
    model = load(folder)
    how = {"max_tokens": 12, "temperature": 1.0, "seeds": [4]}
    first = rollouts.sample([PROMPT], 2, **how)[0]
    assert len(first[0].prompt_ids) > 256
    again = engine.generate([PROMPT], [Sampling(max_tokens=1)])[0]
    assert again.cached_tokens >= 128, "else there is nothing to forget"
    update(model, list(first[0].prompt_ids), lr=1e-2, steps=2)
    rollouts.sync(model)
    for completion in rollouts.sample([PROMPT], 2, **how)[0]:
        ids = list(completion.prompt_ids + completion.token_ids)
        expected = said_by(model, ids)[-len(completion.token_ids) :]
        assert far(torch.tensor(completion.logprobs), expected) < CLOSE


def test_after_a_failed_sync_nothing_is_sampled_until_one_succeeds(rollouts, engine, folder):
    """Here weights of another shape, which vLLM cannot load; what came before them is loaded already."""
    model, ids = load(folder), tokens(folder)
    broken = copy.deepcopy(model)
    broken.model.norm.weight = torch.nn.Parameter(torch.ones(7))
    with pytest.raises(EngineError, match="cannot load"):
        rollouts.sync(broken)
    with pytest.raises(EngineError, match="last replacement"):
        rollouts.sample([PROMPT], 1, max_tokens=1, temperature=1.0, seeds=[1])
    update(model, ids)
    rollouts.sync(model)
    assert far(said_by_vllm(engine, ids), said_by(model, ids)) < CLOSE


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings")
def test_what_no_checkpoint_can_hold_is_refused(folder):
    model = load(folder)
    with pytest.raises(EngineError, match="DoRA"):
        list(checkpoint_weights(lora(copy.deepcopy(model), use_dora=True)))
    if model.config.tie_word_embeddings:
        for more in ({"target_modules": ["embed_tokens"]}, {"modules_to_save": ["lm_head"]}):
            with pytest.raises(EngineError, match="untie"):
                list(checkpoint_weights(lora(copy.deepcopy(model), **more)))
    prompt = peft.PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM", num_layers=2, token_dim=64)
    learned = peft.get_peft_model(copy.deepcopy(model), prompt)
    with pytest.raises(EngineError, match="learned"):
        list(checkpoint_weights(learned))


def test_experts_go_under_the_names_of_a_checkpoint(tmp_path):
    """A layer's experts are one tensor in transformers; vLLM is given what `save_pretrained` would write."""
    import safetensors.torch

    config = transformers.Qwen3MoeConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=16, num_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    model = transformers.Qwen3MoeForCausalLM(config)
    model.save_pretrained(tmp_path)
    saved = safetensors.torch.load_file(tmp_path / "model.safetensors")
    given = dict(checkpoint_weights(model))
    assert given.keys() == saved.keys()
    assert all(torch.equal(given[name], weight) for name, weight in saved.items())
