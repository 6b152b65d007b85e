"""`rationale-rm analyze taxonomy` by the rules: labels and rates, and runs that go on where another one was."""

import signal
import subprocess
import time

import pytest
from analysis_cases import figure
from judging import COMMAND, environment, pairs_file, records_of, run
from rationale_rm.analysis import read_labels
from rationale_rm.documents import SampleView
from records import pair, write
from taxonomy_cases import analysis, taxonomy


def test_rules_write_labels_and_rates(tmp_path):
    lines = [
        pair(
            id="p1", **{"m-checklist": ["Response A says reversed(items), B sorts.", "A is clearer."], "m-label": "A>B"}
        ),
        pair(id="p2", domain="stem", **{"m-checklist": ["A is more accurate than B."], "m-label": "A>B"}),
        pair(id="p3", **{"human-checklist": None, "m-checklist": ["B is nicer than A."], "m-label": "B>A"}),
        pair(id="p4", **{"m-checklist": [], "m-label": "B>A"}),
    ]
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    done = taxonomy(write(tmp_path / "pairs.jsonl", *lines), out, "--json", summary)
    records = records_of(out)
    assert list(records) == ["p1/m", "p2/m", "p3/m"]
    assert records["p1/m"]["classes"] == ["EG", "GS"]
    assert records["p1/m"]["flaws"][0] == []
    assert records["p2/m"]["flaws"] == [["F2"]]
    assert records["p2/m"]["made_by"] == {"command": "analyze taxonomy", "labeller": "rules", "rules": 2}
    found = analysis(summary)
    assert (found.analysis, found.subject) == ("taxonomy", ("m",))
    assert (figure(found, "m", "EG").value, figure(found, "m", "EG").n_total) == (0.25, 4)
    assert figure(found, "m/stem", "F2").value == 1
    assert found.manifest["made_by"] == records["p1/m"]["made_by"]
    assert "95% interval" in done.stdout


def test_rules_read_a_swapped_answer_as_it_was_shown(tmp_path):
    answer = {"m-checklist": ['A says "Sort it", B doesn\'t.'], "m-label": "B>A", "m-swapped": True}
    path = write(tmp_path / "pairs.jsonl", pair(swapped=True, **answer))
    taxonomy(path, tmp_path / "labels.jsonl")
    (record,) = records_of(tmp_path / "labels.jsonl").values()
    assert (record["classes"], record["flaws"]) == (["EG"], [[]])


def test_samples_of_an_evaluation(tmp_path):
    fields = {"pair_id": "p", "domain": "d", "context": "Q", "response1": "one", "response2": "two", "status": "ok"}
    views = [
        SampleView(id="p", model=name, verdict="A>B", reasons=("A is clear.", "x"), **fields).to_dict() for name in "ab"
    ]
    write(tmp_path / "samples.jsonl", *views)
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    taxonomy(tmp_path, out, "--json", summary)
    assert len(records_of(out)) == 2  # one id, two models
    assert analysis(summary).subject == ("a", "b")
    assert {(one.model, one.id) for one in read_labels([out])} == {("a", "p"), ("b", "p")}


def test_changed_reasons_are_labelled_again(tmp_path):
    out = tmp_path / "labels.jsonl"
    for reason, group in (("A is clear.", "GS"), ('A says "reversed(items)".', "EG")):
        path = write(tmp_path / "pairs.jsonl", pair(**{"m-checklist": [reason], "m-label": "A>B"}))
        taxonomy(path, out)
        assert records_of(out)["p1/m"]["classes"] == [group]
    assert [one.classes for one in read_labels([out])] == [("EG",)]  # the last line counts


def test_labels_of_other_texts_do_not_count(tmp_path):
    """The reasons change, and the run that would label them anew ends at once."""
    out = tmp_path / "labels.jsonl"
    taxonomy(write(tmp_path / "a.jsonl", pair(id="p", **{"m-checklist": ["A is clearer."], "m-label": "A>B"})), out)
    changed = write(tmp_path / "b.jsonl", pair(id="p", **{"m-checklist": ["B sorts the list."], "m-label": "A>B"}))
    held = out.read_text()
    taxonomy(changed, out)
    assert out.read_text() != held, "asked anew"


