"""Curves, changes and differences of training runs: planted decay is found, chance is not."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from analysis_cases import figure
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.analysis import Sampling, degeneration, read_runs
from rationale_rm.analysis.changes import mover
from rationale_rm.analysis.degeneration import POINTS
from rationale_rm.analysis.differences import _training, over_seeds
from rationale_rm.analysis.runs import BATCHES, Value
from rationale_rm.data import DataError
from records import write

FEW = Sampling(n_resamples=200)


def measured(generator, mean, n=200):
    """A figure over `n` rows with its interval, as evaluations record it."""
    value = float(np.mean(generator.random(n) < mean))
    half = 1.96 * (value * (1 - value) / n) ** 0.5
    return {"value": value, "low": value - half, "high": value + half, "n": n, "n_total": n}


def run(tmp_path, name, seed, oa=(0.7, 0.8), rc=(0.3, 0.3), n_steps=160, n=200, split="test", noise=0.05):
    """A run folder whose OA and RC go in a line from the first to the second value, batches with noise."""
    generator = np.random.default_rng(seed)
    rows = []
    for step in range(n_steps + 1):
        way = step / max(n_steps, 1)
        at = {"oa": oa[0] + way * (oa[1] - oa[0]), "rc": rc[0] + way * (rc[1] - rc[0])}
        if step in (0, n_steps // 2, n_steps):
            figures = {metric: measured(generator, mean, n) for metric, mean in at.items()}
            rows.append({"phase": "evaluation", "step": step, "split": split, "ap": {"value": None}, **figures})
        if step:
            drawn = {m: at[k] + noise * generator.normal() for m, k in (("outcome", "oa"), ("rationale", "rc"))}
            rows.append({"phase": "grpo", "step": step, "rc": None, "reward": float("0.5"), **drawn})
    folder = tmp_path / name
    folder.mkdir()
    write(folder / "metrics.jsonl", *rows)
    return folder


def test_planted_decay_is_found_and_told(tmp_path):
    runs = read_runs([(None, run(tmp_path, "outcome_only", 0, rc=(0.3, 0.1)))])
    found = degeneration(runs, FEW)
    for split, outcome, rationale in (("test", "oa", "rc"), ("train", "outcome", "rationale")):
        assert figure(found, f"outcome_only/{split}", "degenerated").value == 1
        fell = figure(found, f"outcome_only/{split}", f"{rationale}_change")
        assert fell.low < -0.15 < fell.high or split == "test"
        assert fell.high < 0
        assert figure(found, f"outcome_only/{split}", f"{outcome}_change").value > 0
    assert [note.split(":")[0] for note in found.notes[:2]] == [
        "outcome_only degenerates (test)",
        "outcome_only degenerates (train)",
    ]


def test_reasons_that_decay_with_the_verdicts_are_no_degeneration(tmp_path):
    runs = read_runs([(None, run(tmp_path, "broken", 0, oa=(0.8, 0.5), rc=(0.3, 0.1)))])
    assert figure(degeneration(runs, FEW), "broken/test", "degenerated").value == 0
    assert figure(degeneration(runs, FEW), "broken/train", "degenerated").value == 0


def test_chance_alone_is_rarely_taken_for_decay(tmp_path):
    flagged = {"test": 0, "train": 0}
    for seed in range(100):
        (one,) = read_runs([(None, run(tmp_path, f"null{seed}", seed, oa=(0.7, 0.7)))])
        found = degeneration([one], FEW)
        for split in flagged:
            flagged[split] += figure(found, f"null{seed}/{split}", "degenerated").value == 1
    assert flagged["test"] <= 6
    assert flagged["train"] <= 10


def test_the_change_of_evaluations_has_about_the_coverage_it_claims(tmp_path):
    covered = 0
    for seed in range(200):
        (one,) = read_runs([(None, run(tmp_path, f"r{seed}", seed, rc=(0.3, 0.4), n_steps=2))])
        change = figure(degeneration([one], FEW), f"r{seed}/test", "rc_change")
        covered += change.low <= 0.1 <= change.high
    assert 180 <= covered <= 199


@given(*[st.tuples(*[st.floats(0, 0.3)] * 2, st.floats(0, 1)) for _ in range(2)])
def test_an_interval_of_a_difference_is_no_narrower_than_either(a, b):
    first, second = (Value(value, value - below, value + above) for below, above, value in (a, b))
    low, high = mover(first, second)
    difference = first.value - second.value
    assert difference - low >= max(a[0], b[1]) - 1e-9
    assert high - difference >= max(a[1], b[0]) - 1e-9


def test_two_runs_are_compared_at_equal_steps(tmp_path):
    a = run(tmp_path, "hybrid", 1, rc=(0.3, 0.5))
    b = run(tmp_path, "outcome", 2, rc=(0.3, 0.2), n_steps=120)
    found = degeneration(read_runs([(None, a), (None, b)]), FEW)
    steps = {point["step"] for point in found.points if point["kind"] == "difference"}
    assert steps == {0}  # 80 and 160 of the one, 60 and 120 of the other
    difference = figure(found, "hybrid minus outcome/train", "rationale")
    late = [step for step in range(1, 121) if step > 120 - 30]
    at = np.array([step / 160 * 0.2 + 0.3 - (0.3 - step / 120 * 0.1) for step in late])
    assert difference.low <= at.mean() <= difference.high
    assert difference.low > 0
    relative = figure(found, "hybrid minus outcome/train", "rationale_relative")
    assert relative.value > 0.5
    assert relative.low > 0


def test_blocks_of_steps_cover_as_often_as_they_say():
    """Two runs of noise alone: the interval of their difference over 40 late steps holds 0 in about 95 of 100."""
    rng = np.random.default_rng(0)
    held, steps = 0, np.arange(1, 161)
    for _ in range(200):
        x, y = rng.normal(0.5, 0.1, (2, 160))
        runs = [SimpleNamespace(column=lambda *_, z=z: (steps, z), due=lambda _: steps) for z in (x, y)]
        one = _training("x", "rationale", [tuple(runs)], relative=False)
        held += one.low <= 0 <= one.high
    assert held >= 180


def test_runs_that_are_left_out_of_a_comparison_are_named(tmp_path):
    named = [("hybrid", run(tmp_path, f"h-{seed}", seed)) for seed in range(3)] + [("b", run(tmp_path, "b-0", 9))]
    notes = " ".join(degeneration(read_runs(named), FEW).notes)
    assert "hybrid/h-1, hybrid/h-2" in notes


def test_equal_runs_do_not_differ(tmp_path):
    folders = [run(tmp_path, name, seed) for name, seed in (("a", 1), ("b", 2))]
    found = degeneration(read_runs([(None, folder) for folder in folders]), FEW)
    for split, metric in (("test", "rc"), ("train", "rationale"), ("train", "rationale_relative")):
        one = figure(found, f"a minus b/{split}", metric)
        assert one.low < 0 < one.high


def test_a_run_minus_itself_is_nothing(tmp_path):
    folder = run(tmp_path, "a", 1)
    found = degeneration(read_runs([("x", folder), ("y", folder)]), FEW)
    assert figure(found, "x minus y/train", "rationale").value == 0
    assert figure(found, "x minus y/test", "rc").value == 0


def test_arms_of_several_seeds_are_paired_in_their_order(tmp_path):
    named = [
        (arm, run(tmp_path, f"{arm}-{seed}", seed + 10 * number, rc=(0.3, end)))
        for number, (arm, end) in enumerate((("hybrid", 0.5), ("outcome", 0.2)))
        for seed in range(3)
    ]
    runs = read_runs(named)
    assert [one.name for one in runs] == [f"{arm}/{arm}-{seed}" for arm in ("hybrid", "outcome") for seed in range(3)]
    found = degeneration(runs, FEW)
    late = slice(-40, None)
    each = [
        float(np.mean(x.column(BATCHES, "rationale")[1][late] - y.column(BATCHES, "rationale")[1][late]))
        for x, y in zip(runs[:3], runs[3:], strict=True)
    ]
    one = figure(found, "hybrid minus outcome/train", "rationale")
    assert (one.value, one.low, one.high) == pytest.approx(over_seeds(each))
    evaluated = figure(found, "hybrid minus outcome/test", "rc")
    of_seeds = over_seeds([x.curves["test", "rc"][160].value - y.curves["test", "rc"][160].value
                           for x, y in zip(runs[:3], runs[3:], strict=True)])  # fmt: skip
    assert evaluated.value == pytest.approx(of_seeds[0])
    assert evaluated.low < of_seeds[1]  # the pairs that were evaluated are chance, too
    assert evaluated.n == 3


def test_curves_keep_steps_intervals_and_unknown_values(tmp_path):
    found = degeneration(read_runs([("a", run(tmp_path, "r", 0))]), FEW)
    curve = [point for point in found.points if point["kind"] == "curve"]
    rc = [point for point in curve if (point["split"], point["metric"]) == ("test", "rc")]
    assert [point["step"] for point in rc] == [0, 80, 160]
    assert all(point["low"] < point["value"] < point["high"] for point in rc)
    assert not [point for point in curve if point["metric"] == "ap"]
    assert not [point for point in curve if (point["split"], point["metric"]) == ("train", "rc")]
    assert figure(found, "a/test", "ap_change").unavailable == "0 evaluations of test know it: two are needed"


def test_long_curves_are_thinned_by_means(tmp_path):
    (one,) = read_runs([(None, run(tmp_path, "long", 0, n_steps=1001, noise=0.2))])
    points = [p for p in degeneration([one], FEW).points if (p["split"], p["metric"]) == ("train", "outcome")]
    assert POINTS / 2 < len(points) <= POINTS
    values = one.column(BATCHES, "outcome")[1]
    assert points[0]["value"] == pytest.approx(float(values[:6].mean()))


def test_short_runs_have_no_change_over_training_and_say_how_long_they_must_be(tmp_path):
    found = degeneration(read_runs([(None, run(tmp_path, "short", 0, n_steps=20))]), FEW)
    assert figure(found, "short/train", "rationale_change").unavailable == "20 steps know it: 80 are needed"
    assert figure(found, "short/train", "degenerated").value is None


def test_a_line_that_is_being_written_is_passed_over_and_another_is_refused(tmp_path):
    folder = run(tmp_path, "r", 0)
    file = folder / "metrics.jsonl"
    file.write_text(file.read_text("utf-8") + '{"phase": "gr', "utf-8")
    assert len(read_runs([(None, folder)])[0].column(BATCHES, "outcome")[0]) == 160
    lines = file.read_text("utf-8").splitlines()
    write(file, lines[0], "{broken", *lines[1:3])
    with pytest.raises(DataError, match=r"metrics.jsonl:2: not JSON"):
        read_runs([(None, folder)])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"phase": "grpo", "step": "1"}], ":1: a record of `rationale-rm train` is expected"),
        ([[1]], ":1: a record of `rationale-rm train` is expected"),
        ([{"phase": "warm_start", "step": 1, "loss": 2.0}], ": no step and no evaluation is recorded yet"),
        ([], ": no step and no evaluation is recorded yet"),
    ],
)
def test_files_that_are_no_runs_are_refused(tmp_path, rows, message):
    write(tmp_path / "metrics.jsonl", *rows)
    with pytest.raises(DataError, match=f"metrics.jsonl{message}"):
        read_runs([(None, tmp_path)])


def test_values_that_are_no_numbers_are_unknown(tmp_path):
    text = json.dumps(
        {"phase": "grpo", "step": 1, "outcome": True, "rationale": "x", "rc": {"value": "y"}, "reward": 1}
    )
    write(tmp_path / "metrics.jsonl", text)
    (one,) = read_runs([(None, tmp_path)])
    assert set(one.curves) == {(BATCHES, "reward")}


@pytest.mark.parametrize("step", [-1, 10**13, 10**30])
def test_steps_that_no_training_has_are_refused(tmp_path, step):
    write(tmp_path / "metrics.jsonl", {"phase": "grpo", "step": 1, "outcome": 1.0}, {"phase": "grpo", "step": step})
    with pytest.raises(DataError, match=r"metrics.jsonl:2: step must be a whole number from 0 to 1,000,000,000,000"):
        read_runs([(None, tmp_path)])


def test_figures_without_bounds_are_unknown_and_give_no_infinity(tmp_path):
    folder = run(tmp_path, "r", 0)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        if row["phase"] == "grpo":
            row["rationale"] = -1.7e308
        else:
            row["rc"] = {"value": 0.5, "low": -1.7e308, "high": 1.7e308, "n": -5, "n_total": 10**400}
    write(folder / "metrics.jsonl", *rows)
    found = degeneration(read_runs([("a", folder), ("b", run(tmp_path, "b", 1))]), FEW)
    change = figure(found, "a/test", "rc_change")
    assert (change.value, change.low, change.n, change.n_total) == (0.0, None, 0, 0)
    assert figure(found, "a/train", "rationale_change").unavailable == "0 steps know it: 80 are needed"
    assert figure(found, "a minus b/train", "rationale").value is None


def test_one_folder_twice_needs_names(tmp_path):
    folder = run(tmp_path, "r", 0)
    with pytest.raises(DataError, match=r"a second run named 'r/r'.*NAME=FOLDER"):
        read_runs([(None, folder), (None, folder)])
    with pytest.raises(FileNotFoundError, match=r"no metrics\.jsonl in"):
        read_runs([(None, tmp_path)])
