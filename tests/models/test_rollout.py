"""Rollouts from the trainer's own module, and the sampler of transformers models beneath them."""

import dataclasses
import math

import numpy as np
import peft
import pytest
import scipy.stats
import torch
import transformers
from rationale_rm.engine import EngineError, Sampling
from rationale_rm.engine.decode import Decoder, Row
from rationale_rm.engine.draws import RowDraws, inverse_cdf
from rationale_rm.rollout import HfRollouts, row_seed

PROMPTS = [
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "user", "content": "Response 1 ignores the question. " * 9}],
    [{"role": "user", "content": "Ω"}],
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "user", "content": "Response 2 names the year. " * 5}],
]
SEEDS = [3, 14, 15, 92, 65]
HOW = {"max_tokens": 40, "temperature": 0.9}


@pytest.fixture(scope="module")
def tokenizer(tiny_model_path):
    return transformers.AutoTokenizer.from_pretrained(tiny_model_path)


ENDS = range(2, 80)  # of 2,048 tokens: an answer is over after 25 or so


@pytest.fixture(scope="module")
def model(tiny_model_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")
    model.generation_config.eos_token_id = list(ENDS)
    return model


def teacher_forced(model, completion, temperature):
    """The model's own log-probabilities of a completion, from one pass without cache, padding or neighbours."""
    ids = torch.tensor([completion.prompt_ids + completion.token_ids])
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0, len(completion.prompt_ids) - 1 : -1]
    logprobs = (logits / temperature).log_softmax(-1)
    return logprobs.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0].tolist()


def test_groups_are_whole_and_their_logprobs_are_the_model_s(model, tokenizer):
    groups = HfRollouts(model, tokenizer, batch_size=12).sample(PROMPTS, 6, **HOW, seeds=SEEDS)
    ends = 0
    for index, (messages, group) in enumerate(zip(PROMPTS, groups, strict=True)):
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        assert [completion.sample for completion in group] == list(range(6))
        assert len({completion.token_ids for completion in group}) == 6
        for completion in group:
            assert completion.prompt == index
            assert completion.prompt_ids == tuple(ids)
            assert completion.error is None
            assert completion.logprobs == pytest.approx(teacher_forced(model, completion, 0.9), abs=1e-4)
            assert completion.text == tokenizer.decode(completion.token_ids, skip_special_tokens=True)
            ended = completion.token_ids[-1] in ENDS
            assert completion.truncated != ended
            assert len(completion.token_ids) == 40 or ended
            assert not set(ENDS) & set(completion.token_ids[:-1])
            ends += ended
    assert 5 < ends < 30, "both kinds, so that rows leave the batch while others go on"