def test_output_in_a_folder_of_the_input_is_not_read(tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    pairs_file(folder / "pairs.jsonl", 3)
    write(folder / "pairs.jsonl", *(pair(id=f"p{n}", **{"m-checklist": ["A is clearer."]}) for n in range(3)))
    for _ in range(2):
        done = taxonomy(folder, folder / "labels.jsonl")
        assert "left out" not in done.stderr
    assert len(records_of(folder / "labels.jsonl")) == 3


@pytest.mark.parametrize("how", ["taxonomy", "lengths"])
def test_a_document_in_the_folder_of_the_input_is_written_again_and_not_read(how, tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    write(folder / "pairs.jsonl", *(pair(id=f"p{n}", **{"m-checklist": ["A is clearer."]}) for n in range(3)))
    out = ["-o", folder / "labels.jsonl"] if how == "taxonomy" else []
    found = []
    for _ in range(3):
        done = run("analyze", how, folder, *out, "--json", folder / "t.json", "--n-resamples", "20")
        assert "left out" not in done.stderr
        found.append(analysis(folder / "t.json"))
    assert found[0].estimates == found[1].estimates == found[2].estimates
    assert [one["file"] for one in found[2].manifest["files"]] == ["pairs.jsonl"]


def test_a_document_may_not_take_the_place_of_an_input(tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    rows = [pair(id=f"p{n}", **{"m-checklist": ["A is clearer."]}) for n in range(3)]
    path = write(folder / "pairs.json", *rows)
    held = path.read_bytes()
    (folder / "link.json").symlink_to(path)
    for target in (path, folder / "link.json"):
        done = taxonomy(folder, tmp_path / "labels.jsonl", "--json", target, code=2)
        assert "it is an input file" in done.stderr
    done = taxonomy(path, tmp_path / "labels.jsonl", "--json", path, code=2)
    assert "it is an input file" in done.stderr
    assert path.read_bytes() == held


def test_what_no_rate_counts_is_told(tmp_path):
    rows = [
        pair(id="p1", **{"m-checklist": ["A is clearer."], "m-label": "A>B"}),
        pair(id="p2", **{"m-checklist": ["A is clearer."], "m-label": "A>B"}),
        pair(id="p3", **{"m-checklist": [], "m-label": "A>B"}),
        pair(id="p4"),
    ]
    summary = tmp_path / "out.json"
    taxonomy(write(tmp_path / "pairs.jsonl", *rows), tmp_path / "labels.jsonl", "--limit", "1", "--json", summary)
    found = analysis(summary)
    assert (figure(found, "m", "GS").n, figure(found, "m", "GS").n_total) == (1, 1)
    assert found.notes[:3] == (
        "m: of 1 of 4 answers nobody knows the reasons.",
        "m: 1 of 4 answers hold no reason.",
        "1 of 2 answers with reasons are past --limit, and in no rate.",
    )


def interrupted(command, out, size):
    """Starts a run, sends SIGINT when its output holds `size` bytes, and gives its exit code and what it said."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        while process.poll() is None and (not out.exists() or out.stat().st_size < size):
            time.sleep(0.002)
        assert process.poll() is None, "the run ended before it was interrupted"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        return process.wait(), said


def test_a_run_of_the_rules_that_was_interrupted_goes_on(tmp_path):
    pairs = pairs_file(tmp_path / "pairs.jsonl", 1500)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    taxonomy(pairs, whole, "--json", tmp_path / "whole.json")
    want = records_of(whole)
    assert len(want) == 1500
    command = [*COMMAND, "analyze", "taxonomy", str(pairs), "-o", str(out)]
    for size in (20_000, 150_000):
        code, said = interrupted(command, out, size)
        assert code == 130, said
        assert "Traceback" not in said
        assert "the same command asks for the rest" in said
        held = records_of(out)  # whole lines only
        assert 0 < len(held) < 1500
        assert held == {name: want[name] for name in held}
    done = taxonomy(pairs, out, "--json", tmp_path / "out.json")
    assert f"{len(held):,} were there" in done.stderr
    assert records_of(out) == want
    assert len(out.read_text("utf-8").splitlines()) == 1500, "nothing was labelled twice"
    assert analysis(tmp_path / "out.json").estimates == analysis(tmp_path / "whole.json").estimates
