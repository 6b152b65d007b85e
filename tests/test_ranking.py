"""Bradley-Terry, mean wins and schedules against slow, obvious oracles."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import rationale_rm as rm
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError

NAN = math.nan
SCHEDULES = ("anchor", "round_robin", "swiss", "knockout")
outcome = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN]), st.floats(0, 1))


@st.composite
def group(draw, *, most=7, outcomes=outcome):
    """Items, and comparisons (first, second, outcome, weight) of any of them: ties, repeats and missing ones."""
    n = draw(st.integers(0, most))
    pairs = list(itertools.permutations(range(n), 2))
    weight = st.one_of(st.just(1.0), st.floats(0.1, 5))
    rows = st.lists(st.tuples(st.sampled_from(pairs), outcomes, weight), max_size=25) if pairs else st.just([])
    return n, [(*pair, won, weight) for pair, won, weight in draw(rows)]


def columns(groups):
    """Groups as the core takes them, without the weights, and the weights."""
    rows = np.array([row for _, rows in groups for row in rows]).reshape(-1, 4)
    offsets = np.cumsum([0, *(len(rows) for _, rows in groups)])
    first, second = rows[:, 0].astype(int), rows[:, 1].astype(int)
    return (offsets, first, second, rows[:, 2], np.array([n for n, _ in groups], dtype=int)), rows[:, 3]


def strengths_by_scipy(n, rows, prior_std):
    """The maximum of the log-posterior of docs/pairwise.md by a general optimiser."""
    rows = [row for row in rows if not math.isnan(row[2])]
    if not n:
        return []

    def loss(theta):
        total = sum(theta**2) / (2 * prior_std**2)
        for i, j, y, w in rows:
            total += w * (y * np.logaddexp(0, theta[j] - theta[i]) + (1 - y) * np.logaddexp(0, theta[i] - theta[j]))
        return total

    def gradient(theta):
        slope = theta / prior_std**2
        for i, j, y, w in rows:
            surprise = w * (1 / (1 + np.exp(theta[j] - theta[i])) - y)
            slope[i] += surprise
            slope[j] -= surprise
        return slope

    found = scipy.optimize.minimize(loss, np.zeros(n), jac=gradient, method="BFGS", options={"gtol": 1e-7})
    met = {item for i, j, _, _ in rows for item in (i, j)}
    return [strength if item in met else NAN for item, strength in enumerate(found.x)]


@settings(max_examples=60, deadline=None)
@given(st.lists(group(), max_size=3), st.sampled_from([0.5, 5.0]))
def test_bradley_terry_is_the_maximum_that_scipy_finds(groups, prior_std):
    given_columns, weights = columns(groups)
    found = rm.bradley_terry(*given_columns, weights=weights, prior_std=prior_std)
    expected = [strength for n, rows in groups for strength in strengths_by_scipy(n, rows, prior_std)]
    assert found.tolist() == pytest.approx(expected, abs=2e-4, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=20, max_size=20))
def test_with_a_flat_prior_it_is_hunters_mm(wins):
    """The unregularised strengths of a record without a perfect player, by minorisation and maximisation."""
    n = 5
    pairs = list(itertools.permutations(range(n), 2))
    rows = [(i, j, 1.0, float(count)) for (i, j), count in zip(pairs, wins, strict=True)]
    won = np.zeros((n, n))
    for (i, j), count in zip(pairs, wins, strict=True):
        won[i, j] = count
    p = np.ones(n)
    for _ in range(500):
        p = won.sum(1) / ((won + won.T) / (p[:, None] + p)).sum(1)
        p /= np.exp(np.log(p).mean())
    given_columns, weights = columns([(n, rows)])
    found = rm.bradley_terry(*given_columns, weights=weights, prior_std=1000.0)
    assert found == pytest.approx(np.log(p), abs=1e-5)


@settings(max_examples=150, deadline=None)
@given(st.lists(group(), max_size=4))
def test_mean_win_is_exact_arithmetic(groups):
    expected = []
    for n, rows in groups:
        for item in range(n):
            mine = [(w, y if i == item else None, y) for i, j, y, w in rows if item in (i, j) and not math.isnan(y)]
            weight = sum(Fraction(w) for w, _, _ in mine)
            won = sum(Fraction(w) * (Fraction(y) if own is not None else 1 - Fraction(y)) for w, own, y in mine)
            expected.append(float(won / weight) if mine else NAN)
    given_columns, weights = columns(groups)
    found = rm.mean_win(*given_columns, weights=weights)
    assert found.tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_records_without_a_finite_maximum_likelihood():
    """A player who won all, two parts that never met, one without an answer, one alone, and nobody."""
    perfect = (3, [(0, 1, 1.0, 1.0), (1, 2, 1.0, 1.0), (0, 2, 1.0, 1.0)])
    apart = (5, [(0, 1, 1.0, 1.0), (2, 3, 1.0, 1.0), (3, 4, NAN, 1.0)])
    given_columns, _ = columns([perfect, apart, (1, []), (0, []), (2, [])])
    found = rm.bradley_terry(*given_columns)
    assert np.isfinite(found[:3]).all()
    assert found[0] > found[1] > found[2]
    assert found[3] == pytest.approx(found[5])
    assert found[3] + found[4] == pytest.approx(0)
    assert np.isnan(found[7:]).all()
    assert len(found) == 11


def test_a_missing_comparison_is_no_tie():
    won = (2, [(0, 1, 1.0, 1.0)])
    missing = (2, [(0, 1, 1.0, 1.0), (1, 0, NAN, 1.0)])
    tied = (2, [(0, 1, 1.0, 1.0), (1, 0, 0.5, 1.0)])
    for figure in (rm.bradley_terry, rm.mean_win):
        a, b, c = figure(*columns([won, missing, tied])[0]).reshape(3, 2)
        assert a.tolist() == b.tolist()
        assert a[0] > c[0] > c[1] > a[1]


@settings(max_examples=20, deadline=None)
@given(st.lists(group(most=5), min_size=3, max_size=3))
def test_groups_do_not_touch_each_other(three):
    """Sixty groups are worked on in parallel parts, one is not."""
    groups = three * 20
    given_columns, weights = columns(groups)
    whole = rm.bradley_terry(*given_columns, weights=weights)
    alone = []
    for one in groups:
        own, own_weights = columns([one])
        alone.extend(rm.bradley_terry(*own, weights=own_weights).tolist())
    assert np.array_equal(whole, alone, equal_nan=True)


# --- schedules ---------------------------------------------------------------------------------------------


def play(n, schedule, outcomes, *, seed=0, budget=None, anchor=None):
    """Rounds of pairs, and all rows; `outcomes` gives the result of a pair."""
    rows, rounds = [], []
    while True:
        offsets, first, second = rm.next_pairs(
            *columns([(n, rows)])[0],
            schedule=schedule,
            seeds=[seed],
            budgets=budget,
            anchors=None if anchor is None else [anchor],
        )
        assert offsets.tolist() == [0, len(first)]
        pairs = list(zip(first.tolist(), second.tolist(), strict=True))
        if not pairs:
            return rounds, rows
        rounds.append((pairs, list(rows)))
        rows.extend((i, j, outcomes(i, j), 1.0) for i, j in pairs)


tournaments = {
    "n": st.integers(0, 11),
    "schedule": st.sampled_from(SCHEDULES),
    "seed": st.integers(0, 2**62),
    "budget": st.one_of(st.none(), st.integers(0, 60)),
    "drawn": st.integers(0, 2**32),
}


@settings(max_examples=200, deadline=None)
@given(**tournaments)
def test_what_holds_for_every_schedule(n, schedule, seed, budget, drawn):
    def outcomes(i, j):
        return (0.0, 0.5, 1.0, NAN)[hash((drawn, i, j)) % 4]

    rounds, rows = play(n, schedule, outcomes, seed=seed, budget=budget)
    asked = [frozenset(row[:2]) for row in rows]
    everything = n * (n - 1) // 2
    assert len(set(asked)) == len(asked) <= everything
    assert all(len(pair) == 2 and max(pair) < n for pair in asked)
    assert budget is None or len(asked) <= budget
    limit = everything if budget is None else budget
    if schedule in ("anchor", "knockout"):
        assert len(asked) == max(0, min(n - 1, limit))
    elif schedule == "round_robin":
        assert len(asked) == min(everything, limit)
    elif budget is not None:
        assert len(asked) == min(everything, budget)
    for pairs, _ in rounds:
        players = [item for pair in pairs for item in pair]
        assert len(rounds) == 1 or schedule not in ("anchor", "round_robin")
        assert schedule in ("anchor", "round_robin") or len(set(players)) == len(players)
    if n > 1 and len(asked) >= n:
        assert {item for pair in asked for item in pair} == set(range(n))
    again, _ = play(n, schedule, outcomes, seed=seed, budget=budget)
    assert [pairs for pairs, _ in again] == [pairs for pairs, _ in rounds]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 8), seed=st.integers(0, 2**62), drawn=st.integers(0, 2**32))
def test_a_swiss_round_takes_the_most_telling_pair_first(n, seed, drawn):
    """Its worth, p (1 - p) Var(difference), recomputed by numpy: every pair is the best of those that are open."""

    def outcomes(i, j):
        return (0.0, 0.5, 1.0, NAN)[hash((drawn, i, j)) % 4]

    rounds, _ = play(n, "swiss", outcomes, seed=seed, budget=n * (n - 1) // 2)
    for pairs, rows in rounds:
        answered = [row for row in rows if not math.isnan(row[2])]
        theta = np.nan_to_num(rm.bradley_terry(*columns([(n, rows)])[0]))
        precision = np.eye(n) / 5.0**2
        for i, j, _, _ in answered:
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            unit = np.eye(n)[i] - np.eye(n)[j]
            precision += p * (1 - p) * np.outer(unit, unit)
        covariance = np.linalg.inv(precision)

        def worth(i, j, theta=theta, covariance=covariance):
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            return p * (1 - p) * (covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])

        open_pairs = {frozenset(pair) for pair in itertools.combinations(range(n), 2)} - {
            frozenset(r[:2]) for r in rows
        }
        for i, j in pairs:
            best = max(worth(*pair) for pair in open_pairs)
            assert worth(i, j) == pytest.approx(best, rel=1e-6, abs=1e-8)
            open_pairs = {pair for pair in open_pairs if not pair & {i, j}}
        assert not open_pairs or len(rows) + len(pairs) == n * (n - 1) // 2


@pytest.mark.parametrize("n", range(2, 18))
def test_a_knockout_halves_the_field(n):
    rounds, rows = play(n, "knockout", lambda i, j: float(i < j), seed=n)
    left = set(range(n))
    for pairs, _ in rounds:
        players = {item for pair in pairs for item in pair}
        assert players <= left
        assert len(players) == 2 * (len(left) // 2)
        left -= {max(pair) for pair in pairs}
    assert left == {0}
    assert len(rows) == n - 1


def test_swiss_pairs_by_weighted_strengths():
    def pairs(weights):  # the most telling first
        record = ([0, 4], [0, 0, 1, 2], [1, 2, 3, 3], [1.0, 0.0, 1.0, 1.0], [4])
        return [column.tolist() for column in rm.next_pairs(*record, schedule="swiss", budgets=[6], weights=weights)]

    assert pairs([1.0] * 4) == pairs(None)
    assert pairs([0.001, 1000.0, 0.001, 0.001]) == [[0, 2], [3, 2], [0, 1]]
    assert pairs([0.001, 0.001, 0.001, 1000.0]) == [[0, 2], [2, 3], [1, 0]]


@pytest.mark.parametrize("n", [3, 5, 9, 17, 31])
def test_nobody_sits_out_two_rounds_of_a_knockout_in_a_row(n):
    for seed in range(20):
        rounds, _ = play(n, "knockout", lambda i, j: float(i < j), seed=seed)
        left, idle = set(range(n)), set()
        for pairs, _ in rounds:
            resting = left - {item for pair in pairs for item in pair}
            assert not resting & idle
            left, idle = left - {max(pair) for pair in pairs}, resting


def test_the_anchor_is_named_or_drawn():
    ((pairs, _),) = play(6, "anchor", lambda i, j: 1.0, anchor=4)[0]
    assert [i for i, _ in pairs] == [4] * 5
    assert {j for _, j in pairs} == {0, 1, 2, 3, 5}
    drawn = {play(6, "anchor", lambda i, j: 1.0, seed=seed)[1][0][0] for seed in range(40)}
    assert drawn == set(range(6))


def test_batches_play_as_each_alone():
    groups = [(n, []) for n in (0, 1, 5, 8, 3)] * 8
    offsets, first, second = rm.next_pairs(*columns(groups)[0], schedule="swiss", seeds=range(len(groups)))
    for at, (n, _) in enumerate(groups):
        _, own_first, own_second = rm.next_pairs(*columns([(n, [])])[0], schedule="swiss", seeds=[at])
        mine = slice(offsets[at], offsets[at + 1])
        assert first[mine].tolist() == own_first.tolist()
        assert second[mine].tolist() == own_second.tolist()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": [3]}, r"first\[0\] is 3"),
        ({"second": [-1]}, r"second\[0\] is -1"),
        ({"second": [0]}, "compared with another one"),
        ({"outcome": [1.5]}, r"outcome\[0\] is 1.5"),
        ({"outcome": [math.inf]}, "outcome"),
        ({"outcome": [1.0, 1.0]}, "outcome has length 2"),
        ({"row_offsets": [0, 2]}, "row_offsets must go"),
        ({"row_offsets": [1, 1]}, "row_offsets must go"),
        ({"row_offsets": [0, 1, 0, 1], "n_items": [2, 2, 2]}, r"row_offsets\[2\] is less"),
        ({"row_offsets": []}, "row_offsets has length 0"),
        ({"n_items": [3, 3]}, "row_offsets has length 2"),
        ({"n_items": [1025]}, "at most 1024"),
        ({"weights": [0.0]}, r"weights\[0\]"),
        ({"weights": [NAN]}, r"weights\[0\]"),
        ({"weights": [1.0, 1.0]}, "weights has length 2"),
        ({"prior_std": 0.0}, "prior_std"),
        ({"prior_std": NAN}, "prior_std"),
    ],
)
def test_misuse(changes, said):
    fields = {"row_offsets": [0, 1], "first": [0], "second": [1], "outcome": [1.0], "n_items": [3]} | changes
    with pytest.raises(RationaleError, match=said):
        rm.bradley_terry(**fields)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": "league"}, "unknown schedule"),
        ({"seeds": [1, 2]}, "seeds has length 2"),
        ({"budgets": [1, 2]}, "budgets has length 2"),
        ({"budgets": -1}, "budgets"),
        ({"anchors": [3], "schedule": "anchor"}, r"anchors\[0\] is 3"),
        ({"anchors": [0]}, "anchors go with"),
    ],
)
def test_misuse_of_schedules(changes, said):
    with pytest.raises(RationaleError, match=said):
        rm.next_pairs([0, 0], [], [], [], [3], **({"schedule": "swiss"} | changes))


def test_large_groups_are_solved():
    """A chain of 300 that each beat the next; the prior holds its middle together, within rounding."""
    n = 300
    found = rm.bradley_terry([0, n - 1], range(n - 1), range(1, n), np.ones(n - 1), [n])
    assert np.isfinite(found).all()
    assert (np.diff(found) < 1e-9).all()
    assert found[0] > found[1] > found[2]
    assert found == pytest.approx(-found[::-1], abs=1e-9)
