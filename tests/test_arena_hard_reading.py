"""The benchmark's own files, as they are and broken; which game counts."""

import contextlib
import json
import re

import numpy as np
import pytest
from arena_simulator import BASELINE, game
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rationale_rm.data import DataError
from rationale_rm.evals.arena_hard import (
    BASELINES,
    make_battles,
    make_board,
    read_answers,
    read_judgments,
    read_questions,
)
from rationale_rm.evals.arena_hard.board import PLAIN
from rationale_rm.evals.arena_hard.style import Style
from records import write


def judgment(uid="q1", model="m", *scores, **changes):
    """A line of model_judgment/JUDGE/MODEL.jsonl."""
    return {
        "uid": uid,
        "category": "hard_prompt",
        "judge": "gpt-4.1",
        "model": model,
        "baseline": "o3-mini-2025-01-31",
        "games": [
            {"score": score, "judgment": {"answer": f"My verdict: [[{score}]]"}, "prompt": []} for score in scores
        ],
    } | changes


def answer(uid="q1", model="m", text="a", **changes):
    """A line of model_answer/MODEL.jsonl."""
    return {
        "uid": uid,
        "ans_id": "x",
        "model": model,
        "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": {"answer": text}}],
        "tstamp": 1.5,
        "metadata": {
            "token_len": 7,
            "header_count": {"h1": 1, "h2": 2},
            "list_count": {"ordered": 3, "unordered": 0},
            "bold_count": {"**": 4, "__": 1},
        },
    } | changes


def test_the_first_game_shows_the_baseline_as_a(tmp_path):
    path = write(tmp_path / "m.jsonl", judgment("q1", "m", "A>>B", "A>B"))
    first, second = read_judgments([path])
    assert (first.model_first, first.level) == (False, -2)  # A, the baseline, is much better
    assert (second.model_first, second.level) == (True, 1)  # A, the model, is better
    assert first.text == "My verdict: [[A>>B]]"
    assert (first.judge, first.baseline, first.category) == ("gpt-4.1", "o3-mini-2025-01-31", "hard_prompt")


@pytest.mark.parametrize(
    ("label", "level"),
    [
        *[("A>>B", 2), ("A>B", 1), ("A=B", 0), ("B>A", -1), ("B>>A", -2)],
        *[("B<<A", 2), ("B<A", 1), ("B=A", 0), ("A<B", -1), ("A<<B", -2)],
    ],
)
def test_every_label_of_upstream_is_read(tmp_path, label, level):
    path = write(tmp_path / "m.jsonl", judgment("q1", "m", label, label))
    assert [one.level for one in read_judgments([path])] == [-level, level]


def test_no_answer_no_verdict_and_a_bad_one_are_three_things(tmp_path):
    lines = [judgment("q1", games=[None, {"score": None, "judgment": "?"}]), judgment("q2", "m", "A>B", "A>>>B")]
    found = read_judgments([write(tmp_path / "m.jsonl", *lines)])
    assert [one.status for one in found] == ["not_answered", "no_verdict", "ok", "bad_verdict"]
    assert [one.level for one in found] == [None, None, -1, None]
    fought = make_battles(found, category="hard_prompt", baseline="o3-mini-2025-01-31")
    assert fought.statuses == ({"bad_verdict": 1, "no_verdict": 1, "not_answered": 1, "ok": 1},)
    assert fought.malformed.sum() == 2
    assert fought.weights.sum() == 0  # upstream leaves a question out unless both games have a verdict


def test_an_old_line_without_a_baseline_has_the_benchmarks(tmp_path):
    line = judgment("q1", "m", "A>B", "B>A", category="creative_writing")
    del line["baseline"]
    assert read_judgments([write(tmp_path / "m.jsonl", line)])[0].baseline == BASELINES["creative_writing"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (judgment("q1", "m", "A>B"), "games must be a list of two"),
        (judgment("q1", "m", "A>B", "A>B", category="cooking"), "unknown category 'cooking'"),
        (judgment("q1", "m", "A>B", "A>B") | {"model": None}, "model must be text or a whole number"),
        (judgment("q1", "m", games=[3, None]), "a game must be an object or null, not a number"),
        (judgment("\ud800", "m", "A>B", "A>B"), "uid is not valid Unicode"),
        ([1], "a JSON object is expected, not list"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    good = judgment("q2", "m", "A>B", "B>A")
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in (good, line, good | {"uid": "q3"})) + "\n", "utf-8")
    with pytest.raises(DataError, match=r"m\.jsonl:2: .*" + re.escape(message)):
        read_judgments([path])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(judgment()) + list(answer())), inner)
    ),
    max_leaves=12,
)


