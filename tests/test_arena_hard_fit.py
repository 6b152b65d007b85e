"""Bradley–Terry with covariates and the bootstrap of Arena-Hard, against scipy's optimiser and the core's own."""

import numpy as np
import pytest
import rationale_rm
from arena_simulator import BASELINE, Simulator, game
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import _core as core
from rationale_rm.evals.arena_hard.battles import make_battles
from rationale_rm.evals.arena_hard.board import EQUAL_STYLE, PLAIN, STYLE_CONTROLLED, make_board
from rationale_rm.evals.arena_hard.bootstrap import percentiles, question_draws
from rationale_rm.evals.arena_hard.covariates import covariates
from rationale_rm.evals.arena_hard.fit import RIDGE, fit
from rationale_rm.evals.arena_hard.style import differences
from scipy.optimize import minimize

SPREAD = {"weak": -1.2, "even": 0.0, "strong": 0.9}


def simulated(**changes):
    simulator = Simulator(**{"strengths": SPREAD, "ties": 0.1, **changes})
    answers = simulator.answers()
    games = simulator.games(answers)
    return games, answers, make_battles(games, category=simulator.category, baseline=BASELINE)


def exploded(games):
    """Upstream's battles: one row a battle, those of "much better" three times; (model, uid, score of the model)."""
    rows = []
    for one in games:
        rows += [(one.model, one.uid, (np.sign(one.level) + 1) / 2)] * (3 if abs(one.level) == 2 else 1)
    return rows


def scipy_fit(design, scores, ridge=RIDGE):
    """Minimises the negative penalised log-likelihood of a logistic model, row by row."""

    def loss(at):
        odds = design @ at
        value = np.sum(np.logaddexp(0, -odds) + (1 - scores) * odds) + ridge / 2 * at @ at
        gradient = design.T @ (1 / (1 + np.exp(-odds)) - scores) + ridge * at
        return value, gradient

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    return found.x


def test_plain_win_rates_are_those_of_a_bradley_terry_fit_over_the_copied_battles():
    games, _, fought = simulated()
    rows = exploded(games)
    models = sorted(SPREAD)
    # one-hot with the baseline at -1 and free, as upstream has it: only differences are determined
    design = np.zeros((len(rows), len(models) + 1))
    for number, (model, _, _) in enumerate(rows):
        design[number, models.index(model)] = 1
        design[number, -1] = -1
    at = scipy_fit(design, np.array([score for *_, score in rows]))
    expected = 1 / (1 + np.exp(at[-1] - at[:-1]))
    np.testing.assert_allclose(make_board(fought).rates[PLAIN].value, expected, atol=1e-7)


def test_the_core_finds_the_same_strengths():
    games, _, fought = simulated()
    names = [BASELINE, *sorted(SPREAD)]
    rows = exploded(games)
    strengths = rationale_rm.bradley_terry(
        [0, len(rows)],
        [names.index(model) for model, *_ in rows],
        [0] * len(rows),
        [score for *_, score in rows],
        len(names),
        prior_std=1000.0,
    )
    expected = 1 / (1 + np.exp(strengths[0] - strengths[1:]))
    np.testing.assert_allclose(make_board(fought).rates[PLAIN].value, expected, atol=1e-6)


def test_the_fit_with_covariates_agrees_with_scipy_on_upstreams_rows():
    games, answers, fought = simulated(length_bias=2.0, lengthiness={"weak": 2.0, "strong": 0.7})
    rows, models = exploded(games), sorted(SPREAD)
    style = {
        (model, uid): np.array([s.length, s.headers, s.lists, s.bold], dtype=float)
        for model, held in answers.items()
        for uid, s in ((uid, answer.recorded_style) for uid, answer in held.items())
    }
    raw = np.array([differences(style[model, uid], style[BASELINE, uid]) for model, uid, _ in rows])
    features = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    one_hot = np.array([[float(model == name) for name in models] for model, *_ in rows])
    at = scipy_fit(np.hstack([one_hot, features]), np.array([score for *_, score in rows]))
    found = make_board(fought, answers, n_resamples=2)
    np.testing.assert_allclose(found.coefficients.value, at[3:], atol=1e-6)
    np.testing.assert_allclose(found.rates[STYLE_CONTROLLED].value, 1 / (1 + np.exp(-at[:3])), atol=1e-7)
    level = at[:3] + (-raw.mean(axis=0) / raw.std(axis=0, ddof=1)) @ at[3:]
    np.testing.assert_allclose(found.rates[EQUAL_STYLE].value, 1 / (1 + np.exp(-level)), atol=1e-7)


