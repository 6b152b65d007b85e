"""What is counted as style, against upstream's own patterns, and how two answers differ in it."""

import re

import numpy as np
import pytest
from arena_simulator import BASELINE, game
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.evals.arena_hard.battles import make_battles
from rationale_rm.evals.arena_hard.covariates import covariates
from rationale_rm.evals.arena_hard.games import Answer
from rationale_rm.evals.arena_hard.style import Style, differences, style_of

marked = st.text(alphabet="#*-+_1. \n\ta`", max_size=60)


def upstream(text):
    """Headers, list items and bold passages as Arena-Hard-Auto's patterns count them in a text without fences."""
    headers = sum(len(re.findall(rf"^#{{{level}}}\s", text, re.MULTILINE)) for level in range(1, 7))
    lists = sum(len(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^\s*\d+\.\s", r"^\s*[-*+]\s"))
    bold = sum(len(re.findall(pattern, text)) for pattern in (r"\*\*[^*\n]+\*\*", r"__[^_\n]+__"))
    return headers, lists, bold


@settings(max_examples=1500, deadline=None)
@given(marked.filter(lambda text: "```" not in text))
def test_counts_are_upstreams(text):
    style = style_of(text)
    assert (style.length, style.headers, style.lists, style.bold) == (len(text), *upstream(text))


def test_what_stands_in_fences_is_code():
    text = "# Title\n\n- one\n2. two\n```py\n# comment\n- not a list\n```\n**a** and __b__\n"
    assert style_of(text) == Style(length=len(text), headers=1, lists=2, bold=2)


@pytest.mark.parametrize("piece", ["\n", " ", "\t\n", "#", "*", "**", "_", "`", "```", "1", "- ", "1. ", "**a"])
def test_a_megabyte_of_marks_is_counted_in_linear_time(piece):
    """A pattern that backtracks would take hours."""
    text = piece * (1_000_000 // len(piece))
    assert style_of(text).length == len(text)


counts = st.tuples(st.integers(0, 10**6), *[st.integers(0, 1000)] * 3)


@given(counts, counts)
def test_exchanging_two_answers_turns_their_difference(one, other):
    a, b = np.array([one], dtype=float), np.array([other], dtype=float)
    np.testing.assert_array_equal(differences(a, b), -differences(b, a))
    assert np.abs(differences(a, b)).max() <= 1


def test_differences_by_hand():
    a, b = np.array([300.0, 3.0, 30.0, 0.0]), np.array([100.0, 0.0, 10.0, 5.0])
    found = differences(a, b)
    np.testing.assert_allclose(found, [0.5, 0.01 / 1.01, 0.0, -0.05 / 1.05])


def of(styles, texts=None):
    """Answers of m and the baseline with these recorded styles, and a battle on each."""
    held = {}
    for model, found in styles.items():
        held[model] = {f"q{i}": Answer(f"q{i}", model, "- text", style) for i, style in enumerate(found)}
    games = [game(f"q{i}", "m", first, 1) for i in range(len(styles["m"])) for first in (False, True)]
    return make_battles(games, category="hard_prompt", baseline=BASELINE), held


def test_covariates_are_standardised_over_battles_and_say_where_equal_style_lies():
    fought, held = of({"m": [Style(300, 1, 0, 0), Style(100, 0, 0, 4)], BASELINE: [Style(100, 0, 0, 0)] * 2})
    found = covariates(fought, held)
    assert found.names == ("length", "headers", "bold")
    assert found.constant == ("lists",)
    assert found.unit == "tokens"
    # each question has two battles, and the sample deviation of [.5, .5, 0, 0] is .5 / sqrt(3)
    np.testing.assert_allclose(found.values[:, 0, 0], np.array([0.25, -0.25]) / (0.5 / 3**0.5))
    np.testing.assert_allclose(found.at_equal_style[0], -0.25 / (0.5 / 3**0.5))


def test_one_answer_without_recorded_counts_makes_all_be_counted_here():
    """Tokens of one model are never compared with characters of another."""
    fought, held = of({"m": [Style(300, 1, 0, 0), None], BASELINE: [Style(100, 0, 0, 0)] * 2})
    found = covariates(fought, held)
    assert found.unit == "characters"
    assert found.names == ()  # all texts are the same
    assert found.constant == ("length", "headers", "lists", "bold")


def test_control_chooses_features():
    fought, held = of({"m": [Style(300, 1, 2, 3), Style(10, 0, 0, 0)], BASELINE: [Style(100, 0, 1, 0)] * 2})
    assert covariates(fought, held, ("length",)).names == ("length",)
    assert covariates(fought, held, ("markdown",)).names == ("headers", "lists", "bold")


def test_a_missing_answer_is_named():
    fought, held = of({"m": [Style(300, 1, 0, 0)], BASELINE: [Style(100, 0, 0, 0)]})
    with pytest.raises(ValueError, match=r"no answer of baseline to question q0.*model_answer files"):
        covariates(fought, {"m": held["m"]})
