"""Lengths of lists and the ranks that RC comes from, against slow twins; planted effects and none."""

from dataclasses import replace

import numpy as np
import pytest
from analysis_cases import answers, figure, view
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import spearman
from rationale_rm.analysis import Sampling, lengths, ranks

FEW = Sampling(n_resamples=200)


def sampled(seed, n=80, longer_when_wrong=0, rc_by_length=0.0):
    """Answers to `n` pairs in both orders; wrong ones hold more reasons by so many, RC rises with their number."""
    generator = np.random.default_rng(seed)
    views = []
    for pair in range(n):
        for swapped in (False, True):
            right = bool(generator.random() < 0.6)
            count = int(generator.integers(1, 5)) + (0 if right else longer_when_wrong)
            reasons = [" ".join(["word"] * int(generator.integers(1, 9))) for _ in range(count)]
            rc = float(np.clip(0.3 + rc_by_length * (count - 2.5) + 0.1 * generator.normal(), 0, 1))
            name = f"p{pair}" + ("#swapped" if swapped else "")
            views.append(view(pair, id=name, swapped=swapped, right=right, reasons=reasons, scores=[0] * count, rc=rc))
    return views


@given(st.integers(0, 500))
@settings(max_examples=8, deadline=None)
def test_lengths_are_plain_means(seed):
    views = sampled(seed, n=20)
    found = lengths(answers(*views), FEW)
    for verdict, chosen in (
        ("all", views),
        ("right", [one for one in views if one.right]),
        ("wrong", [one for one in views if not one.right]),
    ):
        reasons = [reason for one in chosen for reason in one.reasons]
        expected = {
            "reasons_per_answer": np.mean([len(one.reasons) for one in chosen]),
            "words_per_reason": np.mean([reason.count("word") for reason in reasons]),
            "characters_per_reason": np.mean([len(reason) for reason in reasons]),
        }
        for metric, value in expected.items():
            one = figure(found, f"m/{verdict}", metric)
            assert one.value == pytest.approx(float(value))
            assert one.low <= one.value <= one.high
            assert (one.n, one.n_total) == (len(chosen), len(chosen))
    correlation = figure(found, "m/all", "spearman_rc_reasons").value
    counts = [float(len(one.reasons)) for one in views]
    assert correlation == pytest.approx(spearman(counts, [one.rc for one in views]))


def test_longer_wrong_answers_are_found_and_none_where_there_is_nothing():
    planted = lengths(answers(*sampled(1, longer_when_wrong=2)), FEW)
    assert figure(planted, "m/right-wrong", "reasons_per_answer").high < -1
    null = lengths(answers(*sampled(2)), FEW)
    for metric in ("reasons_per_answer", "words_per_reason"):
        one = figure(null, "m/right-wrong", metric)
        assert one.low < 0 < one.high


def test_rc_that_goes_with_length_is_found_and_none_where_there_is_nothing():
    assert figure(lengths(answers(*sampled(3, rc_by_length=0.1)), FEW), "m/all", "spearman_rc_reasons").low > 0.3
    one = figure(lengths(answers(*sampled(4)), FEW), "m/all", "spearman_rc_reasons")
    assert one.low < 0 < one.high


def test_the_interval_draws_pairs_and_not_answers():
    """Both orders of a pair with equal answers say no more than one of them."""
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 6, 50).tolist()
    one = [view(pair, scores=[0] * count) for pair, count in enumerate(counts)]
    two = [view(pair, id=f"p{pair}#swapped", swapped=True, scores=[0] * count) for pair, count in enumerate(counts)]
    single, both = (
        figure(lengths(answers(*views), FEW), "m/all", "reasons_per_answer") for views in (one, [*one, *two])
    )
    assert (both.low, both.high) == pytest.approx((single.low, single.high))
    assert both.n == 100


def test_answers_whose_reasons_are_not_known_are_no_empty_lists():
    known = [view(number) for number in range(4)]
    silent = view(4, scores=(), text=None, judge_status="not_judged", rc=None)
    failed = view(5, scores=(), text=None, status="not_answered", right=None, rc=None)
    empty = view(6, scores=(), text="No reasons.", rc=0.0)
    recorded_empty = view(7, scores=(), text=None, judge_status="no_reasons", rc=0.0)
    one = figure(
        lengths(answers(*known, silent, failed, empty, recorded_empty, missing={"m": 2}), FEW),
        "m/all",
        "reasons_per_answer",
    )
    assert (one.value, one.n, one.n_total) == (pytest.approx(8 / 6), 6, 10)


def test_what_does_not_vary_has_no_correlation_and_says_so():
    one = figure(lengths(answers(*(view(k, rc=k / 9) for k in range(9))), FEW), "m/all", "spearman_rc_reasons")
    assert one.value is None
    assert "same in all answers" in one.unavailable


def test_answers_that_are_neither_right_nor_wrong_count_for_neither():
    found = lengths(answers(view(0), view(1, right=False), view(2, right=None), view(3)), FEW)
    counts = [figure(found, f"m/{verdict}", "reasons_per_answer").n for verdict in ("all", "right", "wrong")]
    assert counts == [4, 2, 1]
    assert figure(found, "m/right-wrong", "reasons_per_answer").n == 3