def test_draws_depend_on_the_seed_and_the_sample_alone(model, tokenizer):
    """Not on the other prompts, their order, the size of the group or of the batch."""
    together = HfRollouts(model, tokenizer, batch_size=64).sample(PROMPTS, 5, **HOW, seeds=SEEDS)
    small = HfRollouts(model, tokenizer, batch_size=2)
    for index, (messages, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        alone = small.sample([messages], 3, **HOW, seeds=[seed])[0]
        assert [one.token_ids for one in alone] == [one.token_ids for one in together[index][:3]]
    backwards = small.sample(PROMPTS[::-1], 2, **HOW, seeds=SEEDS[::-1])
    assert [one.token_ids for one in backwards[4]] == [one.token_ids for one in together[0][:2]]
    assert together[0][0].token_ids != together[3][0].token_ids, "the same prompt, another seed"


def test_row_seeds_differ_everywhere():
    seeds = {row_seed(seed, sample) for seed in range(300) for sample in range(16)}
    assert len(seeds) == 300 * 16
    assert all(0 <= seed < 2**63 for seed in seeds), "what vLLM takes"
    assert row_seed(-1, 0) == row_seed(2**64 - 1, 0) != row_seed(1, 0)


def test_groups_are_told_as_soon_as_they_are_complete(model, tokenizer):
    told = []
    rollouts = HfRollouts(model, tokenizer, batch_size=8)
    groups = rollouts.sample(PROMPTS, 4, **HOW, seeds=SEEDS, on_group=lambda index, group: told.append((index, group)))
    assert sorted(index for index, _ in told) == [0, 1, 2, 3, 4]
    assert [index for index, _ in told] != [0, 1, 2, 3, 4], "by length"
    assert all(group == groups[index] for index, group in told)


def test_what_a_listener_raises_ends_the_sampling(model, tokenizer):
    calls = []

    def listener(index, group):
        calls.append(index)
        raise KeyError(index)

    model.train()
    with pytest.raises(KeyError):
        HfRollouts(model, tokenizer, batch_size=2).sample(PROMPTS, 2, **HOW, seeds=SEEDS, on_group=listener)
    assert len(calls) == 1
    assert model.training


def test_a_prompt_that_cannot_be_answered_spoils_no_other(model, tokenizer):
    prompts = [PROMPTS[0], [{"role": "user", "content": "word " * 200}], [{"role": "user", "content": "\ud800"}]]
    told = {}
    rollouts = HfRollouts(model, tokenizer, max_model_len=64)
    groups = rollouts.sample(prompts, 2, max_tokens=500, temperature=1.0, seeds=[1, 2, 3], on_group=told.__setitem__)
    assert "the model's context 64" in groups[1][0].error
    assert "chat template" in groups[2][1].error
    assert all(one.error is None and one.token_ids for one in groups[0])
    assert all(not one.truncated or len(one.prompt_ids + one.token_ids) == 64 for one in groups[0])
    assert all(not one.token_ids and not one.text and not one.truncated for group in groups[1:] for one in group)
    assert told == dict(enumerate(groups))


def test_temperature_0_takes_the_likeliest(model, tokenizer):
    groups = HfRollouts(model, tokenizer).sample(PROMPTS[:2], 2, max_tokens=12, temperature=0, seeds=[1, 2])
    for one, other in groups:
        assert one.token_ids == other.token_ids
        assert one.logprobs == pytest.approx(teacher_forced(model, one, 1.0), abs=1e-4)
        ids = torch.tensor([one.prompt_ids + one.token_ids])
        with torch.no_grad():
            likeliest = model(input_ids=ids, use_cache=False).logits[0, len(one.prompt_ids) - 1 : -1].argmax(-1)
        assert one.token_ids == tuple(likeliest.tolist())


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"temperature": math.nan}, {"seeds": [1]}, {"n": 0}])
def test_misuse_raises(model, tokenizer, wrong):
    with pytest.raises(EngineError, match=next(iter(wrong))):
        HfRollouts(model, tokenizer).sample(PROMPTS[:2], **{"n": 2, **HOW, "seeds": [1, 2], **wrong})


def test_the_module_is_as_it_was(model, tokenizer):
    """Training mode, gradient checkpointing, attention, gradients; parts that were in eval mode stay in it."""
    model.train()
    model.model.layers[1].eval()
    model.gradient_checkpointing_enable()
    modes = [part.training for part in model.modules()]
    expected = HfRollouts(model, tokenizer).sample(PROMPTS[:1], 2, **HOW, seeds=[5])
    assert [part.training for part in model.modules()] == modes
    assert model.is_gradient_checkpointing
    assert model.config._attn_implementation == "sdpa"
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())
    loss = model(input_ids=torch.tensor([expected[0][0].prompt_ids]), use_cache=False).logits.mean()
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    model.zero_grad()
    model.gradient_checkpointing_disable()
    model.eval()
    assert HfRollouts(model, tokenizer).sample(PROMPTS[:1], 2, **HOW, seeds=[5]) == expected


def test_dropout_is_off(tokenizer):
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=128, eos_token_id=2, resid_pdrop=0.5
    )
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config).train()
    groups = HfRollouts(model, tokenizer).sample(PROMPTS[:2], 3, **{**HOW, "max_tokens": 8}, seeds=[1, 2])
    for one in [*groups[0], *groups[1]]:
        assert one.logprobs == pytest.approx(teacher_forced(model, one, 0.9), abs=1e-4)


