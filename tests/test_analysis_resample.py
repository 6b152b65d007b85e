"""Resamples of the analyses against the core's bootstrap and slow twins in numpy."""

import numpy as np
import pytest
import rationale_rm
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.analysis.differences import STUDENT, over_seeds
from rationale_rm.analysis.resample import interval, ratio_difference, resampled_spearman, resampled_sums
from rationale_rm.metrics.draws import draws
from scipy import stats

SEEDS = st.integers(0, 2**64 - 1)


def rows(seed, n, n_clusters):
    generator = np.random.default_rng(seed)
    return generator.normal(size=n), generator.integers(0, n_clusters, n)


def test_draws_are_those_that_the_statistics_page_names():
    first = next(draws(1_000_000, 1, 0))[0, :6]
    assert first.tolist() == [64020, 231105, 800468, 24691, 854943, 714778]


@given(SEEDS, st.integers(2, 40), st.integers(2, 12))
@settings(deadline=None)
def test_the_mean_of_sums_has_the_interval_of_the_core(seed, n, n_clusters):
    values, clusters = rows(seed % 1000, n, n_clusters)
    expected = rationale_rm.bootstrap_ci(values, clusters=clusters, n_resamples=50, seed=seed)
    sums = resampled_sums(np.stack([values, np.ones(n)], axis=1), clusters, n_resamples=50, seed=seed)
    low, high = interval(sums[:, 0] / sums[:, 1])
    if len(np.unique(clusters)) > 1:
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_blocks_of_many_units_continue_one_stream(monkeypatch):
    whole = np.concatenate(list(draws(7, 50, 3)))
    monkeypatch.setattr("rationale_rm.metrics.draws._CELLS", 20)
    assert np.array_equal(np.concatenate(list(draws(7, 50, 3))), whole)


@given(SEEDS, st.integers(2, 30), st.integers(1, 8), st.integers(1, 5))
@settings(deadline=None)
def test_rank_correlations_are_those_of_the_drawn_rows(seed, n, n_clusters, n_values):
    generator = np.random.default_rng(seed % 1000)
    x, y = (generator.integers(0, n_values, n).astype(float) for _ in range(2))
    clusters = generator.integers(0, n_clusters, n)
    names = np.unique(clusters)
    (taken,) = draws(len(names), 20, seed)
    drawn = [np.concatenate([np.flatnonzero(clusters == names[unit]) for unit in units]) for units in taken]
    expected = [rationale_rm.spearman(x[chosen], y[chosen]) for chosen in drawn]
    found = resampled_spearman(x, y, clusters, n_resamples=20, seed=seed)
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_an_interval_needs_most_resamples_to_be_defined():
    assert interval([np.nan, np.nan, 1.0]) == (None, None)
    assert interval([np.nan, 1.0, 1.0]) == (1.0, 1.0)
    assert interval([]) == (None, None)


def test_a_difference_of_ratios_without_a_denominator_is_unknown():
    assert ratio_difference(np.array([3.0, 2.0, 1.0, 4.0])) == pytest.approx(1.25)
    assert np.isnan(ratio_difference(np.array([3.0, 0.0, 1.0, 4.0])))
    assert np.isnan(ratio_difference(np.array([3.0, 2.0, 1.0, 0.0])))


def test_student_quantiles_are_those_of_scipy():
    for degrees, quantile in enumerate(STUDENT, 1):
        assert quantile == pytest.approx(stats.t.ppf(0.975, degrees), abs=6e-4)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
@settings(deadline=None)
def test_intervals_over_seeds_are_those_of_scipy(values):
    mean, low, high = over_seeds(values)
    spread = np.std(values, ddof=1) / len(values) ** 0.5
    expected = (
        stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=spread) if spread > 1e-9 else (mean, mean)
    )
    assert (low, high) == pytest.approx(expected, abs=1e-3)
