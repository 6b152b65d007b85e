"""Every figure says how much of what was due stands behind it: n of n_total, or a note where nobody can count."""

import json

from analysis_cases import answers, figure, view
from rationale_rm.analysis import (
    Labelled,
    Sampling,
    agreement,
    degeneration,
    lengths,
    ranks,
    rates,
    read_runs,
    templates,
)
from rationale_rm.analysis.runs import BATCHES
from test_analysis_degeneration import run

FEW = Sampling(n_resamples=100)


def counts(analysis, slice, metric):
    one = figure(analysis, slice, metric)
    return one.n, one.n_total


def without(folder, phase, metric, steps):
    """Rewrites the records of a run so that `metric` is not known at `steps`."""
    file = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        if row["phase"] == phase and row["step"] in steps:
            row[metric] = None
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def test_training_steps_without_a_figure_are_due(tmp_path):
    unknown = {*range(1, 6), *range(150, 161)}
    a = without(run(tmp_path, "a", 0), "grpo", "rationale", unknown)
    b = without(run(tmp_path, "b", 1), "grpo", "rationale", {140, 155})
    runs = read_runs([(None, a), (None, b)])
    assert len(runs[0].due(BATCHES)) == 160
    found = degeneration(runs, FEW)
    assert counts(found, "a/train", "rationale_change") == (80 - 5 - 11, 80)
    assert counts(found, "a/train", "outcome_change") == (80, 80)
    assert counts(found, "a/train", "degenerated") == (64, 80)
    assert counts(found, "a minus b/train", "rationale") == (40 - 12, 40) == (28, 40)
    assert counts(found, "a minus b/train", "outcome") == (40, 40)


def test_the_quarters_are_those_of_the_training_and_not_of_what_is_known(tmp_path):
    folder = without(run(tmp_path, "a", 0, noise=0.0), "grpo", "rationale", range(121, 161))
    found = degeneration(read_runs([(None, folder)]), FEW)
    change = figure(found, "a/train", "rationale_change")
    assert (change.value, change.n, change.n_total) == (None, 40, 80)
    assert change.unavailable == "no step of the first quarter, or none of the last, knows it"


def test_an_evaluation_without_the_figure_is_told(tmp_path):
    a = without(run(tmp_path, "a", 0), "evaluation", "rc", {160})
    b = run(tmp_path, "b", 1)
    found = degeneration(read_runs([(None, a), (None, b)]), FEW)
    notes = " ".join(found.notes)
    assert (
        "a/test: rc is not known at 1 of 3 evaluations; its change is from step 0 to 80, and not from 0 to 160."
        in notes
    )
    assert "a minus b/test: rc is not known to all at step 160; its difference is of step 80." in notes
    assert "oa is not known" not in notes
    assert counts(found, "a/test", "ap_change") == (0, 3)


def test_evaluated_rows_that_a_judge_failed_on_are_due(tmp_path):
    folders = [run(tmp_path, name, seed) for name, seed in (("a", 0), ("b", 1))]
    file = folders[0] / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        if row["phase"] == "evaluation":
            row["rc"] |= {"n": 150, "n_total": 200}
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = degeneration(read_runs([(None, folder) for folder in folders]), FEW)
    assert counts(found, "a minus b/test", "rc") == (150, 200)


def test_a_seed_that_nothing_is_compared_with_is_due(tmp_path):
    named = [("h", run(tmp_path, f"h{seed}", seed)) for seed in range(3)]
    named += [("o", run(tmp_path, f"o{seed}", 9 + seed)) for seed in range(2)]
    assert counts(degeneration(read_runs(named), FEW), "h minus o/test", "rc") == (2, 3)


def judged(model, *numbers, **more):
    return [view(number, model=model, rc=0.1 * (number % 7), **more) for number in numbers]


def test_answers_that_one_or_neither_judge_has_are_due():
    first = answers(*judged("m", 0, 1, 2, 3, domain="code"), *judged("n", 4, 5, 6), missing={"m": 2})
    second = answers(*judged("m", 1, 2, 3, 7, domain="code"), *judged("n", 4, 5, 6), missing={"m": 3, "n": 1})
    found = agreement(first, second, FEW)
    # m: 0 to 3 and 7, of 7 that the second should have; n: 3 and one that neither has
    assert counts(found, "items/m", "difference") == (3, 7)
    assert counts(found, "items/n", "difference") == (3, 4)
    assert counts(found, "items", "difference") == (6, 11)
    assert counts(found, "overall", "difference") == (6, 11)
    assert found.notes == ("2 answers are in one of the two only, and left out.",)


def test_answers_that_neither_judge_has_are_in_no_domain_and_told():
    sides = [
        answers(*judged("m", 0, 1, 2, domain="code"), *judged("m", 3, 4, 5, domain="stem"), missing={"m": 2})
        for _ in range(2)
    ]
    found = agreement(*sides, FEW)
    assert counts(found, "code", "difference") == (3, 3)
    assert counts(found, "items", "difference") == (6, 8)
    assert found.notes == ("2 answers that are missing in both are of no known domain, and in none of them.",)


def test_reasons_of_answers_that_nobody_read_are_told():
    views = [
        view(0, reasons=["The same thing.", " "]),
        view(1, reasons=["The same thing.", "Another."]),
        view(2, reasons=[], scores=(), rc=None, status="not_answered", text=None),
        view(3, reasons=[], scores=(), rc=None, status="no_block"),
    ]
    found = templates(answers(*views, missing={"m": 3}), FEW)
    assert counts(found, "m", "duplicate_share") == (3, 4), "a blank reason is due"
    assert found.notes == (
        "m: of 5 of 7 answers nobody knows the reasons (no answer came, it could not be read, or the data do not hold "
        "it), so the shares are without them.",
    )


def test_answers_that_are_neither_right_nor_wrong_are_told():
    views = [view(0), view(1, right=False), view(2, right=None)]
    found = lengths(answers(*views, missing={"m": 2}), FEW)
    assert counts(found, "m/all", "reasons_per_answer") == (3, 5)
    assert counts(found, "m/right-wrong", "reasons_per_answer") == (2, 5)
    assert found.notes == ("m: of 3 of 5 answers it is not known whether they are right; they are neither.",)


def test_reasons_of_a_rank_that_no_judge_scored_are_due():
    views = [view(0), view(1, rc=None, judge_status="judge_error", matches=()), view(2, scores=(0.5,))]
    found = ranks(answers(*views), FEW)
    assert counts(found, "m/1", "score") == (2, 3)
    assert counts(found, "m/2", "score") == (1, 2)


def test_answers_without_a_reason_are_in_no_rate_and_told():
    found = rates([Labelled("a", "a", "m", "code", ("EG",), ((),)), Labelled("b", "b", "m", "code", (), ())], FEW)
    assert found.notes == ("m: 1 of 2 answers hold no reason to label, and are in no rate.",)