def test_lora_is_sampled_with(tiny_model_path, tokenizer):
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")
    before = HfRollouts(base, tokenizer).sample(PROMPTS[:1], 2, **HOW, seeds=[1])[0]
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    model = peft.get_peft_model(base, config)
    after = HfRollouts(model, tokenizer).sample(PROMPTS[:1], 2, **HOW, seeds=[1])[0]
    assert [one.token_ids for one in after] != [one.token_ids for one in before]
    for one in after:
        assert one.logprobs == pytest.approx(teacher_forced(model, one, 0.9), abs=1e-4)


def test_what_is_trained_is_what_answers(tiny_model_path, tokenizer):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")
    rollouts = HfRollouts(model, tokenizer)
    first = rollouts.sample(PROMPTS[:1], 1, **HOW, seeds=[1])[0][0]
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    ids = torch.tensor([first.prompt_ids + first.token_ids])
    model(input_ids=ids, labels=ids).loss.backward()
    optimiser.step()
    rollouts.sync(model)
    second = rollouts.sample(PROMPTS[:1], 1, **HOW, seeds=[1])[0][0]
    assert second != first
    assert second.logprobs == pytest.approx(teacher_forced(model, second, 0.9), abs=1e-4)
    rollouts.close()
    rollouts.close()
    with pytest.raises(EngineError, match="closed"):
        rollouts.sample(PROMPTS[:1], 1, **HOW, seeds=[1])


# The sampler over other models, and its draws.

TINY = {"vocab_size": 96, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2}
SHAPE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
}  # fmt: skip
CONFIGS = {
    "rotary": lambda: transformers.LlamaConfig(**TINY, **SHAPE),
    "learned positions": lambda: transformers.GPT2Config(**TINY, n_embd=32, n_layer=2, n_head=4, n_positions=256),
    "sliding window": lambda: transformers.MistralConfig(**TINY, **SHAPE, sliding_window=9),
    "some layers slide": lambda: transformers.Gemma3TextConfig(
        **TINY, **SHAPE, sliding_window=9, layer_types=["sliding_attention", "full_attention", "sliding_attention"]
    ),
    "plain attention": lambda: transformers.Qwen3Config(**TINY, **SHAPE, attn_implementation="eager"),
    "attention of its own": lambda: transformers.FalconConfig(
        **TINY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=256, alibi=False
    ),
    "bias by distance": lambda: transformers.BloomConfig(**TINY, hidden_size=32, n_layer=2, n_head=4),
    "latent keys": lambda: transformers.DeepseekV3Config(
        **TINY, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, n_routed_experts=4, n_group=2, topk_group=1,
        num_experts_per_tok=2, kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=12,
        first_k_dense_replace=1, max_position_embeddings=256,
    ),
    "experts": lambda: transformers.Qwen3MoeConfig(
        **TINY, **SHAPE, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24
    ),
    "no cache": lambda: transformers.MambaConfig(**TINY, hidden_size=32, num_hidden_layers=2, state_size=4),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_any_causal_model_is_sampled_right(name):
    """Prompts of four lengths with five answers each, of lengths of their own, drawn and greedy."""
    torch.manual_seed(0)
    config = CONFIGS[name]()
    how = {"attn_implementation": config._attn_implementation} if name == "plain attention" else {}
    model = transformers.AutoModelForCausalLM.from_config(config, **how).eval()
    for weight in model.parameters():
        weight.data.mul_(3 if weight.ndim > 1 else 1)  # so that text matters to the next token
    generator = torch.Generator().manual_seed(1)
    prompts = [torch.randint(3, 96, (length,), generator=generator).tolist() for length in (5, 23, 14, 23)]
    rooms, temperatures = [30, 7, 18, 30, 25], [0.0, 0.8, 0.8, 1.3, 0.8]
    rows = [
        Row(prompt, Sampling(max_tokens=30, temperature=temperatures[i], seed=10 * prompt + i), rooms[i])
        for prompt in range(4)
        for i in range(5)
    ]
    drawn = {}
    Decoder(model, [2]).run(prompts, rows, drawn.__setitem__)
    assert drawn.keys() == set(range(20))
    for index, row in enumerate(rows):
        one, prompt = drawn[index], prompts[row.prompt]
        assert len(one.token_ids) <= row.room
        assert one.ended == (one.token_ids[-1] == 2)
        assert one.ended or len(one.token_ids) == row.room
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + list(one.token_ids)]), use_cache=False).logits
        logits = logits[0, len(prompt) - 1 : -1].float()
        logprobs = (logits / (row.sampling.temperature or 1)).log_softmax(-1)
        said = logprobs.gather(1, torch.tensor(one.token_ids)[:, None])[:, 0]
        assert one.logprobs == pytest.approx(said.tolist(), abs=2e-4)
        if row.sampling.temperature == 0:
            assert one.token_ids == tuple(logits.argmax(-1).tolist())


