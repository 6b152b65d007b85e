"""No two figures of an analysis have one name, whatever models, domains, runs and splits are called."""

import json

import pytest
from analysis_cases import answers, figure, view
from hypothesis import given, settings
from hypothesis import strategies as st
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
from rationale_rm.analysis.figures import part
from rationale_rm.data import DataError
from records import write
from test_analysis_degeneration import run

FEW = Sampling(n_resamples=20)
AWKWARD = ("m", "m/code", "m//code", "m/%%code", "code", "items", "overall", "train", "%2F", "m%2Fcode", "items/m", "")
names = st.sampled_from(AWKWARD) | st.text(alphabet="m/%cd ", max_size=6)


def unique(analysis):
    found = [(one.rule, one.slice, one.metric) for one in analysis.estimates]
    assert len(found) == len(set(found))
    return {one.slice for one in analysis.estimates}


@given(st.sets(names, min_size=1, max_size=8), st.sets(names, max_size=4))
def test_parts_of_slices_are_told_apart(given_names, taken):
    shown = [part(name, taken) for name in given_names]
    assert len(set(shown)) == len(given_names)
    assert not taken & set(shown)
    assert not any("/" in one for one in shown)


def labelled(model, domain, number=0):
    return Labelled(f"{domain}{number}", f"{domain}{number}", model, domain, ("EG",), ((),))


def test_a_model_called_like_a_model_and_its_domain():
    found = rates([labelled("m", "code"), labelled("m", "stem"), labelled("m/code", "code")], FEW)
    assert unique(found) == {"m", "m/%%code", "m/stem", "m/code"}
    assert found.subject == ("m", "m/code")  # what `report` finds the models' figures by


def test_a_domain_called_overall_is_not_all_of_them():
    found = rates([labelled("m", "overall"), labelled("m", "stem")], FEW)
    assert unique(found) == {"m", "m/%%overall", "m/stem"}
    points = [(one["domain"], one["n"]) for one in found.points if one["label"] == "EG"]
    assert sorted(points) == [("%%overall", 1), ("overall", 2), ("stem", 1)]


@given(st.lists(st.tuples(names, names), min_size=1, max_size=8, unique=True))
@settings(max_examples=60, deadline=None)
def test_rates_of_any_models_and_domains(found):
    unique(rates([labelled(*one, number) for number, one in enumerate(found)], FEW))


def two_judges(rows):
    return [
        answers(*(view(k, model=model, domain=domain, rc=0.1 * (k % 5)) for k, (model, domain) in enumerate(rows)))
        for _ in range(2)
    ]


def test_domains_called_like_the_slices_of_agreement():
    domains = ("items", "overall", "items/m0", "code")
    rows = [(f"m{k % 4}", domains[k // 4]) for k in range(16)]
    found = agreement(*two_judges(rows), FEW)
    own = {"overall", "items", *(f"items/m{k}" for k in range(4))}
    assert unique(found) == own | {"%%items", "%%overall", "items%2Fm0", "code"}
    assert figure(found, "overall", "difference").n == 16
    assert figure(found, "%%overall", "difference").n == 4
    points = [one for one in found.points if one["level"] == "model" and one["domain"] == "overall"]
    assert len(points) == 4, "one a model, of all domains"


@given(st.lists(st.tuples(names, names), min_size=1, max_size=8, unique=True))
@settings(max_examples=60, deadline=None)
def test_agreement_of_any_models_and_domains(rows):
    unique(agreement(*two_judges(rows), FEW))


@given(st.sets(names, min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_analyses_of_answers_of_any_models(models):
    views = [view(k, model=model, reasons=["One.", "Two."], right=k % 2 == 0) for model in models for k in range(3)]
    for analysis in (lengths, ranks, templates):
        unique(analysis(answers(*views), FEW))


def test_an_evaluation_of_the_training_pairs_is_not_the_training_batches(tmp_path):
    folder = run(tmp_path, "r", 0, oa=(0.7, 0.8), rc=(0.5, 0.3), split="train")
    more = [{"phase": "evaluation", "step": step, "split": "a/train", "oa": 0.5} for step in (0, 160)]
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in more)
    found = degeneration(read_runs([("r", folder), ("s", run(tmp_path, "s", 1, split="train"))]), FEW)
    assert unique(found) == {
        *("r/train", "r/%%train", "r/a%2Ftrain", "s/train", "s/%%train"),
        *("r minus s/train", "r minus s/%%train"),
    }
    assert figure(found, "r/%%train", "rc_change").n == 200, "rows of evaluations"
    assert figure(found, "r/train", "rationale_change").n == 80, "steps of training"
    of_batches = [one for one in found.points if one["kind"] == "curve" and one["split"] == "train"]
    assert {one["metric"] for one in of_batches} == {"outcome", "rationale", "reward"}
    assert any(
        "s have no evaluation of a%2Ftrain" in note or "no evaluation of a%2Ftrain" in note for note in found.notes
    )


@pytest.mark.parametrize("name", ["a minus b", None])
def test_a_run_called_like_a_difference_is_refused(tmp_path, name):
    folder = tmp_path / "a minus b"
    folder.mkdir()
    write(folder / "metrics.jsonl", {"phase": "grpo", "step": 1, "outcome": 1.0})
    with pytest.raises(
        DataError, match=r"'a minus b' reads like the difference of two runs: name the run, NAME=FOLDER"
    ):
        read_runs([(name, folder)])
