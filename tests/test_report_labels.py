"""Labels of reasons, from the command that makes them to the samples that the page filters by them."""

import json
import re
from dataclasses import replace

import pytest
import reports
from rationale_rm.cli.main import app
from rationale_rm.report import ReportError, read
from rationale_rm.report.chunks import pack
from test_report import unpacked
from typer.testing import CliRunner


def labels_file(path, views, **fields):
    lines = [
        {
            "id": view.id,
            "model": view.model,
            "classes": ["GS"] * len(view.reasons),
            "flaws": [["F7"]] * len(view.reasons),
        }
        | fields
        for view in views
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_labels_from_a_file_of_their_own(tmp_path):
    views = [view for view in reports.samples("m", 20) if view.reasons]
    folder = reports.write_eval(tmp_path / "run", "m", views)
    some = [view for view in views if len(view.reasons) == 2]
    path = labels_file(tmp_path / "labels.jsonl", some, classes=["GS", None], flaws=[None, ["F7"]])
    (one,) = read([folder, path]).samples
    for view, found in zip(views, one.samples, strict=True):
        if view in some:
            assert (found.classes, found.flaws) == (("GS", None), (None, ("F7",)))
        else:
            assert found == view
    index = unpacked(pack([one]).index)
    assert sum(mask == 0b1000000 for mask in index["flaws"]) >= len(some) > 0


def test_labels_that_do_not_fit_are_refused(tmp_path):
    views = [view for view in reports.samples("m", 20) if view.reasons]
    folder = reports.write_eval(tmp_path / "run", "m", views)
    for fields, words in (
        ({"classes": ["GS"] * 9}, "line 1: `classes` labels 9 reasons"),
        ({"flaws": "F1"}, "`flaws` labels no list of reasons"),
        ({"id": 3}, "line 1: labels of reasons need"),
        ({"model": "other"}, "labels.jsonl: no label is of a sample"),
    ):
        with pytest.raises(ReportError, match=re.escape(words)):
            read([folder, labels_file(tmp_path / "labels.jsonl", views, **fields)])


def test_labels_of_one_kind_leave_those_of_the_other(tmp_path):
    """A file of classes alone says nothing of flaws."""
    view = next(view for view in reports.samples("m", 20) if len(view.reasons) == 2)
    before = replace(view, classes=("EG", "CG"), flaws=(("F1",), ()))
    folder = reports.write_eval(tmp_path / "run", "m", [before])
    for name, given in (("classes", ["GS", "GS"]), ("flaws", [["F2"], ["F3"]])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps({"id": view.id, "model": "m", name: given}) + "\n")
        found = read([folder, path]).samples[0].samples[0]
        assert json.loads(json.dumps(getattr(found, name))) == given
        other = "flaws" if name == "classes" else "classes"
        assert getattr(found, other) == getattr(before, other)


def taxonomy(folder, labels):
    done = CliRunner().invoke(app, ["analyze", "taxonomy", str(folder), "-o", str(labels), "--quiet"])
    assert done.exit_code == 0, done.output


def test_what_analyze_taxonomy_writes_labels_the_samples(tmp_path):
    views = [replace(view, classes=(), flaws=()) for view in reports.samples("a/b", 30)]
    folder, labels = reports.write_eval(tmp_path / "run", "a/b", views), tmp_path / "labels.jsonl"
    taxonomy(folder, labels)
    (one,) = read([folder, labels]).samples
    written = {line["answer_id"]: line for line in map(json.loads, labels.read_text().splitlines())}
    assert len(written) > 20
    for sample in one.samples:
        assert list(sample.classes) == (written[sample.id]["classes"] if sample.reasons else [])
        assert [list(flaws) for flaws in sample.flaws] == (written[sample.id]["flaws"] if sample.reasons else [])


def test_answers_of_a_training_run_are_labelled_too(tmp_path):
    folder, labels = reports.write_training(tmp_path / "run-0", rationale=0.4), tmp_path / "labels.jsonl"
    reports.write_training_samples(folder, steps=(10, 20))
    taxonomy(folder, labels)
    (one,) = read([folder, labels]).samples
    assert {sample.domain for sample in one.samples} == {"step 10", "step 20"}
    assert all(len(sample.classes) == len(sample.reasons) > 0 for sample in one.samples)


@pytest.mark.parametrize(("term", "ap"), [("ap", 0.25), ("rc", None)])
def test_ap_of_a_training_run_is_ap(tmp_path, term, ap):
    """The rationale term of a reward may be another figure."""
    folder = reports.write_training(tmp_path / "run-0", rationale=0.4)
    reports.write_training_samples(folder, steps=(10,), rationale=0.25)
    (folder / "recipe.yaml").write_text(f"reward:\n  mode: product\n  rationale: {term}\n")
    assert {sample.ap for sample in read([folder]).samples[0].samples} == {ap}


def test_labels_of_no_sample_are_counted(tmp_path):
    views = [view for view in reports.samples("m", 20) if view.reasons]
    folder = reports.write_eval(tmp_path / "run", "m", views)
    path = labels_file(tmp_path / "labels.jsonl", views)
    with path.open("a") as stream:
        stream.write('{"id": "other", "model": "m", "classes": ["GS"]}\n')
    assert read([folder, path]).notes == [f"{path}: 1 labelled answers are of no sample here"]


def test_of_two_labellers_the_last_counts(tmp_path):
    views = [view for view in reports.samples("m", 20) if len(view.reasons) == 2]
    folder = reports.write_eval(tmp_path / "run", "m", views)
    one = labels_file(tmp_path / "one.jsonl", views)
    two = labels_file(tmp_path / "two.jsonl", views, classes=["CG", "CG"])
    assert {sample.classes for sample in read([folder, one, two]).samples[0].samples} == {("CG", "CG")}
    assert {sample.classes for sample in read([folder, two, one]).samples[0].samples} == {("GS", "GS")}
