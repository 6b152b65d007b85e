"""Answers from runs of `eval` and from the lines that `score` reads; faults name their line."""

import hashlib
import json
import random

import numpy as np
import pytest
from analysis_cases import view
from rationale_rm.analysis import read_answers
from rationale_rm.analysis.answers import reasons_known
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.ranks import adds_up
from rationale_rm.analysis.train_samples import view_of
from rationale_rm.data import DataError, read_pairs
from rationale_rm.documents import SampleView
from rationale_rm.metrics import Settings, evaluate
from rationale_rm.train.sample_files import write_samples
from records import critiqued, judge_text, matched, pair, write


def judged_lines(seed=0, n=12, judge="openai:j@http://127.0.0.1/v1"):
    """Lines of `match`, both orders, some that the judge did not answer, some with a malformed verdict."""
    generator = random.Random(seed)
    for number in range(n):
        record = pair(id=f"p{number}", domain=("code", "stem")[number % 2], label=("A>B", "B>A")[number % 2])
        for swapped in (False, True):
            verdict = generator.choice(["A>B", "B>A", None])
            line = critiqued(record, verdict, swapped=swapped)
            if generator.random() < 0.2:
                yield matched(line, error="timeout")
            else:
                first, second = (round(generator.random(), 2) for _ in range(2))
                yield matched(line, judge_text((1, 1, first), (2, generator.choice([1, 2]), second)), judge=judge)


def test_lines_give_the_figures_of_score(tmp_path):
    file = write(tmp_path / "matches.jsonl", *judged_lines())
    answers = read_answers([file])
    scores = evaluate(read_pairs([file]).pairs, "m")
    for metric in ("rc", "ap"):
        values = [getattr(one, metric) for one in answers.views]
        assert np.mean([value for value in values if value is not None]) == pytest.approx(scores.overall[metric].value)
        assert sum(value is None for value in values) == scores.overall[metric].n_total - scores.overall[metric].n
    right = [one.right for one in answers.views]
    assert np.mean([value for value in right if value is not None]) == pytest.approx(scores.overall["oa"].value)
    assert all(adds_up(one) for one in answers.views if one.rc is not None)
    assert answers.judges == ("openai:j@http://127.0.0.1/v1",)
    assert answers.models == ("m",)
    assert {one.status for one in answers.views} == {"ok", "bad_verdict"}
    assert len({one.pair_id for one in answers.views}) == 12


def test_reasons_past_the_cut_are_not_matched_but_there(tmp_path):
    record = pair(id="p")
    line = critiqued(record)
    file = write(tmp_path / "matches.jsonl", matched(line, judge_text((1, 2, 1.0), (2, 1, 0.5))))
    (one,) = read_answers([file], settings=Settings(top_k=1)).views
    assert one.reasons == ("It sorts.", "It is short.")
    assert (one.matches, one.rc) == (((1, 0, 0.5),), 0.25)
    assert one.scores == ((0, 1, 1.0), (1, 0, 0.5))


def test_reasons_that_a_judge_was_not_shown_are_kept(tmp_path):
    line = matched(critiqued(pair(id="p")), judge_text((1, 1, 1.0), (2, 0, 0)), top_k=1)
    (one,) = read_answers([write(tmp_path / "matches.jsonl", line)]).views
    assert len(one.reasons) == 2
    assert one.matches == ((0, 0, 1.0),)


def test_answers_that_failed_or_are_not_there_are_missing(tmp_path):
    lines = [critiqued(pair(id="p1")), critiqued(pair(id="p2"), error="timeout"), pair(id="p3")]
    answers = read_answers([write(tmp_path / "critiques.jsonl", *lines)])
    assert [one.id for one in answers.views] == ["p1"]
    assert answers.missing == {"m": 2}
    assert answers.views[0].rc is None


def test_lists_that_the_data_do_not_hold_are_not_empty(tmp_path):
    lines = [pair(id="p1", **{"m-label": "A>B"}), pair(id="p2", **{"m-checklist": [], "m-label": "A>B"})]
    one, two = read_answers([write(tmp_path / "pairs.jsonl", *lines)]).views
    assert not reasons_known(one)
    assert reasons_known(two)
    assert two.rc == 0


def run_folder(path, *views, judge=None):
    path.mkdir(parents=True)
    write(path / "samples.jsonl", *(one.to_dict() for one in views))
    if judge is not None:
        manifest = {"judges": [judge]}
        result = {"eval": "rationale", "model": "m", "manifest": manifest, "estimates": [], "statuses": {}}
        (path / "result.json").write_text(json.dumps(result | {"schema_version": 1}), "utf-8")
    return path


def test_runs_are_read_one_or_many(tmp_path):
    first = run_folder(tmp_path / "runs" / "m", view(1), view(0), judge="openai:j")
    run_folder(tmp_path / "runs" / "n", view(0, model="n"), judge="openai:k")
    assert [one.id for one in read_answers([first]).views] == ["p0", "p1"]
    both = read_answers([tmp_path / "runs"])
    assert both.models == ("m", "n")
    assert both.judges == ("openai:j", "openai:k")
    assert both.of("n") == [view(0, model="n")]
    loose = write(tmp_path / "some.jsonl", view(0, model="o").to_dict())
    assert read_answers([loose, first]).models == ("m", "o")


