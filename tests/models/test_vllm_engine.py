"""vLLM in this process, against transformers on the same weights."""

import asyncio
import re
import threading

import pytest
import transformers
from rationale_rm.analysis.taxonomy import parse
from rationale_rm.engine import EngineError, HfEngine, Sampling, VllmEngine
from rationale_rm.judge import Caller, EngineClient, Limits, MetaJudge
from rationale_rm.prompts import metajudge_regex, taxonomy_regex
from rationale_rm.types import MatchRequest, MetaJudgeStatus

from benches import judging_inputs, tiny_model

PROMPTS = [
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Response 1 ignores the question. " * 9}],
    [{"role": "user", "content": "Ω"}],
    [{"role": "user", "content": "Response 2 names the year. " * 60}],
]
GREEDY = Sampling(max_tokens=40)
REGEX = metajudge_regex(2, 3, reasoning_chars=60)


@pytest.fixture(scope="module")
def hf(tiny_model_path):
    with HfEngine(tiny_model_path) as engine:
        yield engine


@pytest.fixture(scope="module")
def vllm(tiny_model_path):
    with VllmEngine(tiny_model_path, max_model_len=4096) as engine:
        yield engine


def agree(left, right):
    """Same tokens, text, ends and counts; log-probabilities to 1e-3."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.token_ids == other.token_ids
        assert (one.text, one.finish_reason) == (other.text, other.finish_reason)
        assert (one.prompt_tokens, one.completion_tokens) == (other.prompt_tokens, other.completion_tokens)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
        assert len(one.logprobs) == len(one.token_ids)


def test_greedy_equals_transformers(vllm, hf):
    agree(*(engine.generate(PROMPTS, [GREEDY] * len(PROMPTS), logprobs=True) for engine in (vllm, hf)))


def weights_of(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32").state_dict()


def rescored(tokenizer, model, prompt, answer, temperature, top_p):
    """What transformers says of the tokens that vLLM drew: the oracle of sampler log-probabilities."""
    import torch

    ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([ids + list(answer.token_ids)])).logits[0, len(ids) - 1 : -1] / temperature
    logits = transformers.TopPLogitsWarper(top_p)(None, logits) if top_p < 1 else logits
    return logits.log_softmax(-1).gather(1, torch.tensor(answer.token_ids)[:, None])[:, 0].tolist()


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.4, 1.0), (0.6, 0.7)])
def test_logprobs_are_those_of_the_sampler(vllm, tiny_model_path, temperature, top_p):
    """After temperature and top_p, and from a batch that mixes samplings."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")
    how = Sampling(max_tokens=24, temperature=temperature, top_p=top_p, seed=4)
    answers = vllm.generate([*PROMPTS, PROMPTS[0]], [how] * len(PROMPTS) + [GREEDY], logprobs=True)
    for prompt, answer in zip(PROMPTS, answers, strict=False):
        assert answer.logprobs == pytest.approx(
            rescored(tokenizer, model, prompt, answer, temperature, top_p), abs=1e-3
        )
        assert all(value > -50 for value in answer.logprobs)


