"""Agreement of two benchmarks against scipy; scoreboards and their faults."""

import json

import numpy as np
import pytest
from analysis_cases import figure
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.analysis import Sampling, rank_agreement, read_scoreboard
from rationale_rm.analysis.scoreboards import Scoreboard
from rationale_rm.data import DataError
from rationale_rm.documents import Estimate, EvalResult
from scipy import stats

FEW = Sampling(n_resamples=200)


def board(name="a", **scores):
    return Scoreboard(name, scores, {}, ())


@given(
    st.integers(5, 12).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(0, 9), min_size=n, max_size=n) for _ in range(2)])
    )
)
@settings(max_examples=40, deadline=None)
def test_rank_correlation_is_that_of_scipy_with_ties(columns):
    x, y = columns
    first = board(**{f"m{k}": float(value) for k, value in enumerate(x)})
    second = board("b", **{f"m{k}": float(value) for k, value in enumerate(y)})
    found = figure(rank_agreement(first, second, Sampling(n_resamples=20)), "overall", "spearman")
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.value is None
        assert "same score" in found.unavailable
    else:
        assert found.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert (found.n, found.n_total) == (len(x), len(x))


def test_the_exact_p_value_is_that_of_scipy():
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0], [2.0, 1.0, 3.0, 5.0, 4.0, 6.0]
    expected = stats.permutation_test(
        (x,), lambda one: stats.spearmanr(one, y).statistic, permutation_type="pairings", n_resamples=np.inf
    )
    found = rank_agreement(
        board(**{f"m{k}": v for k, v in enumerate(x)}), board("b", **{f"m{k}": v for k, v in enumerate(y)})
    )
    assert figure(found, "overall", "p_value").value == pytest.approx(expected.pvalue)
    assert "2 models share their score" in found.notes[0]


def test_a_planted_order_is_found_and_chance_is_not():
    generator = np.random.default_rng(0)
    quality = generator.normal(size=20)
    first = board(**{f"m{k}": float(value) for k, value in enumerate(quality)})
    noisy = board("b", **{f"m{k}": float(value + 0.4 * generator.normal()) for k, value in enumerate(quality)})
    found = rank_agreement(first, noisy)
    assert figure(found, "overall", "spearman").low > 0.5
    assert figure(found, "overall", "p_value").value == pytest.approx(1 / 2001)
    chance = [
        figure(
            rank_agreement(
                first, board("b", **{f"m{k}": float(v) for k, v in enumerate(generator.normal(size=20))}), FEW
            ),
            "overall",
            "p_value",
        ).value
        for _ in range(60)
    ]
    assert np.mean(np.array(chance) < 0.05) < 0.15


def test_four_models_are_too_few():
    four = {f"m{k}": float(k) for k in range(4)}
    found = figure(rank_agreement(board(**four, x=1.0), board("b", **four)), "overall", "spearman")
    assert (found.value, found.n, found.n_total) == (None, 4, 5)
    assert "both benchmarks score: 4; at least 5 are needed" in found.unavailable


def result(folder, name, value, **changes):
    estimates = (
        Estimate(metric="rc", value=value, n=9, n_total=9),
        Estimate(metric="oa", value=0.5, n=9, n_total=9),
        Estimate(slice="code", metric="rc", value=0.25, n=9, n_total=9),
    )
    found = EvalResult(eval="rationale", model=name, manifest={}, estimates=estimates, statuses={"ok": 9})
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(found.to_dict() | changes), "utf-8")


def test_scores_are_read_from_results_and_tables(tmp_path):
    result(tmp_path / "runs" / "a", "m1", 0.5)
    result(tmp_path / "runs" / "b", "m2", None)
    runs = read_scoreboard([tmp_path / "runs"], "rc")
    assert runs.scores == {"m1": 0.5}
    assert runs.unscored == {"m2": "no value"}
    assert runs.name == "rationale/overall/rc"
    assert read_scoreboard([tmp_path / "runs"], "code/rc").scores == {"m1": 0.25, "m2": 0.25}
    table = tmp_path / "arena.csv"
    table.write_text("\ufeffmodel,score,n\nm1,12.5,3\nm2,,3\n", "utf-8")
    read = read_scoreboard([table])
    assert (read.name, read.scores, read.unscored) == ("arena", {"m1": 12.5}, {"m2": "the score is empty"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,score\nm,1\n", "arena.csv:1: column 'model' is missing"),
        ("model,score\nm,1\nm,2\n", r"arena.csv:3: model 'm' has a score at .*arena.csv:2 already"),
        ("model,score\nm,high\n", "arena.csv:2: score 'high' is no number"),
        ("model,score\nm,nan\n", "arena.csv:2: score 'nan' is no number"),
        ("model,score\nm,1_0\n", "arena.csv:2: score '1_0' is no number"),
        ("model,score\n,1\n", "arena.csv:2: the model has no name"),
        ("", "arena.csv:1: column 'model' is missing"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "arena.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=message):
        read_scoreboard([tmp_path / "arena.csv"])


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "arena.csv").write_bytes("model,score\nmodèle,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"arena.csv:.*not UTF-8"):
        read_scoreboard([tmp_path / "arena.csv"])


def test_results_of_different_figures_are_no_scoreboard(tmp_path):
    result(tmp_path / "a", "m", 0.5)
    result(tmp_path / "b", "n", 0.6, eval="judgebench")
    with pytest.raises(DataError, match=r"its figure is judgebench/.*, and that of .*a.result.json is "):
        read_scoreboard([tmp_path / "a", tmp_path / "b"], "rc")


def test_a_figure_that_is_not_there_or_not_the_only_one_is_refused(tmp_path):
    result(tmp_path / "a", "m1", 0.5)
    with pytest.raises(DataError, match=r"'win_rate' is no figure of this result.*/overall/rc, /overall/oa, /code/rc"):
        read_scoreboard([tmp_path / "a"], "win_rate")
    with pytest.raises(DataError, match="names several figures; choose with --figure"):
        read_scoreboard([tmp_path / "a"])
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_scoreboard([tmp_path / "nowhere"])
    for name, changes in (
        ("c", {"model": 3}),
        ("d", {"estimates": 5}),
        ("e", {"estimates": [1]}),
        ("f", {"estimates": [Estimate(metric="rc", value=1, n=1, n_total=1).to_dict() | {"value": "high"}]}),
    ):
        result(tmp_path / name, "m1", 0.5, **changes)
        with pytest.raises(DataError, match=r"result\.json"):
            read_scoreboard([tmp_path / name], "rc")
    (tmp_path / "f" / "result.json").write_bytes(b"\xff{")
    with pytest.raises(DataError, match="not JSON"):
        read_scoreboard([tmp_path / "f"], "rc")
    result(tmp_path / "b", "m1", 0.5, schema_version=99)
    with pytest.raises(DataError, match="upgrade rationale-rm"):
        read_scoreboard([tmp_path / "b"], "rc")