def test_prompts_are_shared_where_attention_lets_them(monkeypatch):
    """The figure behind `kv_cache.share`: answers hold their own tokens alone."""
    from rationale_rm.engine import kv_cache

    shapes = []
    regroup = kv_cache.GrowingLayer.regroup

    def watched(layer, groups):
        regroup(layer, groups)
        shapes.append((tuple(layer.prompt_keys.shape[:3:2]), tuple(layer.keys.shape[:3:2])))

    monkeypatch.setattr(kv_cache.GrowingLayer, "regroup", watched)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS["rotary"]()).eval()
    rows = [Row(i // 4, Sampling(max_tokens=9, temperature=1.0, seed=i), 3 if i < 4 else 9) for i in range(8)]
    Decoder(model, [95]).run([[5] * 40, [6] * 30], rows, lambda index, drawn: None)
    assert shapes
    assert all(shape == ((1, 40), (4, 2)) for shape in shapes[:3]), shapes


@pytest.mark.parametrize("name", ["rotary", "some layers slide"])
def test_prompts_are_read_in_parts_with_the_same_result(monkeypatch, name):
    """Parts of one prompt and of two; what cannot be put together is read whole."""
    from rationale_rm.engine import decode

    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[name]()).eval()
    prompts = [list(range(3, 3 + length)) for length in (30, 11, 20, 30, 4)]
    rows = [Row(i // 2, Sampling(max_tokens=9, temperature=1.0, seed=i), 9) for i in range(10)]
    found = []
    for tokens in (4096, 60, 1):
        monkeypatch.setattr(decode, "_PREFILL", tokens)
        drawn = {}
        Decoder(model, [95]).run(prompts, rows, drawn.__setitem__)
        found.append([drawn[index].token_ids for index in range(10)])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("vocabulary", [96, 300])
def test_a_model_that_overflows_is_said_to(vocabulary):
    config = transformers.LlamaConfig(**{**TINY, "vocab_size": vocabulary}, **SHAPE)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.lm_head.weight.data[7] = math.nan
    for temperature in (0.0, 1.0):
        rows = [Row(0, Sampling(max_tokens=3, temperature=temperature, seed=1), 3)]
        with pytest.raises(EngineError, match="not numbers"):
            Decoder(model, [2]).run([[3, 4]], rows, lambda index, drawn: None)


def chi_square(counts, probabilities):
    """The p-value of counts against what was to be drawn."""
    return scipy.stats.chisquare(counts, probabilities * counts.sum()).pvalue


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_draws_follow_the_exact_distribution(temperature):
    """Two tokens from a vocabulary of six, 20,000 times, against probabilities computed in float64."""
    torch.manual_seed(2)
    config = transformers.LlamaConfig(**{**SHAPE, "vocab_size": 6, "eos_token_id": 5}, pad_token_id=0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.lm_head.weight.data.mul_(8)
    n, prompt = 20_000, [3, 1, 4]
    rows = [Row(0, Sampling(max_tokens=2, temperature=temperature, seed=row_seed(7, i)), 2) for i in range(n)]
    drawn = {}
    Decoder(model, [5]).run([prompt], rows, drawn.__setitem__)
    counts = np.zeros((6, 6))
    for one in drawn.values():
        counts[one.token_ids if len(one.token_ids) == 2 else (5, 0)] += 1
    exact = np.zeros((6, 6))
    model.double()
    for first in range(6):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, first]]), use_cache=False).logits[0, -2:]
        start, then = (logits / temperature).softmax(-1).numpy()
        exact[first] = start[first] * (then if first != 5 else np.eye(6)[0])
    likely = exact > 0
    assert counts[~likely].sum() == 0
    assert chi_square(counts[likely], exact[likely]) > 1e-4
    assert chi_square(counts[likely], np.roll(exact[likely], 1) / exact[likely].sum()) < 1e-6, "the test can fail"


