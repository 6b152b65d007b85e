"""OpenRLHF's protocol without OpenRLHF: the response in a query, what is refused, the exported row.

Under OpenRLHF itself: tests/integrations/test_openrlhf.py.
"""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integrations.critiques import critiques
from rationale_rm import RationaleError
from rationale_rm.integrations.openrlhf import export_row, openrlhf_reward, responses, without_prompt
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


def test_a_prompt_that_is_not_there():
    assert without_prompt("", "prompt") is None
    assert without_prompt("something else entirely", "a prompt that is long enough") is None
    assert without_prompt("a" * 100_000 + "b", "a" * 100_000 + "c") is None  # and soon


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