def test_seeds_reproduce(vllm):
    seeds = [7, 7, 8, None, None]
    sampling = [Sampling(max_tokens=32, temperature=1.0, seed=seed) for seed in seeds]
    texts = [answer.text for answer in vllm.generate([PROMPTS[0]] * 5, sampling)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 4
    assert vllm.generate([PROMPTS[0]], sampling[2:3])[0].text == texts[2]


def test_seeds_survive_more_prompts_than_a_step_takes(vllm):
    """By default vLLM 0.32 splits prompts over steps, which on a CPU no seeded request survives."""
    prompts = [[{"role": "user", "content": f"{number} " + "word " * 900}] for number in range(12)]
    answers = vllm.generate(prompts, [Sampling(max_tokens=4, temperature=1.0, seed=seed) for seed in range(12)])
    assert sum(answer.prompt_tokens for answer in answers) > 2 * 4096
    assert all(answer.error is None for answer in answers)


def test_the_constraint_holds(vllm):
    assert vllm.constrains
    sampling = [Sampling(max_tokens=400, temperature=1.0, seed=seed, regex=REGEX) for seed in range(32)]
    free = [Sampling(max_tokens=8, temperature=1.0, seed=seed) for seed in range(4)]
    answers = vllm.generate([PROMPTS[seed % 3] for seed in range(36)], sampling + free)
    for answer in answers[:32]:
        assert re.fullmatch(REGEX, answer.text)
        assert answer.finish_reason == "stop"
    assert len({answer.text for answer in answers[:32]}) > 20, "bounded, not fixed"
    assert all(answer.completion_tokens <= 8 for answer in answers[32:])


def test_labels_of_reasons_keep_to_their_form(vllm):
    sampling = [
        Sampling(max_tokens=400, temperature=1.0, seed=seed, regex=taxonomy_regex(5, reasoning_chars=60))
        for seed in range(16)
    ]
    answers = vllm.generate([PROMPTS[seed % 3] for seed in range(16)], sampling)
    read = [parse(answer.text, 5) for answer in answers]
    assert {one.status.name for one in read} == {"OK"}
    assert len({labels for one in read for labels in one.labels}) > 10, "a random model uses all of it"


def test_a_metajudge_in_this_process(vllm):
    """The whole way of a judge named ``vllm:PATH``: a reward step, and a row that is too long beside it."""
    rows = judging_inputs.step(2)
    reasons = [*rows.reasons, ["word " * 5000]]
    requests = [
        MatchRequest(
            id=str(row), critique_id=str(row), pair_id="0", model="policy",
            references=tuple(rows.references[min(row, 15)]), reasons=tuple(listed),
        )
        for row, listed in enumerate(reasons)
    ]  # fmt: skip

    async def run():
        caller = Caller(EngineClient(vllm, name="vllm:tiny"), limits=Limits(attempts=2, first_wait=0.01))
        results = await MetaJudge(caller, temperature=1.0, reasoning_chars=80).match(requests)
        return results, caller.usage

    results, usage = asyncio.run(run())
    assert [result.statuses for result in results[:-1]] == [(MetaJudgeStatus.OK,)] * 16
    assert not results[-1].answered
    assert results[-1].error
    assert usage.constraints_held == 16
    assert usage.constraints_missed == 0
    assert usage.cached_tokens > usage.prompt_tokens / 2


def test_an_expression_that_does_not_compile_is_misuse_and_queues_nothing(vllm):
    bad = Sampling(max_tokens=4, regex="(unclosed")
    with pytest.raises(EngineError, match="refuses the sampling"):
        vllm.generate(PROMPTS[:2], [GREEDY, bad])
    assert len(vllm.generate(PROMPTS[:1], [GREEDY])) == 1


def test_a_prompt_that_is_too_long_spoils_no_other(vllm):
    assert vllm.max_model_len == 4096
    long = [{"role": "user", "content": "word " * 5000}]
    fits = [{"role": "user", "content": "word " * 4060}]
    bad, good = vllm.generate([long, fits], [Sampling(max_tokens=5000)] * 2)
    assert bad.finish_reason == "error"
    assert bad.text == ""
    assert "the model's context 4096" in bad.error
    assert good.error is None
    assert good.prompt_tokens + good.completion_tokens == 4096
    assert good.finish_reason == "length"


def test_a_group_shares_its_prefix(vllm):
    """Also in the step in which it is first seen: all but the first answer come from the cache."""
    shared = "The human list names the year, the sum and the missing unit. " * 24
    prompts = [[{"role": "user", "content": f"{shared}List {number}"}] for number in range(8)]
    answers = vllm.generate(prompts, [Sampling(max_tokens=2)] * 8)
    assert answers[0].cached_tokens == 0
    blocks = answers[0].prompt_tokens // 128 * 128
    assert blocks >= 256
    assert all(0 <= blocks - answer.cached_tokens <= 128 for answer in answers[1:])


def test_new_weights_take_effect_and_empty_the_prefix_cache(vllm, tiny_model_path, tmp_path):
    """The prompts were seen before: old keys and values in the cache would show in the answers."""
    before = vllm.generate(PROMPTS, [GREEDY] * 4)
    folder = tiny_model.make(tmp_path / "other", seed=1)
    new = weights_of(folder)
    try:
        vllm.load_weights(new.items())
        after = vllm.generate(PROMPTS, [GREEDY] * 4, logprobs=True)
        assert [answer.text for answer in after] != [answer.text for answer in before]
        with HfEngine(folder) as expected:
            agree(after, expected.generate(PROMPTS, [GREEDY] * 4, logprobs=True))
    finally:
        vllm.load_weights(weights_of(tiny_model_path).items())
    assert [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)] == [answer.text for answer in before]


def test_the_module_is_within_reach(vllm):
    """A change in place shows in answers to prompts that the prefix cache knows, and is taken back."""
    before = [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)]
    assert vllm.apply_model(lambda model: type(model).__name__) == ["Qwen3ForCausalLM"]
    vllm.apply_model(lambda model: model.model.norm.weight.data[:32].neg_() is None)
    changed = [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)]
    vllm.apply_model(lambda model: model.model.norm.weight.data[:32].neg_() is None)
    assert changed != before
    assert [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)] == before


def test_threads_take_turns(vllm):
    expected = [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)]
    found = [None] * 3

    def work(index):
        found[index] = [answer.text for answer in vllm.generate(PROMPTS, [GREEDY] * 4)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


def test_no_chat_template(tmp_path):
    folder = tiny_model.make(tmp_path / "base", chat_template=None)
    with pytest.raises(EngineError, match="no chat template"):
        VllmEngine(folder, max_model_len=256)
