"""The transformers engine on its own: seeds, limits, sampling, misuse."""

import json
import math
import threading

import pytest
import torch
import transformers
from rationale_rm.engine import EngineError, HfEngine, Sampling

from benches import tiny_model

PROMPTS = [
    [{"role": "user", "content": "Which response is better, and why?"}],
    [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Response 1 ignores the question. " * 9}],
    [{"role": "user", "content": "Ω"}],
]
DRAWN = Sampling(max_tokens=24, temperature=1.0, seed=11)


@pytest.fixture(scope="module")
def engine(tiny_model_path):
    with HfEngine(tiny_model_path) as engine:
        yield engine


def test_greedy_equals_stepping_through_the_model(engine, tiny_model_path):
    """The oracle: one prompt, no padding, no cache, one forward pass for each token."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype="float32")
    answers = engine.generate(PROMPTS, [Sampling(max_tokens=12)] * 3, logprobs=True)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
        assert answer.prompt_tokens == len(ids)
        for token, logprob in zip(answer.token_ids, answer.logprobs, strict=True):
            with torch.no_grad():
                expected = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            assert token == int(expected.argmax())
            assert logprob == pytest.approx(float(expected[token]), abs=1e-4)
            ids = [*ids, token]
        assert answer.text == tokenizer.decode(answer.token_ids, skip_special_tokens=True)


def test_seeds_reproduce_in_any_batch_and_order(engine):
    sampling = [Sampling(max_tokens=24, temperature=1.0, seed=seed) for seed in range(3)]
    together = engine.generate(PROMPTS, sampling)
    alone = [engine.generate([prompt], [how])[0] for prompt, how in zip(PROMPTS, sampling, strict=True)]
    assert together == alone
    assert engine.generate(PROMPTS[::-1], sampling[::-1]) == together[::-1]
    repeated = engine.generate([PROMPTS[0]] * 40, [DRAWN] * 20 + [Sampling(max_tokens=24, temperature=1.0)] * 20)
    assert len({answer.text for answer in repeated[:20]}) == 1
    assert len({answer.text for answer in repeated[20:]}) == 20


def test_each_row_has_its_own_length_and_temperature(engine):
    lengths = [1, 5, 9]
    answers = engine.generate([PROMPTS[0]] * 3, [Sampling(max_tokens=length) for length in lengths])
    assert [answer.completion_tokens for answer in answers] == lengths
    assert [answer.finish_reason for answer in answers] == ["length"] * 3
    assert answers[2].token_ids[:5] == answers[1].token_ids


def test_draws_follow_the_distribution_and_top_p_cuts_it(engine):
    """First tokens drawn 600 times against the model's own probabilities, at temperature 0.5."""
    n = 600
    whole = engine.generate(
        [PROMPTS[0]] * n, [Sampling(max_tokens=1, temperature=0.5, seed=i) for i in range(n)], logprobs=True
    )
    seen = {answer.token_ids[0]: math.exp(answer.logprobs[0]) for answer in whole}
    tokens = [answer.token_ids[0] for answer in whole]
    for token in sorted(seen, key=seen.get)[-5:]:
        share, expected = tokens.count(token) / n, seen[token]
        assert share == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / n))
    cut = engine.generate(
        [PROMPTS[0]] * 100,
        [Sampling(max_tokens=1, temperature=0.5, top_p=0.2, seed=i) for i in range(100)],
        logprobs=True,
    )
    nucleus = {answer.token_ids[0]: math.exp(answer.logprobs[0]) for answer in cut}
    assert len(nucleus) < len(seen)
    assert sum(nucleus.values()) <= 1 + 1e-4
    assert all(nucleus[token] > seen[token] for token in nucleus.keys() & seen.keys())


