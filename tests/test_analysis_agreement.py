"""Agreement of two judges against scipy; planted relations and none."""

import json
from dataclasses import replace

import numpy as np
import pytest
from analysis_cases import answers, figure, view
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.analysis import Sampling, agreement
from rationale_rm.documents import Analysis
from scipy import stats

FEW = Sampling(n_resamples=200)


def judged(seed=0, n_models=5, n_pairs=60, slope=0.8, intercept=0.1, noise=0.05, domains=("code",)):
    """The same answers by two judges, the second's RC a line of the first's with noise."""
    generator = np.random.default_rng(seed)
    sides = ([], [])
    for model in range(n_models):
        quality = 0.2 + 0.1 * model
        for pair in range(n_pairs):
            x = float(np.clip(quality + 0.15 * generator.normal(), 0, 1))
            y = float(np.clip(intercept + slope * x + noise * generator.normal(), 0, 1))
            for side, rc in zip(sides, (x, y), strict=True):
                side.append(view(pair, model=f"m{model}", rc=rc, domain=domains[pair % len(domains)]))
    return answers(*sides[0], judges=["first"]), answers(*sides[1], judges=["second"])


def line(x, y):
    fit = stats.linregress(x, y)
    residuals = np.asarray(y) - fit.slope * np.asarray(x) - fit.intercept
    return {
        "slope": fit.slope,
        "intercept": fit.intercept,
        "r2": fit.rvalue**2,
        "rmse": np.sqrt(np.mean(residuals**2)),
        "rmse_identity": np.sqrt(np.mean((np.asarray(y) - np.asarray(x)) ** 2)),
    }


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_lines_over_models_and_items_are_those_of_scipy(seed):
    first, second = judged(seed)
    found = agreement(first, second, FEW)
    rc = [np.array([one.rc for one in side.views]) for side in (first, second)]
    means = [column.reshape(5, 60).mean(axis=1) for column in rc]  # views are sorted by model
    for slice, (x, y) in (("overall", means), ("items", rc)):
        for metric, value in line(x, y).items():
            assert figure(found, slice, metric).value == pytest.approx(value, abs=1e-9)
        assert figure(found, slice, "difference").value == pytest.approx(float(np.mean(rc[1] - rc[0])))


def test_intervals_are_those_of_a_slow_bootstrap():
    first, second = judged(1, n_models=4, n_pairs=12)
    found = agreement(first, second, Sampling(n_resamples=3000))
    generator = np.random.default_rng(7)
    x, y = (np.array([one.rc for one in side.views]).reshape(4, 12) for side in (first, second))
    slow = {"overall": [], "items": []}
    for _ in range(3000):
        pairs = generator.integers(0, 12, 12)  # the same pairs for all models
        slow["overall"].append(line(x[:, pairs].mean(axis=1), y[:, pairs].mean(axis=1)))
        slow["items"].append(line(x[:, pairs].ravel(), y[:, pairs].ravel()))
    for slice, drawn in slow.items():
        for metric in ("slope", "r2", "rmse", "intercept"):
            low, high = np.quantile([one[metric] for one in drawn], [0.025, 0.975])
            one = figure(found, slice, metric)
            if slice == "overall" and metric in ("r2", "rmse"):  # an interval would lie beside the truth
                assert (one.low, one.high) == (None, None)
                assert "sampling noise" in one.unavailable
                continue
            assert (one.low, one.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_a_planted_line_is_found_and_none_where_there_is_none():
    planted = agreement(*judged(2, slope=0.5, intercept=0.2, noise=0.03), FEW)
    slope = figure(planted, "items", "slope")
    assert slope.low <= 0.5 <= slope.high
    assert slope.high < 1
    null = agreement(*judged(3, slope=0.0, intercept=0.5, noise=0.1), FEW)
    slope = figure(null, "items", "slope")
    assert slope.low < 0 < slope.high
    assert figure(null, "items", "r2").value < 0.05


def test_domains_and_models_have_figures_and_points_of_their_own():
    found = agreement(*judged(4, domains=("code", "stem")), FEW)
    assert {one.slice for one in found.estimates} == {
        *("overall", "code", "stem", "items"),
        *(f"items/m{number}" for number in range(5)),
    }
    points = [point for point in found.points if point["level"] == "model"]
    assert {(point["model"], point["domain"]) for point in points} == {
        (f"m{number}", domain) for number in range(5) for domain in ("overall", "code", "stem")
    }
    (one,) = [point for point in points if (point["model"], point["domain"]) == ("m2", "stem")]
    assert one["n"] == 30
    assert found.subject == ("first", "second")


def test_the_answers_that_differ_most_are_listed_first():
    first = answers(*(view(number, rc=0.5) for number in range(9)))
    second = answers(*(view(number, rc=0.5 + number / 20) for number in range(9)))
    listed = [point for point in agreement(first, second, FEW, n_worst=3).points if point["level"] == "item"]
    assert [(point["id"], point["x"], point["y"]) for point in listed] == [
        ("p8", 0.5, 0.9),
        ("p7", 0.5, pytest.approx(0.85)),
        ("p6", 0.5, pytest.approx(0.8)),
    ]


def test_what_one_judge_did_not_score_is_no_zero():
    first, second = judged(5, n_models=3, n_pairs=10)
    unscored = [view(pair, model="m0", rc=None, judge_status="judge_error", matches=()) for pair in range(5)]
    kept = [one for one in second.views if one.model != "m0" or int(one.pair_id[1:]) >= 5]
    found = agreement(first, answers(*unscored, *kept), FEW)
    slope = figure(found, "items", "slope")
    assert (slope.n, slope.n_total) == (25, 30)
    (point,) = [p for p in found.points if p["level"] == "model" and p["model"] == "m0" and p["domain"] == "overall"]
    expected = np.mean([one.rc for one in second.views if one.model == "m0" and int(one.pair_id[1:]) >= 5])
    assert point["y"] == pytest.approx(float(expected))
    assert point["n"] == 5


def test_two_models_have_no_line_over_models_and_the_reason_is_given():
    found = agreement(*judged(6, n_models=2), FEW)
    assert figure(found, "overall", "r2").value is None
    assert "3 are needed" in figure(found, "overall", "r2").unavailable
    assert figure(found, "items", "r2").value is not None


def test_a_judge_that_says_the_same_of_all_has_no_line():
    first = answers(*(view(number, rc=0.5) for number in range(9)))
    second = answers(*(view(number, rc=number / 10) for number in range(9)))
    found = figure(agreement(first, second, FEW), "items", "slope")
    assert found.value is None
    assert "same RC everywhere" in found.unavailable


def test_answers_that_are_not_the_same_are_refused():
    with pytest.raises(RationaleError, match="no answer in common: the first holds 1 of m, such as 'p0'"):
        agreement(answers(view(0)), answers(view(1)))
    other = view(0, reasons=("Something else.", "And more."))
    with pytest.raises(RationaleError, match="'p0' of model 'm' has other reasons in the second"):
        agreement(answers(view(0)), answers(other))


def test_answers_of_one_side_are_counted():
    found = agreement(answers(view(0), view(1), view(2)), answers(view(0), view(1), view(3)), FEW)
    assert found.notes == ("2 answers are in one of the two only, and left out.",)


def test_other_human_reasons_are_refused():
    first, second = judged(1)
    changed = replace(second.views[0], references=("another",))
    with pytest.raises(RationaleError, match="other human reasons"):
        agreement(first, replace(second, views=(changed, *second.views[1:])), FEW)


def test_the_document_comes_back():
    found = agreement(*judged(8), FEW)
    assert Analysis.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))).estimates == found.estimates