@pytest.mark.parametrize("vocabulary", [2, 127, 128, 129, 5000])
def test_inverse_cdf_is_that_of_exact_sums(vocabulary):
    """At the borders between tokens, where rounding decides, and with tokens that must never come."""
    rng = np.random.default_rng(vocabulary)
    probabilities = rng.random((200, vocabulary)) ** 6
    probabilities[rng.random((200, vocabulary)) < 0.3] = 0
    probabilities[:, rng.integers(vocabulary)] += 1e-9
    probabilities = torch.tensor(probabilities, dtype=torch.float32)
    cumulated = np.cumsum(probabilities.double().numpy(), 1)
    borders = cumulated[np.arange(200), rng.integers(0, vocabulary, 200)] / cumulated[:, -1]
    near_one = np.nextafter(1, 0)
    for uniform in (rng.random(200), np.zeros(200), np.full(200, near_one), np.minimum(borders, near_one)):
        tokens = inverse_cdf(probabilities, torch.from_numpy(uniform)).numpy()
        assert (probabilities.numpy()[np.arange(200), tokens] > 0).all()
        target = uniform * cumulated[:, -1]
        below = cumulated[np.arange(200), tokens] - probabilities.double().numpy()[np.arange(200), tokens]
        assert (below <= target * (1 + 1e-12) + 1e-15).all()
        assert (cumulated[np.arange(200), tokens] >= target * (1 - 1e-12)).all()


def test_rows_draw_alike_with_and_without_neighbours():
    """Numbers are taken in blocks: rows that leave, at any step, do not shift the numbers of the others."""
    how = [Sampling(max_tokens=1, temperature=1.0, seed=seed) for seed in range(5)]
    steps = torch.randn(200, 5, 40, generator=torch.Generator().manual_seed(0))
    alone = []
    for row in range(5):
        draws = RowDraws([how[row]], "cpu")
        alone.append([int(draws.draw(logits[row : row + 1])[0]) for logits in steps])
    draws, left = RowDraws(how, "cpu"), torch.arange(5)
    for at, logits in enumerate(steps):
        if at in (1, 64, 100):
            kept = torch.arange(len(left))[torch.arange(len(left)) != 1]
            draws.keep(kept)
            left = left[kept]
        assert draws.draw(logits[left])[0].tolist() == [alone[row][at] for row in left.tolist()]


def test_top_p_is_that_of_transformers():
    logits = torch.randn(50, 300, generator=torch.Generator().manual_seed(0)) * 3
    how = [Sampling(max_tokens=1, temperature=0.7, top_p=0.1 + 0.018 * row, seed=row) for row in range(50)]
    how[7] = dataclasses.replace(how[7], top_p=1.0)
    tokens, logprobs = RowDraws(how, "cpu").draw(logits)
    for row, (one, token, logprob) in enumerate(zip(how, tokens.tolist(), logprobs.tolist(), strict=True)):
        scores = logits[row : row + 1] / 0.7
        if one.top_p < 1:
            scores = transformers.TopPLogitsWarper(one.top_p)(None, scores)
        assert logprob == pytest.approx(float(scores.log_softmax(-1)[0, token]), abs=1e-5)
