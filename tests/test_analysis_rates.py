"""Rates of labels, against counting; planted differences and missing labels."""

import json

import numpy as np
import pytest
from analysis_cases import figure, view
from rationale_rm import bootstrap_ci
from rationale_rm.analysis import Labelled, Sampling, rates, read_labels
from rationale_rm.analysis.rates import CLASSES, FLAWS
from rationale_rm.data import DataError
from records import write

FEW = Sampling(n_resamples=200)


def drawn(seed, f4, model="m", n=100, domains=("code", "stem")):
    """Labels of both orders of `n` pairs; a pair's reasons praise one side only (F4) with probability `f4`."""
    generator = np.random.default_rng(seed)
    found = []
    for pair in range(n):
        praises = bool(generator.random() < f4)
        for name in (f"p{pair}", f"p{pair}#swapped"):
            classes = tuple(str(one) for one in generator.choice(CLASSES, 3, p=[0.7, 0.2, 0.1]))
            flaws = tuple(("F4",) if praises else () for _ in range(3))
            found.append(Labelled(name, f"p{pair}", model, domains[pair % len(domains)], classes, flaws))
    return found


def test_rates_are_counts_and_intervals_draw_pairs():
    samples = drawn(0, 0.3)
    found = rates(samples, FEW, labeller="rules")
    labels = [name for one in samples for name in one.classes]
    for name in CLASSES:
        assert figure(found, "m", name).value == pytest.approx(labels.count(name) / 600)
    praised = np.array([float("F4" in names) for one in samples for names in one.flaws])
    pairs = np.repeat([int(one.pair_id[1:]) for one in samples], 3)
    expected = bootstrap_ci(praised, clusters=pairs, n_resamples=200)
    f4 = figure(found, "m", "F4")
    assert (f4.value, f4.low, f4.high, f4.rule) == (expected.mean, expected.low, expected.high, "rules")
    alone = bootstrap_ci(praised, n_resamples=200)
    assert f4.high - f4.low > 1.5 * (alone.high - alone.low)  # six reasons of a pair are not six pairs
    assert figure(found, "m", "any_flaw").value == f4.value
    assert {one.slice for one in found.estimates} == {"m", "m/code", "m/stem"}
    assert sum(figure(found, f"m/{domain}", "F4").n for domain in ("code", "stem")) == 600
    assert {(p["kind"], p["label"]) for p in found.points} == {
        *(("class", name) for name in CLASSES),
        *(("flaw", name) for name in (*FLAWS, "any_flaw")),
    }


def test_a_planted_difference_is_found():
    found = rates([*drawn(1, 0.6, "outcome_only"), *drawn(2, 0.05, "hybrid")], FEW)
    assert figure(found, "outcome_only", "F4").low > figure(found, "hybrid", "F4").high


def test_a_reason_without_a_label_is_no_reason_without_a_flaw():
    samples = [
        Labelled("a", "a", "m", "code", ("EG", None, ""), (("F1",), None, ())),
        Labelled("b", "b", "m", "code", (), (("F1",),)),
    ]
    found = rates(samples, FEW)
    assert [getattr(figure(found, "m", "EG"), name) for name in ("value", "n", "n_total")] == [1.0, 1, 4]
    assert [getattr(figure(found, "m", "F1"), name) for name in ("value", "n", "n_total")] == [2 / 3, 3, 4]
    none = figure(rates([Labelled("a", "a", "m", "code", ("EG",), ())], FEW), "m", "F1")
    assert (none.value, none.unavailable) == (None, "no reason has such a label")


def test_labels_are_read_from_lines_and_samples(tmp_path):
    labelled = view(1, classes=("EG", "GS"), flaws=((), ("F1", "F4")))
    file = write(
        tmp_path / "labels.jsonl",
        {"id": "p1#swapped", "model": "n", "classes": ["CG"], "flaws": [None]},
        labelled.to_dict(),
        view(2).to_dict(),
    )
    read = read_labels([file])
    assert read[0] == Labelled("p1#swapped", "p1", "n", "unknown", ("CG",), (None,))
    assert read[1] == Labelled("p1", "p1", "m", "code", ("EG", "GS"), ((), ("F1", "F4")))
    assert read[2] == Labelled("p2", "p2", "m", "code", (None, None), (None, None)), "unlabelled, and not gone"


def test_coverage_counts_reasons_without_a_label(tmp_path):
    samples = [view(1, classes=("EG",), flaws=((),)), view(2)]
    found = rates(read_labels([write(tmp_path / "samples.jsonl", *(one.to_dict() for one in samples))]), FEW)
    assert [getattr(figure(found, "m", "EG"), name) for name in ("value", "n", "n_total")] == [1.0, 1, 4]


def test_lines_of_two_labellers_are_not_mixed(tmp_path):
    lines = [
        {"id": "a", "model": "m", "classes": [name], "flaws": [[]], "made_by": {"labeller": who}}
        for name, who in (("EG", "rules"), ("GS", "openai:x"))
    ]
    with pytest.raises(DataError, match="a second line for 'a'"):
        read_labels([write(tmp_path / "labels.jsonl", *lines)])
    lines[1]["made_by"] = lines[0]["made_by"]
    assert read_labels([write(tmp_path / "labels.jsonl", *lines)])[0].classes == ("GS",)


def test_labels_of_a_run_are_those_of_its_samples(tmp_path):
    (tmp_path / "result.json").write_text("{}", "utf-8")
    labelled = view(1, classes=("EG", "GS"), flaws=((), ("F1",)))
    write(tmp_path / "samples.jsonl", labelled.to_dict(), view(2).to_dict())
    assert read_labels([tmp_path])[0] == Labelled("p1", "p1", "m", "code", ("EG", "GS"), ((), ("F1",)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"model": "m"}, "id is missing"),
        ({"id": "a"}, "model is missing"),
        ({"id": "a", "model": "m", "classes": ["XG"]}, "classes must be a list of EG, CG, GS"),
        ({"id": "a", "model": "m", "classes": "EG"}, "classes must be a list"),
        ({"id": "a", "model": "m", "flaws": [["F8"]]}, "flaws must be a list of lists of F1"),
        ({"id": "a", "model": "m", "flaws": ["F1"]}, "flaws must be a list of lists"),
        ({"id": "a", "model": "m", "flaws": [[["F1"]]]}, "flaws must be a list of lists"),
        ({"id": "a", "model": "m", "classes": [{}]}, "classes must be a list"),
        ({"id": "a", "model": "m", "classes": ["EG"], "flaws": [[], []]}, "1 classes and 2 lists of flaws"),
        ({"id": "a", "model": "m", "domain": 3}, "domain must be text"),
        (["a"], "an object with id"),
        ("{", "not JSON"),
    ],
)
def test_labels_that_cannot_be_read_are_refused_with_their_line(tmp_path, line, message):
    good = json.dumps({"id": "b", "model": "m", "classes": ["EG"], "flaws": [[]]})
    file = write(tmp_path / "labels.jsonl", good, line)
    with pytest.raises(DataError, match=f"labels.jsonl:2: {message}"):
        read_labels([file])


def test_a_second_line_of_an_answer_is_refused(tmp_path):
    line = {"id": "b", "model": "m", "classes": ["EG"], "flaws": [[]]}
    with pytest.raises(DataError, match=r"labels.jsonl:2: a second line for 'b' of model 'm': see .*:1"):
        read_labels([write(tmp_path / "labels.jsonl", line, line)])
