"""What ``rationale-rm analyze`` says of its inputs: given twice, through a pipe, with bad lines or endless names."""

import hashlib
import json
import os
import subprocess
import threading

import pytest
from analysis_cases import view
from judging import COMMAND, environment, run
from rationale_rm.cli.main import app
from rationale_rm.documents import Analysis, Estimate, EvalResult
from records import write
from test_analysis_degeneration import run as train_run
from test_cli_analyze import document, invoke, matches
from typer.testing import CliRunner

NAMES = ("lengths", "ranks", "templates", "rates")


def labels(path):
    rows = [{"id": f"p{k}", "model": "m", "classes": ["EG"], "flaws": [[]]} for k in range(3)]
    return write(path, *rows)


def samples(path, **changes):
    return write(path, *(view(k, **changes).to_dict() for k in range(3)))


def taken(name, path):
    return labels(path) if name == "rates" else samples(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("again", ["same", "dots", "link", "hard link", "folder"])
def test_a_file_that_is_given_twice_is_read_once_and_told(name, again, tmp_path):
    (tmp_path / "data").mkdir()
    file = taken(name, tmp_path / "data" / "in.jsonl")
    other = {
        "same": file,
        "dots": f"{tmp_path}/data/../data/in.jsonl",
        "link": tmp_path / "link.jsonl",
        "hard link": tmp_path / "hard.jsonl",
        "folder": tmp_path / "data",
    }[again]
    (tmp_path / "link.jsonl").symlink_to(file)
    os.link(file, tmp_path / "hard.jsonl")
    once = document(name, file)
    done = invoke(name, file, other, "--json", "-", "--n-resamples", 50)
    assert done.exit_code == 0, done.output
    assert f".jsonl was named before, by {file}, and is read once" in done.stderr
    assert Analysis.from_dict(json.loads(done.stdout)) == once


@pytest.mark.parametrize("link", [False, True])
def test_a_judge_is_not_compared_with_itself(tmp_path, link):
    file = other = matches(tmp_path / "matches.jsonl")
    if link:
        other = tmp_path / "link.jsonl"
        other.symlink_to(file)
    done = invoke("agreement", file, other)
    assert done.exit_code == 2
    assert "FIRST and SECOND both hold" in done.stderr
    done = invoke("agreement", tmp_path, file)
    assert done.exit_code == 2


def test_copies_of_one_file_are_compared_and_told(tmp_path):
    file = matches(tmp_path / "matches.jsonl")
    (tmp_path / "copy.jsonl").write_bytes(file.read_bytes())
    done = invoke("agreement", file, tmp_path / "copy.jsonl")
    assert done.exit_code == 0
    assert "matches.jsonl and copy.jsonl hold the same bytes" in " ".join(done.stdout.split())


def test_a_benchmark_is_not_compared_with_itself_but_by_another_figure(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("model,score\n" + "".join(f"m{k},{k}\n" for k in range(6)), "utf-8")
    (tmp_path / "b.csv").symlink_to(table)
    done = invoke("rank-agreement", table, tmp_path / "b.csv")
    assert done.exit_code == 2
    assert "FIRST and SECOND both hold" in done.stderr
    for k in range(6):
        figures = [Estimate(metric=name, value=(k * by) % 7 / 7, n=9, n_total=9) for name, by in (("rc", 1), ("oa", 3))]
        result = EvalResult(eval="rationale", model=f"m{k}", manifest={}, estimates=tuple(figures), statuses={})
        (tmp_path / "runs" / str(k)).mkdir(parents=True)
        (tmp_path / "runs" / str(k) / "result.json").write_text(json.dumps(result.to_dict()), "utf-8")
    runs = tmp_path / "runs"
    assert invoke("rank-agreement", runs, runs, "--figure", "rc").exit_code == 2
    assert invoke("rank-agreement", runs, runs, "--figure", "rc", "--second-figure", "rc").exit_code == 2
    assert document("rank-agreement", runs, runs, "--figure", "rc", "--second-figure", "oa").estimates[0].n == 6


def test_a_run_is_not_compared_with_itself(tmp_path):
    folder = train_run(tmp_path, "r", 0)
    (tmp_path / "link").symlink_to(folder)
    for again in (folder, f"x={folder}", f"x={tmp_path / 'link'}"):
        done = invoke("degeneration", folder, again)
        assert done.exit_code == 2
        assert "are one run: give each once" in done.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seekable", [False, True])
def test_standard_input_is_read_as_a_file_is(name, seekable, tmp_path):
    file = taken(name, tmp_path / "in.jsonl")
    command = [*COMMAND, "analyze", name, "-", "--json", "-", "--n-resamples", "50"]
    with open(file, "rb") as stream:
        given = {"stdin": stream} if seekable else {"input": file.read_bytes()}
        done = subprocess.run(command, capture_output=True, env=environment(), timeout=120, **given)
    assert done.returncode == 0, done.stderr
    piped, read = Analysis.from_dict(json.loads(done.stdout)), document(name, file)
    assert piped.estimates == read.estimates
    assert piped.manifest["files"] == [{"file": "-", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]


def test_lines_of_match_from_standard_input_are_a_judge_of_two(tmp_path):
    file = matches(tmp_path / "matches.jsonl")
    other = matches(tmp_path / "other.jsonl", shift=0.1)
    done = CliRunner().invoke(app, ["analyze", "agreement", "-", str(other), "--json", "-"], input=file.read_bytes())
    assert done.exit_code == 0, done.output
    assert Analysis.from_dict(json.loads(done.stdout)).estimates == document_of(file, other)
    twice = CliRunner().invoke(app, ["analyze", "agreement", "-", "-"], input=file.read_bytes())
    assert twice.exit_code == 2
    assert "FIRST and SECOND both hold -" in twice.stderr


def document_of(*files):
    done = invoke("agreement", *files, "--json", "-")
    return Analysis.from_dict(json.loads(done.stdout)).estimates


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank-agreement", "-", "x.csv"], "standard input is not read"),
        (["degeneration", "-"], "no run folder '-'"),
    ],
)
def test_what_does_not_read_standard_input_says_so(arguments, message, tmp_path):
    (tmp_path / "x.csv").write_text("model,score\n", "utf-8")
    done = run("analyze", *arguments, code=2, input="", cwd=tmp_path)
    assert message in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_is_refused_and_not_half_read(name, tmp_path):
    """Its first lines would be gone when the analysis begins."""
    file, pipe = taken(name, tmp_path / "in.jsonl"), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.open("wb").write(file.read_bytes()), daemon=True)
    writer.start()
    done = run("analyze", name, pipe, code=1)
    assert "pipe: no file, and inputs are read more than once" in done.stderr


