"""What the Swiss schedule keeps of a round-robin's ranking, with simulated judges (docs/pairwise.md)."""

import numpy as np
import pytest
import scipy.stats

from benches import tournaments


@pytest.mark.parametrize(("n", "share"), [(8, 0.6), (16, 0.5)])
def test_a_sharp_judge_needs_about_half_of_the_comparisons(n, share):
    quality, won = tournaments.judged_groups(n, tournaments.SLOPES["sharp"], groups=200, seed=1)
    whole, asked, _ = tournaments.play(won, "round_robin", None)
    assert asked == n * (n - 1) // 2
    fewer, comparisons, _ = tournaments.play(won, "swiss", int(share * asked))
    assert comparisons <= share * asked
    cut, _, _ = tournaments.play(won, "round_robin", comparisons)
    for correlation in tournaments.CORRELATIONS.values():
        kept = correlation(fewer, quality).mean() / correlation(whole, quality).mean()
        assert kept >= tournaments.TARGET
        assert correlation(fewer, quality).mean() > correlation(cut, quality).mean()


def test_the_study_correlates_as_scipy_does():
    random = np.random.default_rng(0)
    quality = random.normal(size=(50, 6))
    scores = random.integers(0, 4, size=(50, 6)).astype(float)
    for name, theirs in (("kendall", scipy.stats.kendalltau), ("spearman", scipy.stats.spearmanr)):
        expected = [theirs(x, y).statistic for x, y in zip(scores, quality, strict=True)]
        assert tournaments.CORRELATIONS[name](scores, quality) == pytest.approx(np.array(expected))
        assert tournaments.CORRELATIONS[name](np.zeros((1, 6)), quality[:1]).tolist() == [0.0]


def test_a_judge_is_as_good_as_its_slope():
    """The share of right verdicts is the mean of the logistic function; the two sides of a pair add up to one."""
    quality, won = tournaments.judged_groups(8, 2.0, groups=2000, seed=0)
    off = ~np.eye(8, dtype=bool)
    assert np.array_equal(won[:, off], 1 - won.transpose(0, 2, 1)[:, off])
    gaps = np.abs(quality[:, :, None] - quality[:, None, :])[:, off]
    right = won[quality[:, :, None] > quality[:, None, :]].mean()
    assert right == pytest.approx((1 / (1 + np.exp(-2.0 * gaps))).mean(), abs=0.01)
