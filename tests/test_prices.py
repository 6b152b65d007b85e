"""What tokens cost: tables, names, and what is wrong with a table; what a run would come to."""

import asyncio
import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import question, request
from rationale_rm.engine import Generation
from rationale_rm.judge import Cache, Caller, MetaJudge, Price, Usage, find_price
from rationale_rm.judge.caller import question_key
from rationale_rm.judge.faults import Tokens
from rationale_rm.judge.plan import UnaskedClient, plan


def table(tmp_path, models, **more):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"as_of": "2026-01-02", "models": models, **more}), "utf-8")
    return path


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1000), st.floats(0, 1000))
def test_the_cost_by_hand(prompt, completion, dollars_in, dollars_out):
    cached = prompt // 3
    price = Price(dollars_in, dollars_out, dollars_in / 2, "today")
    by_hand = ((prompt - cached) * dollars_in + cached * dollars_in / 2 + completion * dollars_out) / 1_000_000
    assert price.cost(prompt, cached, completion) == pytest.approx(by_hand)
    usage = Usage()
    usage.spend(Tokens(prompt, cached, completion))
    assert usage.cost(price) == pytest.approx(by_hand)
    assert usage.cost(None) is None


def test_the_users_table_goes_before_the_packages(tmp_path):
    known = json.loads(resources.files("rationale_rm.judge").joinpath("prices.json").read_text("utf-8"))
    name = next(iter(known["models"]))
    mine = {"input": 1, "output": 2, "cached_input": 0.1}
    ours = table(tmp_path, {name: {"input": 123, "output": 456}, "mine": mine})
    assert find_price(name, ours) == Price(123.0, 456.0, 123.0, "2026-01-02")
    assert find_price("mine", ours) == Price(1.0, 2.0, 0.1, "2026-01-02")
    assert find_price(name).input != 123
    assert find_price("no-such-model", ours) is None
    assert find_price("no-such-model") is None


def test_names_with_a_version_have_the_price_of_their_model(tmp_path):
    ours = table(tmp_path, {"o1": {"input": 1, "output": 1}, "o1-preview": {"input": 2, "output": 2}})
    assert find_price("o1-2024-12-17", ours).input == 1
    assert find_price("provider/o1-preview", ours).input == 2
    assert find_price("o1-mini", ours) is None or find_price("o1-mini", ours).input not in (1, 2)


def test_the_packages_table_is_whole():
    known = json.loads(resources.files("rationale_rm.judge").joinpath("prices.json").read_text("utf-8"))
    assert known["as_of"]
    for name in known["models"]:
        price = find_price(name)
        assert 0 < price.cached_input <= price.input < price.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "expected"),
        ('{"m": 1}', "expected"),
        ('{"models": []}', "expected"),
        ('{"models": {"m": 1}}', "the entry of m"),
        ('{"models": {"m": {}}}', "input of m"),
        ('{"models": {"m": {"input": 1}}}', "output of m"),
        ('{"models": {"m": {"input": "1", "output": 1}}}', "input of m"),
        ('{"models": {"m": {"input": -1, "output": 1}}}', "input of m"),
        ('{"models": {"m": {"input": NaN, "output": 1}}}', "input of m"),
        ('{"models": {"m": {"input": true, "output": 1}}}', "input of m"),
        ('{"models": {"m": {"input": 1, "output": 1, "cached_input": null}}}', "cached_input of m"),
    ],
)
def test_a_table_at_fault_is_named_with_its_entry(tmp_path, content, said):
    path = tmp_path / "prices.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=said) as caught:
        find_price("m", path)
    assert str(path) in str(caught.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        find_price("m", tmp_path / "none.json")


# Plans.


def test_a_plan_counts_what_would_be_asked(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    judge = MetaJudge(Caller(UnaskedClient("test:m", "m")), max_tokens=100)
    questions = [judge.question(request(number)) for number in range(10)]
    twins = [*questions, questions[0], questions[1]]
    cache.put(question_key("m", questions[5]), Generation(text="x", finish_reason="stop"))
    found = plan(twins, "m", cache)
    assert (found.questions, found.cached, found.calls) == (12, 3, 9)
    assert found.max_completion_tokens == 900
    n_characters = sum(
        len(message["content"])
        for number, asked in enumerate(questions)
        if number != 5
        for message in asked.prompt("x").messages
    )
    assert found.prompt_tokens == pytest.approx(n_characters / 4, abs=1)
    price = Price(1.0, 10.0, 0.1, "today")
    low, high = found.cost(price)
    assert low == pytest.approx(found.prompt_tokens / 1e6)
    assert high == pytest.approx(low + 900 * 10 / 1e6)
    assert found.cost(None) is None
    cache.close()


def test_a_model_that_is_planned_with_cannot_be_asked():
    with pytest.raises(RuntimeError, match="planned"):
        asyncio.run(UnaskedClient("test:m", "m").complete([], question().sampling, timeout=1))