def test_an_answer_ends_at_any_end_token_of_the_model(engine, tmp_path):
    """Greedy answers known beforehand, then the same model whose files name one of their tokens as an end."""
    before = engine.generate(PROMPTS, [Sampling(max_tokens=16)] * 3, logprobs=True)
    end = before[1].token_ids[5]
    folder = tiny_model.make(tmp_path / "ends")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, end]}))
    with HfEngine(folder) as other:
        after = other.generate(PROMPTS, [Sampling(max_tokens=16)] * 3, logprobs=True)
    for whole, answer in zip(before, after, strict=True):
        count = whole.token_ids.index(end) + 1 if end in whole.token_ids else 16
        assert answer.token_ids == whole.token_ids[:count]
        assert answer.logprobs == pytest.approx(whole.logprobs[:count], abs=1e-5)
        assert answer.completion_tokens == count
        assert answer.finish_reason == ("stop" if end in whole.token_ids else "length")
    assert after[1].finish_reason == "stop"


def test_weights_can_be_changed_in_place(tiny_model_path, engine, tmp_path):
    folder = tiny_model.make(tmp_path / "other", seed=1)
    source = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32").state_dict()
    with HfEngine(folder) as other, HfEngine(tiny_model_path) as changed:
        assert changed.generate(PROMPTS, [DRAWN] * 3) == engine.generate(PROMPTS, [DRAWN] * 3)
        changed.load_weights(source.items())
        assert changed.generate(PROMPTS, [DRAWN] * 3) == other.generate(PROMPTS, [DRAWN] * 3)
        with pytest.raises(EngineError, match="no weights named norm"):
            changed.load_weights([("norm", torch.zeros(2))])


def test_a_prompt_that_is_too_long_spoils_no_other(tiny_model_path):
    with HfEngine(tiny_model_path, max_model_len=64) as engine:
        long = [{"role": "user", "content": "word " * 200}]
        bad, good = engine.generate([long, PROMPTS[0]], [Sampling(max_tokens=500)] * 2)
    assert bad.finish_reason == "error"
    assert bad.text == ""
    assert "the model's context 64" in bad.error
    assert good.error is None
    assert good.prompt_tokens + good.completion_tokens == 64
    assert good.finish_reason == "length"


def test_text_that_is_no_unicode_is_an_error_of_its_row(engine):
    bad, good = engine.generate([[{"role": "user", "content": "\ud800"}], PROMPTS[0]], [Sampling(max_tokens=2)] * 2)
    assert bad.finish_reason == "error"
    assert good.finish_reason == "length"


def test_no_chat_template(tmp_path):
    folder = tiny_model.make(tmp_path / "base", chat_template=None)
    with pytest.raises(EngineError, match="no chat template"):
        HfEngine(folder)


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"temperature": -1.0}, {"temperature": math.nan}, {"top_p": 0.0}])
def test_misuse_raises(engine, wrong):
    with pytest.raises(EngineError, match=next(iter(wrong))):
        engine.generate([PROMPTS[0]], [Sampling(**{"max_tokens": 4, **wrong})])


def test_one_sampling_a_prompt(engine):
    with pytest.raises(EngineError, match="3 prompts but 1 sampling"):
        engine.generate(PROMPTS, [DRAWN])
    assert engine.generate([], []) == []


def test_threads_take_turns(engine):
    expected = engine.generate([PROMPTS[0]], [DRAWN])
    found = [None] * 4

    def work(index):
        found[index] = engine.generate([PROMPTS[0]], [DRAWN])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_the_samplings_of_the_model_files_stay_out(tiny_model_path, tmp_path):
    """Models ship top_k and repetition_penalty; what an engine draws from is the model alone."""
    folder = tiny_model.make(tmp_path / "tiny")
    (folder / "generation_config.json").write_text('{"do_sample": true, "top_k": 1, "repetition_penalty": 9.0}')
    with HfEngine(folder) as other, HfEngine(tiny_model_path) as engine:
        assert other.generate(PROMPTS, [DRAWN] * 3) == engine.generate(PROMPTS, [DRAWN] * 3)


def test_a_closed_engine_says_so(tiny_model_path):
    engine = HfEngine(tiny_model_path)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate([PROMPTS[0]], [DRAWN])
