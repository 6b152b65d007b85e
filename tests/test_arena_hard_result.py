"""From a live or recorded judge to the documents of the report: failures stay beside the score, orders are compared."""

import asyncio
import json
import re

import numpy as np
import pytest
from arena_simulator import BASELINE, Simulator, game
from judging import LocalClient
from rationale_rm._core import RationaleError
from rationale_rm.critique import CritiqueSettings, critique
from rationale_rm.documents import EvalResult
from rationale_rm.evals.answers import Answers
from rationale_rm.evals.arena_hard import make_battles, make_board, read_questions, score_games
from rationale_rm.evals.arena_hard.asking import games, pairs
from rationale_rm.evals.arena_hard.contest import Contest
from rationale_rm.evals.arena_hard.games import Answer, Question
from rationale_rm.evals.arena_hard.result import difference, make_result
from rationale_rm.evals.arena_hard.views import items
from rationale_rm.judge import Caller, CallError, Limits, faults
from records import transcript

QUICK = {"n_resamples": 200, "seed": 0}


def result_of(games, model="m", answers=None, questions=None):
    fought = make_battles(games, category="hard_prompt", baseline=BASELINE, questions=questions)
    return make_result(
        model, [make_board(fought, answers, **QUICK)], items(fought, model, {}, {}), {"seed": 0}, **QUICK
    )


def figure(result, metric, rule="", slice="hard_prompt"):
    (found,) = [e for e in result.estimates if (e.rule, e.slice, e.metric) == (rule, slice, metric)]
    return found


def test_a_judge_without_verdicts_costs_coverage_and_not_score():
    games = [game(f"q{i}", "m", first, 1) for i in range(6) for first in (False, True)]
    games[2] = game("q1", "m", False, None)  # a malformed answer
    found = result_of(games, questions=[f"q{i}" for i in range(8)])
    rate = figure(found, "win_rate", "plain")
    assert (rate.value, rate.n, rate.n_total) == (1.0, 5, 8)
    assert rate.pessimistic == pytest.approx(10 / 16)
    assert figure(found, "malformed").value == pytest.approx(1 / 12)
    assert (figure(found, "malformed").n, figure(found, "malformed").n_total) == (6, 8)
    assert found.statuses == {"no_verdict": 1, "not_answered": 4, "ok": 11}


def test_no_verdict_at_all_is_no_figure():
    found = result_of([game("q0", "m", first, None) for first in (False, True)])
    rate = figure(found, "win_rate", "plain")
    assert (rate.value, rate.low, rate.n) == (None, None, 0)
    assert "no question has a verdict in both games" in rate.unavailable
    assert figure(found, "order_consistency").value is None
    assert figure(found, "malformed").value == 1.0


def test_one_question_has_no_interval():
    rate = figure(result_of([game("q0", "m", first, 1) for first in (False, True)]), "win_rate", "plain")
    assert (rate.value, rate.low, rate.high) == (1.0, None, None)
    assert "single question" in rate.unavailable


@pytest.mark.parametrize(
    ("baseline_first", "model_first", "consistency", "bias"),
    [(1, 1, 1, 0), (-1, 1, 0, 1), (1, -1, 0, -1), (0, 1, 0, 0.5), (2, 1, 1, 0), (0, 0, 1, 0)],
)
def test_orders_by_hand(baseline_first, model_first, consistency, bias):
    """A judge that prefers what stands first prefers the baseline in the first game and the model in the second."""
    games = [game(f"q{i}", "m", first, (baseline_first, model_first)[first]) for i in range(3) for first in (0, 1)]
    found = result_of(games)
    assert figure(found, "order_consistency").value == consistency
    assert figure(found, "position_bias").value == bias


def test_a_planted_position_bias_is_found_and_cancels_in_the_score():
    simulator = Simulator({"m": 0.0}, first_bias=1.0, n_questions=1000, strong=0.0)
    found = result_of(simulator.games(simulator.answers()))
    expected = 2 / (1 + np.exp(-1)) - 1
    assert figure(found, "position_bias").low < expected < figure(found, "position_bias").high
    assert figure(found, "win_rate", "plain").value == pytest.approx(0.5, abs=0.03)


def test_upstreams_interval_lies_within_the_95_percent_one():
    simulator = Simulator({"m": 0.4})
    answers = simulator.answers()
    found = result_of(simulator.games(answers), answers=answers)
    for rule in ("plain", "style_controlled", "equal_style"):
        wide, narrow = figure(found, "win_rate", rule), figure(found, "win_rate_5_95", rule)
        assert wide.value == narrow.value
        assert wide.low < narrow.low < wide.value < narrow.high < wide.high
    assert any("5% to the 95%" in note for note in found.notes)
    assert found.manifest["boards"][0]["style"]["length_unit"] == "tokens"


def test_a_result_survives_json_and_names_are_unique():
    simulator = Simulator({"m": 0.4, "n": -0.2})
    answers = simulator.answers()
    games = simulator.games(answers)
    games += [game(f"c{i}", "m", first, 1, "creative_writing", "other") for i in range(5) for first in (False, True)]
    boards = [
        make_board(make_battles(games, category="hard_prompt", baseline=BASELINE), answers, **QUICK),
        make_board(make_battles(games, category="creative_writing", baseline="other"), **QUICK),
    ]
    found = {}
    for model in "mn":
        own = [one for some in boards if model in some.battles.models for one in items(some.battles, model, {}, {})]
        found[model] = make_result(model, boards, own, {"seed": 0}, **QUICK)
        assert EvalResult.from_dict(json.loads(json.dumps(found[model].to_dict(), allow_nan=False))) == found[model]
        names = [(e.rule, e.slice, e.metric) for e in found[model].estimates]
        assert len(set(names)) == len(names)
    assert {e.slice for e in found["m"].estimates} == {"hard_prompt", "creative_writing"}
    assert {e.slice for e in found["n"].estimates} == {"hard_prompt"}