def test_bad_lines_are_in_the_document_as_far_as_said(tmp_path):
    rows = [view(k).to_dict() | ({"rc": 7} if k % 2 else {"extra" * 400: 1} if k == 4 else {}) for k in range(3000)]
    file = write(tmp_path / "samples.jsonl", *rows)
    done = invoke("templates", file, "--json", tmp_path / "out.json", "--n-resamples", 20)
    assert done.exit_code == 0, done.output
    assert "… and 1496 more; --json lists the first 1,000" in done.stderr
    manifest = json.loads((tmp_path / "out.json").read_text("utf-8"))["manifest"]
    assert (manifest["n_lines"], manifest["n_bad_lines"], len(manifest["bad_lines"])) == (3000, 1501, 1000)
    first, _, long = manifest["bad_lines"][:3]
    assert first == {"file": str(file), "line": 2, "reason": first["reason"]}
    assert "rc must be a number from 0 to 1" in first["reason"]
    assert (long["line"], len(long["reason"]), long["reason"][-1]) == (5, 500, "…")
    few = write(tmp_path / "few.jsonl", *rows[:20])
    done = invoke("lengths", few, "--json", "-", "--n-resamples", 20)
    assert "--json lists them all" in done.stderr
    assert len(json.loads(done.stdout)["manifest"]["bad_lines"]) == 11


HUGE = "\x1b[31m\u202e" + "n" * 1_000_000
"""A name that would fill a screen many times over."""


@pytest.mark.parametrize("name", ["lengths", "ranks", "templates", "rates", "agreement", "taxonomy"])
def test_names_of_any_length_are_cut_on_the_terminal(name, tmp_path):
    more = {"model": HUGE, "domain": HUGE + "d", "right": None, "rc": None if name == "ranks" else 0.5}
    if name == "rates":
        row = {"id": "p", "model": HUGE, "classes": [None, "EG"], "flaws": [None, None]}
        given = [write(tmp_path / "in.jsonl", *(row | {"id": f"p{k}", "domain": f"{k}{HUGE}"} for k in range(2)))]
    else:
        given = [samples(tmp_path / "in.jsonl", **more)]
    if name == "agreement":
        given.append(samples(tmp_path / "other.jsonl", **more | {"rc": 0.25}))
    if name == "taxonomy":
        given += ["-o", tmp_path / "labels.jsonl"]
    done = run("analyze", name, *given, "--n-resamples", "20", "--json", tmp_path / "out.json")
    for text in (done.stdout, done.stderr):
        assert len(text) < 20_000
        assert not {"\x1b", "\u202e"} & set(text)
    assert "\\x1b[31m" in done.stdout
    assert "…" in done.stdout
    subject = json.loads((tmp_path / "out.json").read_text("utf-8"))["subject"]
    assert subject == ([str(one) for one in given] if name == "agreement" else [HUGE])  # the document is whole


def test_errors_about_endless_names_are_cut(tmp_path):
    file = samples(tmp_path / "in.jsonl", model=HUGE)
    twice = samples(tmp_path / "twice.jsonl", model=HUGE)
    for arguments in (["lengths", file, "--model", "x" * 100_000], ["lengths", file, twice]):
        done = invoke(*arguments)
        assert done.exit_code in (1, 2)
        assert "error: " in done.stderr
        assert len(done.stderr) < 5000
        assert "\x1b" not in done.stderr
