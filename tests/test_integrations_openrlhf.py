"""OpenRLHF's protocol without OpenRLHF: the response in a query, what is refused, the exported row.

Under OpenRLHF itself: tests/integrations/test_openrlhf.py.
"""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integrations.critiques import critiques
from rationale_rm import RationaleError
from rationale_rm.integrations import openrlhf as adapter
from rationale_rm.integrations.openrlhf import export_row, openrlhf_reward
from rationale_rm.integrations.openrlhf_queries import OVERLAP, responses, without_prompt
from rationale_rm.integrations.rows import read_row
from rationale_rm.rewards import RewardSettings


@pytest.mark.parametrize(
    ("settings", "unanswered", "message"),
    [
        (RewardSettings(max_length=100), "stop", "overlong_buffer_len"),
        (RewardSettings(mode="gdpo"), "stop", "makes advantages"),
        (RewardSettings(), "zero", "must be stop or drop"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(settings, unanswered, message):
    with pytest.raises(RationaleError, match=message):
        openrlhf_reward(settings, unanswered=unanswered)


@given(st.text(), st.text())
def test_the_prompt_is_cut_off(prompt, response):
    assert without_prompt(prompt + response, prompt) == response
    composed = unicodedata.normalize("NFC", prompt)
    assert without_prompt(composed + "\n" + response, prompt) == "\n" + response


@given(st.text(min_size=40, max_size=80), st.integers(0, 20), st.text())
def test_a_prompt_whose_start_was_cut(prompt, cut, response):
    prompt = unicodedata.normalize("NFC", prompt)
    found = without_prompt(prompt[cut:] + response, prompt)
    assert found is None or (prompt[cut:] + response).endswith(found)
    if len(set(prompt)) == len(prompt):  # no part of it stands there twice
        assert found == response


@given(st.text("ab", min_size=30, max_size=60), st.integers(1, 20), st.text("ab", max_size=60))
def test_the_longest_end_of_a_cut_prompt_is_cut_off(prompt, cut, response):
    """By the definition, on texts that repeat themselves."""
    query = prompt[cut:] + response
    ends = [end for end in range(OVERLAP, len(prompt) + 1) if query.startswith(prompt[len(prompt) - end :])]
    assert without_prompt(query, prompt) == (query[max(ends) :] if ends else None)


@pytest.mark.parametrize("unit", ["ab ", "<|im_start|>user\nthe same line\n", "日本語です。"])
def test_a_repetitive_prompt_that_was_cut(unit):
    """What a cut query begins with stands in the prompt a hundred times."""
    prompt = unit * 100 + "<|im_start|>assistant\n"
    for cut in range(0, len(unit) * 98, 7):
        assert without_prompt(prompt[cut:] + "my answer", prompt) == "my answer"


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_prompt_cut_within_a_character(cut):
    """The rest of its bytes is read as U+FFFD, by tokenizers of bytes."""
    prompt = "😀 and what is shown besides"
    query = (prompt + "answer").encode()[cut:].decode("utf-8", "replace")
    assert query.startswith("\ufffd")
    assert without_prompt(query, prompt) == "answer"


def test_a_cut_prompt_that_is_not_composed():
    prompt = "cut here" + "e\u0301 as it is typed in two signs"
    assert without_prompt(prompt[4:] + "answer", prompt) == "answer"
    assert without_prompt(unicodedata.normalize("NFC", prompt)[4:] + "answer", prompt) == "answer"


def test_a_prompt_that_is_not_there():
    assert without_prompt("", "prompt") is None
    assert without_prompt("something else entirely", "a prompt that is long enough") is None
    assert without_prompt("a" * 100_000 + "b", "a" * 100_000 + "c") is None  # and soon
    assert without_prompt("ab" * 50_000 + "b", "ab" * 50_000 + "c") is None


@given(st.text(), st.lists(st.sampled_from(["<|im_end|>", "<|endoftext|>", "</s>", "<eos>"]), max_size=4))
def test_end_tokens_are_cut_off(text, ends):
    (found,) = responses(["p" + text + "".join(ends)], ["p"])
    assert text.startswith(found.rstrip())
    if text.strip() and not text.rstrip().endswith(">"):
        assert found == text


def test_the_label_of_an_exported_row_is_what_answers_are_scored_against():
    for case in critiques()[::8]:
        row = json.loads(json.dumps(export_row(case.pair, swapped=case.swapped, messages=case.messages)))
        assert read_row(row["label"]) == case.row
        assert row["input"] == [dict(message) for message in case.messages]


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(RationaleError, match="2 queries and 1 prompts"):
        responses(["a", "b"], ["a"])
    with pytest.raises(RationaleError, match="query 1 does not begin with its prompt"):
        responses(["a", "b"], ["a", "c"])


def test_a_text_that_names_a_picture_is_none():
    """OpenRLHF splits messages at this tag, and expects a picture for each."""
    case = critiques()[0]
    messages = [{"role": "user", "content": "see <image>, <<image>image> and ‹image›"}, *case.messages]
    row = export_row(case.pair, swapped=case.swapped, messages=messages)
    assert row["input"][0] == {"role": "user", "content": "see ‹image›, <‹image›image> and ‹image›"}
    assert "<image>" in messages[0]["content"]


@pytest.fixture
def rewards(monkeypatch):
    """`openrlhf_reward` with lists in the place of tensors: torch is in the trainers' environments."""
    monkeypatch.setattr(adapter, "_tensors", dict)
    return openrlhf_reward


ASKED = RewardSettings(judge="lexical", seed=3)


def test_a_row_without_a_label_is_a_fault_of_the_data(rewards, caplog):
    """NaN would have the filter run through data of which no row can be scored."""
    case = critiques()[0]
    label = json.dumps({**case.fields, "label": None})
    for mode in ("product", "sum", "outcome"):
        reward_func = rewards(RewardSettings(judge="lexical", mode=mode), unanswered="drop")
        caplog.clear()
        assert reward_func([f"p{case.text}"], ["p"], [label])["rewards"] is None
        assert f"no label, which mode {mode} needs" in caplog.text
    found = rewards(RewardSettings(judge="lexical", mode="rationale"), unanswered="drop")(
        [f"p{case.text}"], ["p"], [label]
    )
    assert found["rewards"][0] > 0


def test_a_query_without_its_prompt_is_dropped_alone(rewards, caplog):
    case, label = critiques()[0], json.dumps(critiques()[0].fields)
    reward_func = rewards(ASKED, unanswered="drop")
    found = reward_func([f"p{case.text}", case.text], ["p", "p"], [label, label])
    assert found["rewards"][0] > 0
    assert math.isnan(found["rewards"][1])
    assert "does not begin with its prompt" in caplog.text
    assert rewards(ASKED)([f"p{case.text}", case.text], ["p", "p"], [label, label])["rewards"] is None


def test_many_queries_without_their_prompts_stop_the_run(rewards, caplog):
    """A tokenizer that changes every prompt would use up the data."""
    case, label = critiques()[0], json.dumps(critiques()[0].fields)
    reward_func = rewards(ASKED, unanswered="drop")
    for _ in range(40):
        assert reward_func([f"p{case.text}"], ["p"], [label])["rewards"][0] > 0
    found = [reward_func([case.text], ["p"], [label])["rewards"] for _ in range(4)]
    assert [one is None for one in found] == [False, False, True, True]
    assert "3 of the last 43, more than max_failure_rate 0.05" in caplog.text


def test_a_judge_that_cannot_be_opened_stops_the_run(rewards, caplog):
    case, label = critiques()[0], json.dumps(critiques()[0].fields)
    away = RewardSettings(judge="openai:m@http://127.0.0.1:9/v1", cache="/dev/null/cache")
    assert rewards(away, unanswered="drop")([f"p{case.text}"], ["p"], [label])["rewards"] is None
    assert "no reward, on which OpenRLHF stops" in caplog.text
