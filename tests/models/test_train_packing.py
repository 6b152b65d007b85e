"""Packed sequences against each row by itself: log-probabilities, entropies, gradients; and how rows are dealt out."""

import itertools

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.engine import EngineError
from rationale_rm.train.packing import PACKED, MicroBatch, Tokens, attention_mask, micro_batch, micro_batches, positions
from rationale_rm.train.policy import Policy

SIZE = 61
PAD = 0
COMMON = {
    "vocab_size": SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # far enough from uniform that a token too many shows
    "bos_token_id": None,
    "eos_token_id": None,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}
PACKING = {
    "Qwen3": {},
    "Qwen3Moe": EXPERTS,
    "Llama": {"attention_bias": True},
    "GPT2": {**GPT2, "max_position_embeddings": 64},
    "Mistral": {"sliding_window": None},
}
WINDOWED = {
    "Mistral": {"sliding_window": 20},  # longer than what a policy tries
    "Qwen3": {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 0},
    "Gemma3": {"sliding_window": 20, "layer_types": ["sliding_attention", "full_attention"]},
}
RECURRENT = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
    "shared_expert_intermediate_size": 16,
    **EXPERTS,
}


def model(name, **changes):
    config = getattr(transformers, f"{name}TextConfig" if name == "Gemma3" else f"{name}Config")
    causal = getattr(transformers, "GPT2LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return causal(config(**(COMMON | changes)))


def tokens_of(lengths, seed=0):
    """Rows of prompts (length, lengths of the answers to it)."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(n):
        return torch.randint(0, SIZE, (n,), generator=generator).tolist()

    rows = []
    for n_prompt, answers in lengths:
        prompt = drawn(n_prompt)
        rows += [Tokens(prompt, drawn(n)) for n in answers]
    return rows


def upstream(rows, seed=0):
    """What each token's log-probability and entropy counts in the loss."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, len(one.answer), generator=generator) for one in rows]


def by_itself(base, rows, weights, temperature=1.0):
    """The definition: the logits of the model for one whole row, without padding; values of each row, and gradients."""
    base.zero_grad()
    values = []
    for one, (of_logprob, of_entropy) in zip(rows, weights, strict=True):
        ids = torch.tensor([[*one.prompt, *one.answer]])
        logits = base(input_ids=ids, use_cache=False).logits[0, len(one.prompt) - 1 : -1] / temperature
        log_p = logits.log_softmax(-1)
        logprobs = log_p.gather(1, torch.tensor(one.answer, dtype=torch.long)[:, None])[:, 0]
        entropy = -(log_p.exp() * log_p).sum(-1)
        ((logprobs * of_logprob).sum() + (entropy * of_entropy).sum()).backward()
        values.append(torch.stack([logprobs, entropy]).detach())
    return values, gradients(base)


def in_batches(policy, rows, weights, batches, temperature=1.0):
    """The same through micro-batches."""
    policy.zero_grad()
    values = [None] * len(rows)
    for lanes in batches:
        batch = micro_batch(lanes, rows, PAD, "cpu")
        tables = [batch.table(found) for found in policy(batch, temperature)]
        loss = 0.0 * sum(table.sum() for table in tables)
        for place, row in enumerate(batch.rows):
            n = len(rows[row].answer)
            assert batch.mask[place].tolist() == [at < n for at in range(batch.mask.shape[1])]
            found = torch.stack([table[place, :n] for table in tables])
            loss = loss + (found * weights[row]).sum()
            assert values[row] is None
            values[row] = found.detach()
        loss.backward()
    return values, gradients(policy.model)


def gradients(base):
    return {
        name: weight.grad.clone() if weight.grad is not None else torch.zeros_like(weight)
        for name, weight in base.named_parameters()
    }


def assert_same(ours, truth, tolerance=1e-5):
    """Values, and gradients relative to the largest entry."""
    for found, expected in zip(ours[0], truth[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert ours[1].keys() == truth[1].keys()
    for name, expected in truth[1].items():
        scale = max(1.0, expected.abs().max().item())
        torch.testing.assert_close(ours[1][name], expected, rtol=tolerance, atol=tolerance * scale, msg=name)


@st.composite
def groupings(draw):
    """Rows, and any way to put them into micro-batches of sequences that share a prompt."""
    answers = st.lists(st.integers(0, 9), min_size=1, max_size=4)
    rows = tokens_of(
        draw(st.lists(st.tuples(st.integers(1, 9), answers), min_size=1, max_size=3)), draw(st.integers(0, 9))
    )
    lanes = []
    for _, group in itertools.groupby(range(len(rows)), key=lambda row: rows[row].prompt):
        lane = []
        for row in draw(st.permutations(list(group))):
            if lane and draw(st.booleans()):
                lanes.append(tuple(lane))
                lane = []
            lane.append(row)
        lanes.append(tuple(lane))
    batches = [[]]
    for lane in draw(st.permutations(lanes)):
        if batches[-1] and draw(st.booleans()):
            batches.append([])
        batches[-1].append(lane)
    return rows, batches


# Packed is as unpacked.


@pytest.fixture(scope="module")
def policies():
    return {name: Policy(model(name, **changes)) for name, changes in PACKING.items()}


@pytest.mark.parametrize("name", PACKING)
def test_any_grouping_is_as_each_row_by_itself(policies, name):
    policy = policies[name]
    assert policy.packs

    @settings(deadline=None, max_examples=20)
    @given(groupings(), st.sampled_from([1.0, 0.6]))
    def check(grouping, temperature):
        rows, batches = grouping
        weights = upstream(rows)
        truth = by_itself(policy.model, rows, weights, temperature)
        assert_same(in_batches(policy, rows, weights, batches, temperature), truth)

    check()


@pytest.mark.parametrize("name", PACKING)
@pytest.mark.parametrize("budget", [40, 90, 1000])
def test_the_sequences_that_training_makes_are_as_each_row_by_itself(policies, name, budget):
    rows = tokens_of([(23, [11, 0, 7, 30]), (5, [1]), (12, [0, 0]), (23, [8, 8, 8]), (1, [40, 2])])
    weights = upstream(rows)
    truth = by_itself(policies[name].model, rows, weights)
    for packed in (False, True):
        (dealt,) = micro_batches(rows, budget, packed=packed)
        assert_same(in_batches(policies[name], rows, weights, dealt), truth)


def test_a_sequence_may_be_wider_than_the_places_a_model_has(policies):
    """Its texts are not; and the padding of a shorter one next to it has no place of its own."""
    rows = tokens_of([(20, [40] * 8), (20, [40])])
    batches = [[tuple(range(8)), (8,)]]
    batch = micro_batch(batches[0], rows, PAD, "cpu")
    assert batch.input_ids.shape[1] > policies["GPT2"].model.transformer.wpe.num_embeddings
    weights = upstream(rows)
    truth = by_itself(policies["GPT2"].model, rows, weights)
    assert_same(in_batches(policies["GPT2"], rows, weights, batches), truth)


def test_places_that_grow_with_the_text_are_those_of_the_longest_row():
    """Dynamic RoPE reads its base off the furthest place, which padding must not move."""
    rope = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
    policy = Policy(model("Llama", max_position_embeddings=48, rope_parameters=rope))
    rows = tokens_of([(20, [20] * 6), (20, [20])])
    weights = upstream(rows)
    truth = by_itself(policy.model, rows, weights)
    assert policy.packs
    assert_same(in_batches(policy, rows, weights, [[tuple(range(6)), (6,)]]), truth)


def test_gradient_checkpointing_keeps_the_mask():
    base = model("Qwen3")
    rows = tokens_of([(9, [5, 3, 0, 8]), (4, [6, 6])])
    weights = upstream(rows)
    truth = by_itself(base, rows, weights)
    policy = Policy(base)
    base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    base.train()
    assert_same(in_batches(policy, rows, weights, [[(0, 1, 2, 3), (4, 5)]]), truth)


def test_adapters_are_trained_alike():
    import peft

    base = model("Llama")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        lora = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        adapted = peft.get_peft_model(base, lora)
    policy = Policy(adapted)
    assert policy.packs
    rows = tokens_of([(9, [5, 3, 0, 8]), (4, [6, 6])])
    weights = upstream(rows)
    truth = by_itself(adapted, rows, weights)
    assert any(gradient.abs().max() > 0.1 for name, gradient in truth[1].items() if "lora_A" in name)
    assert_same(in_batches(policy, rows, weights, [[(0, 1, 2, 3), (4, 5)]]), truth)


def test_autocast_packs_as_well_as_it_computes():
    policy = Policy(model("Qwen3", initializer_range=0.1), bfloat16=True)
    assert policy.packs
    rows = tokens_of([(9, [5, 3, 0, 8]), (4, [6, 6])])
    weights = upstream(rows)
    truth = by_itself(policy.model, rows, weights)
    packed = in_batches(policy, rows, weights, [[(0, 1, 2, 3), (4, 5)]])
    alone = in_batches(policy, rows, weights, [[(row,)] for row in range(len(rows))])
    for found in (packed, alone):
        assert_same((found[0], {}), (truth[0], {}), tolerance=0.05)


# Models that would not heed the mask.


@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_is_kept_by_not_packing(name):
    policy = Policy(model(name, **WINDOWED[name]))
    assert not policy.packs
    rows = tokens_of([(30, [15, 20, 9]), (25, [30])])
    weights = upstream(rows)
    truth = by_itself(policy.model, rows, weights)
    (dealt,) = micro_batches(rows, 1000, packed=policy.packs)
    assert_same(in_batches(policy, rows, weights, dealt), truth)
    packed = in_batches(policy, rows, weights, [[(0, 1, 2), (3,)]])
    with pytest.raises(AssertionError):  # what would be lost
        assert_same(packed, truth, tolerance=0.01)


@pytest.mark.parametrize(("name", "changes"), [("Qwen3Next", RECURRENT), ("Qwen3", {"attn_implementation": "eager"})])
def test_what_takes_no_such_mask_is_not_packed(name, changes):
    policy = Policy(model(name, **changes))
    assert not policy.packs
    rows = tokens_of([(9, [5, 3, 8]), (4, [6])])
    weights = upstream(rows)
    truth = by_itself(policy.model, rows, weights)
    (dealt,) = micro_batches(rows, 100, packed=policy.packs)
    assert_same(in_batches(policy, rows, weights, dealt), truth)


def test_capped_logits_are_refused():
    with pytest.raises(EngineError, match="no multiple of its output projection"):
        Policy(model("Gemma2", final_logit_softcapping=30.0))


# Who sees what.


@settings(deadline=None, max_examples=100)
@given(groupings())
def test_a_token_sees_its_own_text_and_stands_at_its_place_in_it(grouping):
    rows, batches = grouping
    for lanes in batches:
        batch = micro_batch(lanes, rows, PAD, "cpu")
        segments = batch.segments
        if segments is None:
            assert all(len(lane) == 1 for lane in lanes)
            continue
        seen, place = attention_mask(segments)[:, 0], positions(segments)
        assert seen.dtype == torch.bool
        for number, lane in enumerate(lanes):
            ids = batch.input_ids[number]
            prompt = rows[lane[0]].prompt
            texts = [prompt[: at + 1] for at in range(len(prompt))]
            for row in lane:
                texts += [[*prompt, *rows[row].answer[: at + 1]] for at in range(len(rows[row].answer))]
            for at, text in enumerate(texts):
                assert ids[seen[number, at]].tolist() == text
                assert place[number, at] == len(text) - 1
            assert not seen[number, : len(texts), len(texts) :].any()
            assert seen[number, len(texts) :].diagonal(len(texts)).all()
            assert not place[number, len(texts) :].any()


@settings(deadline=None, max_examples=100)
@given(groupings())
def test_each_answer_token_is_predicted_from_the_token_before_it_in_its_text(grouping):
    rows, batches = grouping
    for lanes in batches:
        batch = micro_batch(lanes, rows, PAD, "cpu")
        assert batch.rows == tuple(row for lane in lanes for row in lane)
        answers = [rows[row].answer for row in batch.rows]
        assert batch.targets.tolist() == [token for answer in answers for token in answer]
        before = [[*rows[row].prompt, *rows[row].answer][len(rows[row].prompt) - 1 : -1] for row in batch.rows]
        assert batch.input_ids.flatten()[batch.places].tolist() == [token for one in before for token in one]
        numbers = batch.table(torch.arange(1, len(batch.targets) + 1))
        assert numbers[batch.mask].tolist() == list(range(1, len(batch.targets) + 1))
        assert not numbers[~batch.mask].any()


# How rows are dealt out.

dealings = st.lists(st.tuples(st.integers(1, 60), st.lists(st.integers(0, 60), min_size=1, max_size=6)), max_size=8)


@settings(deadline=None, max_examples=150)
@given(dealings, st.integers(1, 400), st.integers(1, 5), st.booleans())
def test_every_row_is_dealt_once_within_the_budget(lengths, budget, n_processes, packed):
    rows = tokens_of(lengths)
    dealt = micro_batches(rows, budget, n_processes, packed=packed)
    assert len(dealt) == n_processes
    assert len({len(batches) for batches in dealt}) == 1
    assert len(dealt[0]) >= 1
    lanes = [lane for batches in dealt for lanes in batches for lane in lanes]
    assert sorted(row for lane in lanes for row in lane) == list(range(len(rows)))
    for lane in lanes:
        assert packed or len(lane) == 1
        assert len({tuple(rows[row].prompt) for row in lane}) == 1
        assert len(lane) == 1 or width(rows, lane) <= budget
    for batches in dealt:
        for held in batches:
            assert len(held) <= 1 or len(held) * max(width(rows, lane) for lane in held) <= budget


@settings(deadline=None, max_examples=100)
@given(dealings.filter(len), st.integers(1, 400))
def test_a_sequence_is_split_only_where_the_next_answer_has_no_room(lengths, budget):
    rows = tokens_of(lengths)
    ((*batches,),) = micro_batches(rows, budget, packed=True)
    by_prompt = {}
    for lane in sorted(lane for held in batches for lane in held):
        by_prompt.setdefault(tuple(rows[lane[0]].prompt), []).append(lane)
    for lanes in by_prompt.values():
        for lane, following in itertools.pairwise(lanes):
            assert width(rows, lane) + len(rows[following[0]].answer) > budget


def width(rows, lane):
    return len(rows[lane[0]].prompt) + sum(len(rows[row].answer) for row in lane)


def test_no_packed_sequence_is_longer_than_what_attention_is_worth():
    rows = tokens_of([(100, [500] * 8)])
    (dealt,) = micro_batches(rows, 10 * PACKED, packed=True)
    assert [width(rows, lane) for held in dealt for lane in held] == [1600, 1600, 1100]
    long = tokens_of([(100, [PACKED, PACKED])])
    assert micro_batches(long, 10 * PACKED, packed=True) == [[[(0,), (1,)]]]


@pytest.mark.parametrize("n_processes", [1, 2, 3, 8])
def test_every_process_has_work(n_processes):
    rows = tokens_of([(10, [10, 10])] * n_processes)
    dealt = micro_batches(rows, 10_000, n_processes, packed=True)
    assert [len(batches) for batches in dealt] == [1] * n_processes
    assert all(held for batches in dealt for held in batches)


def test_a_process_without_rows_keeps_pace_with_one_token(policies):
    assert micro_batches([], 100, 3) == [[[]], [[]], [[]]]
    batch = micro_batch([], [], PAD, "cpu")
    assert isinstance(batch, MicroBatch)
    assert (batch.rows, batch.segments, batch.targets.tolist()) == ((), None, [PAD])
    policy = policies["Qwen3"]
    policy.zero_grad()
    logprobs, entropy = policy(batch)
    (0.0 * (logprobs.sum() + entropy.sum())).backward()
    assert all(not gradient.any() for gradient in gradients(policy.model).values())