def trained(step=40, **changes):
    row = {
        "step": step, "id": f"{step}/0/0", "pair_id": "p0", "swapped": True, "prompt": "Which?", "answer": "…",
        "tokens": 3, "truncated": False, "status": "ok", "label": "A>B", "verdict": "A>B", "references": ["r", "s"],
        "reasons": ["x", "y"], "matches": [{"reference": 1, "reason": 0, "score": 0.5}], "outcome": 1.0,
        "rationale": 0.5, "rc": 0.25, "reward": 0.5, "advantage": 0.1, "error": None,
    }  # fmt: skip
    return row | changes


def test_samples_of_a_training_run_are_answers_of_its_steps(tmp_path):
    run = tmp_path / "hybrid"
    run.mkdir()
    gated = {"id": "40/0/1", "outcome": 0.0, "rationale": None, "rc": None, "matches": None}
    write_samples(run, 40, [trained(), trained(**gated)])
    write_samples(run, 80, [trained(80, outcome=float("nan"))])
    answers = read_answers([run])
    assert answers.models == ("hybrid@000040", "hybrid@000080")
    judged, unjudged = answers.of("hybrid@000040")
    assert (judged.matches, judged.rc, judged.right, judged.swapped) == (((1, 0, 0.5),), 0.25, True, True)
    assert adds_up(judged)
    assert (unjudged.rc, unjudged.right) == (None, False)
    assert answers.of("hybrid@000080")[0].right is None
    assert reasons_known(unjudged)


def test_an_outcome_that_is_not_known_is_neither_right_nor_wrong(tmp_path):
    assert view_of(str(tmp_path / "samples" / "x.parquet"), trained(outcome=float("nan"))).right is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "x"}, "no sample as `rationale-rm train` writes them"),
        ({"matches": [{"reference": 0}]}, "no sample as `rationale-rm train` writes them"),
        ({"matches": [{"reference": 0, "reason": 7, "score": 1.0}]}, "matches must be lists of"),
        ({"reasons": 3}, "no sample as `rationale-rm train` writes them"),
        ({"id": None}, "id must be text"),
    ],
)
def test_training_samples_that_cannot_be_used_are_bad_lines(tmp_path, change, message):
    answers = read_answers([write(tmp_path / "rows.jsonl", trained(), trained(id="40/0/2") | change)])
    assert len(answers.views) == 1
    assert message in answers.bad[0].reason
    assert answers.bad[0].line == 2


def test_runs_and_lines_mix(tmp_path):
    run = run_folder(tmp_path / "run", view(0, model="n"))
    lines = write(tmp_path / "matches.jsonl", *judged_lines(n=2))
    assert read_answers([run, lines]).models == ("m", "n")


def test_two_answers_of_one_name_are_refused(tmp_path):
    runs = [run_folder(tmp_path / name, view(0)) for name in "ab"]
    with pytest.raises(DataError, match=r"b/samples.jsonl:1: a second answer 'p0' of model 'm'.*a/samples.jsonl:1"):
        read_answers(runs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reasons": "one"}, "reasons must be a list of texts"),
        ({"reasons": [1]}, "reasons must be a list of texts"),
        ({"references": [None]}, "references must be a list of texts"),
        ({"pair_id": 3}, "pair_id must be text"),
        ({"rc": 1.5}, "rc must be a number from 0 to 1"),
        ({"rc": "x"}, "rc must be a number from 0 to 1"),
        ({"right": 1}, "right must be true, false or null"),
        ({"right": "yes"}, "right must be true, false or null"),
        ({"matches": [[0, 9, 0.5]]}, "matches must be lists of a reference"),
        ({"matches": [[0, 0]]}, "matches must be lists of a reference"),
        ({"matches": [[True, 0, 0.5]]}, "matches must be lists of a reference"),
        ({"matches": 5}, "matches must be lists of a reference"),
        ({"matches": [[0, -1, 0.5]]}, "matches must be lists of a reference"),
        ({"schema_version": 99}, "upgrade rationale-rm"),
        ({"what": 1}, "unknown field 'what'"),
    ],
)
def test_a_sample_that_cannot_be_used_is_a_bad_line(tmp_path, change, message):
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder / "samples.jsonl", view(0).to_dict(), view(1).to_dict() | change)
    answers = read_answers([folder])
    assert [one.id for one in answers.views] == ["p0"]
    (bad,) = answers.bad
    assert str(bad).startswith(f"{folder}/samples.jsonl:2: ")
    assert message in bad.reason
    with pytest.raises(DataError, match=r"samples.jsonl:2"):
        read_answers([folder], strict=True)


def test_hostile_samples_are_bad_lines_and_no_crash(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    generator = random.Random(0)
    values = [None, 1, -1, 1e308, True, "", "\ud800", [], {}, [[]], [[1, 2, 3]], {"a": 1}]
    fields = list(view(0).to_dict())
    rows = [view(k).to_dict() | {generator.choice(fields): generator.choice(values)} for k in range(300)]
    write(folder / "samples.jsonl", *rows, "[1]", "{")
    answers = read_answers([folder])
    assert 0 < len(answers.views) < 300
    assert len(answers.views) + len(answers.bad) <= 302
    for one in answers.views:
        assert isinstance(one, SampleView)
        hash((one.model, one.id, one.pair_id))


def test_the_manifest_names_the_files_by_their_content(tmp_path):
    file = write(tmp_path / "a.jsonl", {"a": 1})
    found = manifest([str(file)], Sampling(10, 3), judges=["j"])
    assert found["files"] == [{"file": "a.jsonl", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]
    assert (found["seed"], found["n_resamples"], found["judges"]) == (3, 10, ["j"])