@given(
    values=st.lists(
        st.dictionaries(st.sampled_from(list(judgment()) + list(answer())), json_values), min_size=1, max_size=3
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_line_is_read_or_refused(values, tmp_path_factory):
    whole = [(judgment("q1", "m", "A>B", "B>A") | answer() | value) for value in values]
    path = tmp_path_factory.mktemp("any") / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in whole), "utf-8")
    for read in (read_judgments, read_answers, read_questions):
        with contextlib.suppress(DataError):
            read([path])


def test_answers_with_their_recorded_counts(tmp_path):
    lines = [
        answer("q1", text="one"),
        answer("q2", metadata=None),
        answer("q3", metadata={"token_len": -3}),
        answer("q4", messages=[{"role": "assistant", "content": "plain"}]),
    ]
    found = read_answers([write(tmp_path / "m.jsonl", *lines)])["m"]
    assert found["q1"].text == "one"
    assert found["q1"].recorded_style == Style(length=7, headers=3, lists=3, bold=5)
    assert found["q2"].recorded_style is None
    assert found["q3"].recorded_style is None
    assert found["q4"].text == "plain"


def test_games_of_two_baselines_are_not_one_board():
    games = [game("q1", "m", False, 1), game("q1", "n", False, 1, baseline="other")]
    with pytest.raises(ValueError, match=r"n was judged against other .* the baseline is baseline"):
        make_battles(games, category="hard_prompt", baseline=BASELINE)


def test_a_judged_question_that_is_no_question_is_refused():
    with pytest.raises(ValueError, match="the judged question q1 is not among the questions"):
        make_battles([game("q1", "m", False, 1)], category="hard_prompt", baseline=BASELINE, questions=["q2"])


@pytest.mark.parametrize(("model_first", "shown"), [(False, "baseline's"), (True, "model's")])
def test_a_second_game_in_one_order_is_refused(model_first, shown):
    games = [game("q1", "m", False, None), game("q1", "m", True, 1), game("q1", "m", model_first, -2)]
    with pytest.raises(ValueError, match=f"two games of m on the question q1 show the {shown} answer first"):
        make_battles(games, category="hard_prompt", baseline=BASELINE)


@pytest.mark.parametrize(
    ("read", "line", "message"),
    [
        (
            read_judgments,
            judgment("q1", "m", "A>B", None),
            "a second judgment by 'gpt-4.1' of 'm' on the question 'q1'",
        ),
        (read_answers, answer("q1", "m"), "a second answer of 'm' to the question 'q1'"),
    ],
)
def test_a_copy_of_a_models_file_is_refused(tmp_path, read, line, message):
    """Of two judgments one game of each could count, and nobody would know which."""
    others = [line | {"uid": "q2"}, line | {"model": "n"}]
    write(tmp_path / "m.jsonl", *others, line)
    assert len(read([tmp_path])) > 0
    write(tmp_path / "other.jsonl", line | {"uid": "q3"}, line)
    with pytest.raises(DataError, match=rf"other\.jsonl:2: {message}, the first is .*m\.jsonl:3: keep one"):
        read([tmp_path])


def test_two_judges_may_judge_the_same_answer(tmp_path):
    lines = [judgment("q1", "m", "A>B", "A>B", judge=judge) for judge in ("one", "other")]
    assert len(read_judgments([write(tmp_path / "m.jsonl", *lines)])) == 4


def test_categories_never_mix():
    """Upstream's loop over categories keeps the battles of the last one for all that follow."""
    hard = [game(f"h{i}", "m", first, 1) for i in range(4) for first in (False, True)]
    creative = [game(f"c{i}", "m", first, -2, "creative_writing") for i in range(4) for first in (False, True)]
    alone = make_board(make_battles(hard, category="hard_prompt", baseline=BASELINE))
    for order in (hard + creative, creative + hard):
        boards = {
            category: make_board(make_battles(order, category=category, baseline=BASELINE))
            for category in ("hard_prompt", "creative_writing")
        }
        assert boards["hard_prompt"].rates[PLAIN].value == alone.rates[PLAIN].value == 1.0
        assert boards["creative_writing"].rates[PLAIN].value == 0.0


def test_the_order_of_games_changes_nothing():
    rng = np.random.default_rng(0)
    games = [
        game(f"q{i}", model, first, int(rng.integers(-2, 3)))
        for i in range(30)
        for model in "ab"
        for first in (False, True)
    ]
    shuffled = [games[i] for i in rng.permutation(len(games))]
    one, other = (
        make_board(make_battles(some, category="hard_prompt", baseline=BASELINE)) for some in (games, shuffled)
    )
    np.testing.assert_array_equal(one.rates[PLAIN].resampled, other.rates[PLAIN].resampled)


@pytest.mark.data
def test_the_benchmarks_questions(data_folder):
    found = read_questions([data_folder / "arena-hard" / "question.jsonl"])
    assert len(found) == 750
    categories = [question.category for question in found.values()]
    assert (categories.count("hard_prompt"), categories.count("creative_writing")) == (500, 250)
    assert {question.subcategory for question in found.values()} == {"coding", "math", "creative_writing"}
