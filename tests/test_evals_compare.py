"""Two runs compared: paired, by cluster, on the same items only."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evals_helpers import by_name
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.documents import EvalResult
from rationale_rm.evals import EvalRun, RunComparison, ScoredItem, compare, read_run
from rationale_rm.evals.compare import manifest_differences
from rationale_rm.evals.figures import linear
from scipy.stats import binomtest


def run(values, *, name="rm_bench", digest="d", slices=(), manifest=None, path="a"):
    """A run of items i0, i1, … with these values of r/m; None in `values` leaves an item out."""
    items = tuple(
        ScoredItem(
            id=f"i{number}",
            cluster=f"i{number}",
            slices=(slices[number],) if slices else (),
            values={"r/m": value if value != "missing" else None},
            digest=digest,
        )
        for number, value in enumerate(values)
        if value is not None
    )
    result = EvalResult(eval=name, model=path, manifest=manifest or {}, estimates=(), statuses={})
    return EvalRun(path, result, items)


def test_differences_are_of_the_same_items():
    a = run([1.0, 1.0, 0.0, 1.0, None, "missing"])
    b = run([0.0, 1.0, 0.0, 1.0, 1.0, 1.0], path="b")
    found = compare(a, b, n_resamples=200)
    (one,) = found.differences
    assert (one.value, one.n, one.only_a, one.only_b) == (0.25, 4, 1, 0)
    assert one.p_mcnemar == 1.0
    assert (found.n_both, found.n_only_a, found.n_only_b) == (5, 0, 1)
    assert RunComparison.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def clustered(values, clusters, path):
    """A run of items in clusters; NaN is an item without an answer."""
    items = tuple(
        ScoredItem(
            id=f"i{number}",
            cluster=f"c{cluster}",
            values={"r/m": None if np.isnan(value) else float(value)},
        )
        for number, (value, cluster) in enumerate(zip(values, clusters, strict=True))
    )
    result = EvalResult(eval="rm_bench", model=path, manifest={}, estimates=(), statuses={})
    return EvalRun(path, result, items)


def test_a_difference_equals_scipys_test_and_a_bootstrap_written_out():
    """Items of one cluster go together, some are missing in either run, and one run is of fewer items."""
    draw = np.random.default_rng(4)
    clusters = draw.integers(0, 60, 300)
    common = draw.normal(size=60)[clusters]
    a, b = (common + draw.normal(size=(2, 300)) > [[0.0], [0.5]]).astype(float)
    a[draw.random(300) < 0.1] = np.nan
    (found,) = compare(clustered(a, clusters, "a"), clustered(b[:280], clusters[:280], "b")).differences
    known = ~np.isnan(a[:280])
    x, y, groups = a[:280][known], b[:280][known], clusters[:280][known]
    only_a, only_b = int(((x == 1) & (y == 0)).sum()), int(((x == 0) & (y == 1)).sum())
    assert (found.n, found.only_a, found.only_b) == (known.sum(), only_a, only_b)
    assert found.value == pytest.approx(x.mean() - y.mean())
    assert found.p_mcnemar == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    names = np.unique(groups)
    sums = np.array([(x - y)[groups == name].sum() for name in names])
    sizes = np.array([(groups == name).sum() for name in names])
    drawn = draw.integers(0, len(names), (4000, len(names)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)
    assert low > 0  # so that the test of the bootstrap says the same
    assert found.p_value < 0.05


def test_runs_under_other_rules_have_nothing_to_compare():
    """Scores of a scalar reward model beside answers of a GenRM: an empty table would say nothing."""
    one, two = run([1.0]), run([1.0], path="b")
    (item,) = two.items
    other = EvalRun("b", two.result, (replace(item, values={"average/m": 1.0, "/malformed": 0.0}),))
    with pytest.raises(RationaleError, match=r"no figure in common: r in the one, average, /malformed in the other"):
        compare(one, other)


def test_a_run_does_not_differ_from_itself():
    (one,) = compare(run([1.0, 0.0, 0.5]), run([1.0, 0.0, 0.5]), n_resamples=50).differences
    assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)
    assert one.only_a is None  # a half is neither right nor wrong


def test_strata_weigh_alike_in_differences():
    slices = ["chat"] + ["math"] * 9
    a, b = run([1.0] + [0.0] * 9, slices=slices), run([0.0] * 10, slices=slices, path="b")
    found = {one.slice: one for one in compare(a, b, strata={"overall": ("chat", "math")}, n_resamples=100).differences}
    assert found["overall"].value == pytest.approx(0.5)
    assert (found["overall"].low, found["overall"].high, found["overall"].p_value) == (None, None, None)
    assert found["overall"].unavailable == "no interval: chat has a single cluster of items"
    assert found["chat"].value == 1.0
    assert found["math"].value == 0.0


def test_intervals_of_differences_stay_where_differences_can_be():
    """Two items in each of two strata: no draw of them gives a difference above 1 or below 0."""
    slices = ["chat", "chat", "math", "math"]
    a, b = run([1.0, 0.0, 1.0, 1.0], slices=slices), run([0.0] * 4, slices=slices, path="b")
    found = {one.slice: one for one in compare(a, b, strata={"overall": ("chat", "math")}, n_resamples=500).differences}
    overall = found["overall"]
    assert (overall.value, overall.unavailable) == (0.75, None)
    assert 0.5 <= overall.low < overall.high == 1.0


def test_other_evaluations_and_other_data_are_refused():
    one = run([1.0], manifest={"version": "1", "sampling": {"seed": 0}})
    with pytest.raises(RationaleError, match="a run of rm_bench and b one of llmbar"):
        compare(one, run([1.0], name="llmbar", path="b"))
    with pytest.raises(RationaleError, match=r"item i0 is not the same text.*differ in sampling\.seed"):
        compare(one, run([1.0], digest="e", path="b", manifest={"version": "1", "sampling": {"seed": 1}}))
    with pytest.raises(RationaleError, match="no item in common"):
        compare(one, run([None, 1.0], path="b"))
    assert compare(one, run([1.0], digest=None, path="b")).n_both == 1  # scores alone, without the texts


def test_manifests_are_told_apart_field_by_field():
    a = {"x": {"y": 1, "z": [1, {"w": 2}]}, "same": [1]}
    b = {"x": {"y": 2, "z": (1, {"w": 2})}, "same": [1], "new": None}
    assert manifest_differences(a, b) == {"x.y": (1, 2)}
    assert manifest_differences(a, b | {"new": 3}) == {"x.y": (1, 2), "new": (None, 3)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=30))
def test_linear_has_the_mean_of_means(drawn):
    strata = np.array([stratum for stratum, _ in drawn])
    values = np.array([value for _, value in drawn])
    expected = np.mean([values[strata == stratum].mean() for stratum in set(strata.tolist())])
    assert linear(values, strata).mean() == pytest.approx(expected, abs=1e-9)


def test_folders_that_are_no_run_say_why(tmp_path):
    with pytest.raises(RationaleError, match="no run of eval"):
        read_run(tmp_path)
    (tmp_path / "answers.jsonl").touch()
    with pytest.raises(RationaleError, match="not finished: give the command"):
        read_run(tmp_path)
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(RationaleError, match=r"result\.json is no result"):
        read_run(tmp_path)
    result = EvalResult(eval="llmbar", model="m", manifest={}, estimates=(), statuses={})
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))
    with pytest.raises(RationaleError, match=r"cannot read .*items\.jsonl"):
        read_run(tmp_path)
    (tmp_path / "items.jsonl").write_text("{}\n")
    with pytest.raises(RationaleError, match=r"items\.jsonl:1: no scored item"):
        read_run(tmp_path)


def test_by_name_is_unique_in_a_comparison():
    found = compare(run([1.0, 0.0], slices=["x", "y"]), run([0.0, 0.0], slices=["x", "y"], path="b"), n_resamples=10)
    assert len(by_name(found.differences)) == len(found.differences) == 3