def test_models_are_apart_and_all_have_points():
    found = lengths(answers(view(0, scores=(1,)), view(0, model="n", scores=(1, 0, 0)), view(1, model="n")), FEW)
    assert figure(found, "m/all", "reasons_per_answer").value == 1
    assert figure(found, "n/all", "reasons_per_answer").value == 2.5
    assert {(p["model"], p["verdict"]) for p in found.points} == {
        (model, verdict) for model in "mn" for verdict in ("all", "right", "wrong", "right-wrong")
    }
    assert figure(found, "m/wrong", "reasons_per_answer").unavailable == "no such answer whose reasons are known"


def test_an_answer_that_could_not_be_read_is_not_one_without_reasons():
    read = [view(number, scores=[0.5, 0.0]) for number in range(3)]
    unreadable = replace(view(3, scores=[]), status="unclosed_block", text="<RESULT_START>", right=False)
    found = lengths(answers(*read, unreadable), FEW)
    one = figure(found, "m/all", "reasons_per_answer")
    assert (one.value, one.n, one.n_total) == (2.0, 3, 4)


# Ranks.

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=4)


@given(st.lists(SCORES, min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_contributions_add_up_to_rc(lists):
    views = [view(number, scores=scores, n_references=4) for number, scores in enumerate(lists)]
    found = ranks(answers(*views), Sampling(n_resamples=20))
    rc = np.mean([one.rc for one in views])
    parts = {one.slice: one for one in found.estimates if one.metric == "contribution"}
    assert sum(one.value or 0.0 for one in parts.values()) == pytest.approx(float(rc))
    if rc > 0:
        assert sum(one.value for one in found.estimates if one.metric == "share") == pytest.approx(1)
    for rank in range(1, max(map(len, lists), default=0) + 1):
        there = [scores[rank - 1] for scores in lists if len(scores) >= rank]
        if f"m/{rank}" in parts:
            assert parts[f"m/{rank}"].value == pytest.approx(sum(there) / 4 / len(lists))
            assert figure(found, f"m/{rank}", "present").value == pytest.approx(len(there) / len(lists))
            assert figure(found, f"m/{rank}", "score").value == pytest.approx(np.mean(there))


def test_a_planted_rank_is_found_and_even_ranks_are_even():
    generator = np.random.default_rng(0)

    def some(weights):
        drawn = [[float(generator.random() < weight) for weight in weights] for _ in range(200)]
        return answers(*(view(number, scores=scores, n_references=5) for number, scores in enumerate(drawn)))

    first = ranks(some((0.9, 0.1, 0.1)), FEW)
    assert figure(first, "m/1", "share").low > 0.6
    even = ranks(some((0.3, 0.3, 0.3)), FEW)
    for rank in (1, 2, 3):
        share = figure(even, f"m/{rank}", "share")
        assert share.low < 1 / 3 < share.high


def test_the_share_has_the_interval_of_a_ratio():
    generator = np.random.default_rng(3)
    scores = generator.random((40, 2)).round(2)
    found = figure(
        ranks(answers(*(view(k, scores=row.tolist()) for k, row in enumerate(scores))), Sampling(5000)), "m/1", "share"
    )
    drawn = [scores[rows, 0].sum() / scores[rows].sum() for rows in generator.integers(0, 40, (5000, 40))]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01)


def test_unscored_answers_are_left_out_and_counted():
    unscored = view(1, rc=None, matches=(), judge_status="judge_error")
    found = ranks(answers(view(0), view(2), unscored, missing={"m": 1}), FEW)
    one = figure(found, "m/1", "contribution")
    assert (one.value, one.n, one.n_total) == (0.5, 2, 4)
    none = ranks(answers(unscored), FEW)
    assert "a judge has to score" in figure(none, "m/1", "contribution").unavailable


def test_answers_without_the_matches_of_their_rc_are_left_out_with_a_note():
    found = ranks(answers(view(0), view(1, matches=())), FEW)
    assert figure(found, "m/1", "contribution").n == 1
    assert found.notes == ("m: 1 of 2 answers with an RC lack the matches that it is made of.",)


def test_ranks_past_the_cut_are_not_shown_unless_they_are_matched():
    long = [view(k, scores=(1, 0, 0, 0)) for k in range(3)]
    assert {p["rank"] for p in ranks(answers(*long), FEW, top_k=2).points} == {1, 2}
    matched = [view(k, scores=(1, 0, 1, 0)) for k in range(3)]
    assert {p["rank"] for p in ranks(answers(*matched), FEW, top_k=2).points} == {1, 2, 3}


def test_a_thousand_reasons_are_one_rank_past_fifty():
    found = ranks(answers(view(0, scores=[0.0] * 998 + [0.25, 1.0]), view(1)), FEW)
    assert max(point["rank"] for point in found.points) == 51
    assert figure(found, "m/51+", "contribution").value == pytest.approx(1.25 / 2 / 2)


def test_long_analyses_tell_how_far_they_are():
    scores = [(0.1 * k,) * (1 + k % 3) for k in range(9)]
    found = answers(
        *(view(k, model=m, scores=scores[k], n_references=4, right=k % 2 == 0) for m in "mn" for k in range(9))
    )
    told = []
    assert lengths(found, FEW, on_progress=lambda *one: told.append(one)) == lengths(found, FEW)
    for model in "mn":
        of_model = [done for name, done in told if name == model]
        assert of_model[0] == 0
        assert of_model == sorted(of_model)
        assert of_model[-1] == 2 * FEW.n_resamples - 1
    told.clear()
    assert ranks(found, FEW, on_progress=lambda *one: told.append(one)) == ranks(found, FEW)
    assert told == [(model, rank) for model in "mn" for rank in (0, 1, 2, 3)]