def test_the_difference_of_two_models_is_paired_by_question():
    """Two models that win and lose the same questions differ by 0, with no spread, however wide their intervals."""
    rng = np.random.default_rng(0)
    levels = rng.choice([-1, 1], size=100)
    games = [game(f"q{i}", name, first, int(levels[i])) for i in range(100) for name in "ab" for first in (False, True)]
    (found,) = difference(make_board(make_battles(games, category="hard_prompt", baseline=BASELINE), **QUICK), "a", "b")
    assert (found.value, found.low, found.high, found.n) == (0, 0, 0, 100)


def test_another_baseline_and_a_judge_of_itself_are_noted():
    fought = make_battles([game("q", "m", first, 1) for first in (0, 1)], category="hard_prompt", baseline=BASELINE)
    notes = {
        judge: " ".join(make_result("m", [make_board(fought, **QUICK)], [], {"judge": judge}, **QUICK).notes)
        for judge in ("m", "other")
    }
    assert all(
        "judged against baseline, and the benchmark's baseline is o3-mini-2025-01-31" in n for n in notes.values()
    )
    assert "m judged its own answers" in notes["m"]
    assert "judged its own answers" not in notes["other"]


QUESTIONS = {
    "h1": Question("h1", "hard_prompt", "math", "What is 2 + 2?"),
    "h2": Question("h2", "hard_prompt", "coding", "Sort a list."),
    "c1": Question("c1", "creative_writing", "creative_writing", "Write a haiku."),
}
BASELINES = {"hard_prompt": "base-h", "creative_writing": "base-c"}
ANSWERS = {
    model: {uid: Answer(uid, model, f"{quality} answer of {model} to {uid}") for uid in uids}
    for model, quality, uids in (
        ("base-h", "fair", ("h1", "h2")),
        ("base-c", "fair", ("c1",)),
        ("good", "fine", ("h1", "h2", "c1")),
        ("bad", "poor", ("h1", "h2", "c1")),
    )
}
QUALITY = {"fine": 2, "fair": 1, "poor": 0}


def upright_judge(messages, sampling, number):
    """Prefers the better answer, strongly, wherever it stands in the prompt."""
    text = "\n".join(message["content"] for message in messages)
    first, second = (QUALITY[word] for word in re.findall(r"(fine|fair|poor) answer of", text))
    verdict = "A>>B" if first > second else "B>>A"
    return transcript(verdict)


def judged(answer, contest=None):
    caller = Caller(LocalClient(answer, model="genrm"), limits=Limits(attempts=1))
    asked = pairs(contest or Contest(questions=QUESTIONS, answers=ANSWERS, baselines=BASELINES))
    found = {}

    def on_critique(pair, said):
        found[pair.id, said.swapped] = said

    asyncio.run(critique(caller, asked, on_critique, CritiqueSettings(order="both")))
    return games(Answers(pairs=tuple(asked), found=found, model="genrm"))


def test_a_live_genrm_plays_two_games_a_question():
    played = judged(upright_judge)
    assert len(played) == 2 * (2 + 2 + 1 + 1)  # a baseline does not play against itself
    for category, baseline in BASELINES.items():
        fought = make_battles(played, category=category, baseline=baseline)
        found = dict(zip(fought.models, make_board(fought).rates["plain"].value, strict=True))
        assert found == {"good": 1.0, "bad": 0.0}
        assert (np.abs(fought.levels) == 2).all()
        np.testing.assert_array_equal(fought.levels[0], fought.levels[1])


def test_a_failing_judge_is_not_answered_and_a_rambling_one_is_malformed():
    def answer(messages, sampling, number):
        if number % 2:
            raise CallError(faults.SERVER_ERROR, "down", retryable=False)
        return "I like both."

    played = judged(answer)
    assert {one.status for one in played} == {"not_answered", "no_verdict"}
    assert {one.level for one in played} == {None}


def test_a_missing_baseline_answer_says_what_to_give():
    with pytest.raises(
        RationaleError, match=r"no answer of base-h, the hard_prompt baseline, to question h1.*model_answer"
    ):
        pairs(Contest(questions=QUESTIONS, answers={"good": ANSWERS["good"]}, baselines=BASELINES))


def test_a_baseline_does_not_meet_itself():
    contest = Contest(
        questions=QUESTIONS, answers=ANSWERS, baselines=BASELINES, candidates=["good", "base-h", "base-c"]
    )
    assert {pair.id for pair in pairs(contest)} == {"h1/good", "h2/good", "c1/good"}


def test_an_unknown_model_is_named():
    with pytest.raises(RationaleError, match="no answers of nobody: there are those of bad, base-c, base-h, good"):
        pairs(Contest(questions=QUESTIONS, answers=ANSWERS, baselines=BASELINES, candidates=["nobody"]))


@pytest.mark.data
def test_the_benchmarks_own_prompts_are_judged(data_folder):
    """1,500 games about real prompts, which hold markup, code, other languages and instructions of their own."""
    questions = read_questions([data_folder / "arena-hard" / "question.jsonl"])
    answers = {
        model: {uid: Answer(uid, model, f"{quality} answer of {model}") for uid in questions}
        for model, quality in (("base-h", "fair"), ("base-c", "fair"), ("good", "fine"))
    }
    contest = Contest(questions=questions, answers=answers, baselines=BASELINES)
    boards = score_games(contest, judged(upright_judge, contest), n_resamples=10)
    assert [len(board.battles.questions) for board in boards] == [500, 250]
    for board in boards:
        assert board.battles.complete.all()
        assert board.rates["plain"].value == [1.0]