def test_a_resample_is_a_fit_to_the_drawn_questions_copied():
    _, answers, fought = simulated(n_questions=40, length_bias=1.0)
    features = covariates(fought, answers).values
    draws = question_draws(40, 3, seed=5)
    found = fit(fought.wins, fought.weights, features, draws)
    for number, drawn in enumerate(draws):
        copied = np.repeat(np.arange(40), drawn.astype(int))
        alone = fit(fought.wins[copied], fought.weights[copied], features[copied])
        np.testing.assert_allclose(found.strengths[number], alone.strengths[0], atol=1e-8)
        np.testing.assert_allclose(found.coefficients[number], alone.coefficients[0], atol=1e-8)


def test_many_resamples_are_fitted_in_parts_that_agree(monkeypatch):
    _, answers, fought = simulated(n_questions=30)
    features = covariates(fought, answers).values
    draws = question_draws(30, 7, seed=1)
    whole = fit(fought.wins, fought.weights, features, draws)
    monkeypatch.setattr("rationale_rm.evals.arena_hard.fit._CELLS", 1)
    apart = fit(fought.wins, fought.weights, features, draws)
    np.testing.assert_allclose(apart.strengths, whole.strengths, atol=1e-9)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_plain_interval_is_the_cores_clustered_bootstrap_over_copied_battles(level):
    games, _, fought = simulated(strengths={"even": 0.3})
    rows = exploded(games)
    numbers = {uid: number for number, uid in enumerate(fought.questions)}
    expected = core.bootstrap_ci(
        [score for *_, score in rows],
        clusters=[numbers[uid] for _, uid, _ in rows],
        n_resamples=500,
        level=level,
        seed=11,
    )
    rates = make_board(fought, n_resamples=500, seed=11).rates[PLAIN]
    assert rates.value[0] == pytest.approx(expected.mean, abs=1e-12)
    assert percentiles(rates.resampled[:, 0], level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_style_intervals_cover_the_truth_about_as_often_as_they_say():
    """90% intervals of the win rate at equal style, of 60 simulated leaderboards with a judge that likes length."""
    truth, held = 1 / (1 + np.exp(-0.5)), 0
    for seed in range(60):
        _, answers, fought = simulated(
            strengths={"m": 0.5},
            lengthiness={"m": 1.5},
            length_bias=1.5,
            n_questions=150,
            ties=0.0,
            strong=0.0,
            seed=seed,
        )
        low, high = percentiles(make_board(fought, answers, n_resamples=200).rates[EQUAL_STYLE].resampled[:, 0], 0.9)
        held += low <= truth <= high
    assert 46 <= held <= 60  # binomial(60, .9) lies outside 46…60 once in 1,500 tries; the seeds are fixed


def test_intervals_of_drawn_questions_cover_and_those_of_drawn_battles_do_not():
    """Both games of a question are about the same two answers. Upstream draws copies of battles one by one, as though
    all were independent, and its interval is too narrow; how often 90% intervals cover, of 200 simulated leaderboards.
    """
    effects = np.random.default_rng(0).normal(0, 2.0, size=1_000_000)
    truth = np.mean(1 / (1 + np.exp(-0.5 - effects)))
    by_question, by_battle = 0, 0
    for seed in range(200):
        games, _, fought = simulated(strengths={"m": 0.5}, spread=2.0, n_questions=150, ties=0.0, seed=seed)
        low, high = percentiles(make_board(fought, n_resamples=200).rates[PLAIN].resampled[:, 0], 0.9)
        by_question += low <= truth <= high
        scores = np.array([score for *_, score in exploded(games)])
        drawn = np.random.default_rng(seed).choice(scores, size=(200, scores.size)).mean(axis=1)
        low, high = np.quantile(drawn, [0.05, 0.95])
        by_battle += low <= truth <= high
    print(by_question, by_battle)
    assert 164 <= by_question <= 194
    assert by_battle < 150


def test_style_control_removes_a_planted_bias_for_length():
    """Two models as good as the baseline, of which one writes twice as much, and a judge that is drawn to length."""
    _, answers, fought = simulated(
        strengths={"long": 0.0, "short": 0.0},
        lengthiness={"long": 2.5, "short": 0.5},
        length_bias=2.5,
        n_questions=1500,
        ties=0.0,
    )
    found = make_board(fought, answers, n_resamples=200)
    plain, controlled, equal = (found.rates[rule].value for rule in (PLAIN, STYLE_CONTROLLED, EQUAL_STYLE))
    assert plain[0] > 0.65  # the bias is there
    assert plain[1] < 0.36
    np.testing.assert_allclose(equal, 0.5, atol=0.04)
    assert abs(controlled[0] - controlled[1]) < 0.06  # upstream's rule determines differences between models


def test_a_lone_models_score_is_only_controlled_at_equal_style():
    """Upstream centres the features on the leaderboard's mean: where it holds one model, that is the model itself."""
    _, answers, fought = simulated(
        strengths={"long": 0.0}, lengthiness={"long": 2.5}, length_bias=2.5, n_questions=1500, ties=0.0
    )
    found = make_board(fought, answers, n_resamples=2)
    plain, controlled, equal = (found.rates[rule].value[0] for rule in (PLAIN, STYLE_CONTROLLED, EQUAL_STYLE))
    assert controlled == pytest.approx(plain, abs=0.02)
    assert plain > 0.65
    assert equal == pytest.approx(0.5, abs=0.04)


def test_a_perfect_record_is_finite_and_a_model_without_battles_is_missing():
    games = [game(f"q{i}", "best", first, 2) for i in range(20) for first in (False, True)]
    games += [game(f"q{i}", "mute", False, None) for i in range(20)]
    fought = make_battles(games, category="hard_prompt", baseline=BASELINE)
    found = make_board(fought)
    assert found.rates[PLAIN].value[0] == 1.0
    assert np.isnan(found.rates[PLAIN].value[1])
    assert percentiles(found.rates[PLAIN].resampled[:, 1], 0.9) == (None, None)
    fitted = fit(fought.wins, fought.weights, np.zeros((20, 2, 0)))
    assert np.isfinite(fitted.strengths).all()
    assert 1 / (1 + np.exp(-fitted.strengths[0, 0])) > 1 - 1e-6


levels = st.lists(
    st.tuples(st.sampled_from([2, 1, 0, -1, -2, None]), st.sampled_from([2, 1, 0, -1, -2, None])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(levels, st.integers(0, 2**32))
def test_exchanging_model_and_baseline_turns_every_win_rate(verdicts, seed):
    def played(sign):
        return make_battles(
            [
                game(f"q{i}", "m", first, None if level is None else sign * level)
                for i, both in enumerate(verdicts)
                for first, level in zip((False, True), both, strict=True)
            ],
            category="hard_prompt",
            baseline=BASELINE,
        )

    one, other = played(1), played(-1)
    features = np.random.default_rng(seed).normal(size=(len(verdicts), 1, 2))
    a, b = fit(one.wins, one.weights, features), fit(other.wins, other.weights, -features)
    rate_a, rate_b = (1 / (1 + np.exp(-fitted.strengths)) for fitted in (a, b))
    np.testing.assert_allclose(rate_a, 1 - rate_b, atol=1e-6)
    # the coefficients are the same: a longer answer is preferred whoever wrote it
    np.testing.assert_allclose(a.coefficients, b.coefficients, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        make_board(one, n_resamples=20).rates[PLAIN].resampled,
        1 - make_board(other, n_resamples=20).rates[PLAIN].resampled,
        atol=1e-12,
    )


@settings(max_examples=100, deadline=None)
@given(levels, st.integers(1, 5), st.integers(0, 2**32))
def test_a_weight_is_so_many_copies(verdicts, strong, seed):
    games = [
        game(f"q{i:02}", "m", first, level)
        for i, both in enumerate(verdicts)
        for first, level in zip((False, True), both, strict=True)
    ]
    fought = make_battles(games, category="hard_prompt", baseline=BASELINE, strong=strong)
    features = np.random.default_rng(seed).normal(size=(len(verdicts), 1, 1))
    copies = [
        (number, (np.sign(level) + 1) / 2)
        for number, both in enumerate(verdicts)
        if None not in both
        for level in both
        for _ in range(strong if abs(level) == 2 else 1)
    ]
    rows = np.array([number for number, _ in copies], dtype=int)
    scores = np.array([score for _, score in copies], dtype=float).reshape(-1, 1)
    weighted = fit(fought.wins, fought.weights, features)
    copied = fit(scores, np.ones_like(scores), features[rows])
    np.testing.assert_allclose(weighted.strengths, copied.strengths, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weighted.coefficients, copied.coefficients, rtol=1e-5, atol=1e-5)
