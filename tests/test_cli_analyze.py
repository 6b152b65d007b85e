"""``rationale-rm analyze`` from the outside."""

import json
import random

import pytest
from analysis_cases import view
from rationale_rm.cli.main import app
from rationale_rm.documents import Analysis
from records import critiqued, judge_text, matched, pair, write
from test_analysis_degeneration import run as train_run
from typer.testing import CliRunner

HOSTILE = "\x1b[31m[red]x[/red]\x07\u202e"
SAMPLES = ("lengths", "ranks", "templates")


def invoke(*arguments):
    return CliRunner().invoke(app, ["analyze", *map(str, arguments)])


def document(*arguments):
    done = invoke(*arguments, "--json", "-", "--n-resamples", 50)
    assert done.exit_code == 0, done.output
    return Analysis.from_dict(json.loads(done.stdout))


def matches(path, judge="openai:j@http://127.0.0.1/v1", shift=0.0, models=("m", "n", "o")):
    generator = random.Random(0)
    lines = []
    for number in range(8):
        record = pair(id=f"p{number}", domain=("code", "stem")[number % 2])
        for place, model in enumerate(models):
            score = round(min(1.0, 0.1 + 0.25 * place + 0.2 * generator.random() + shift), 3)
            line = critiqued(record, generator.choice(["A>B", "B>A"]), model=model)
            lines.append(matched(line, judge_text((1, 1, score), (2, 0, 0)), model=model, judge=judge))
    return write(path, *lines)


@pytest.fixture
def file(tmp_path):
    return matches(tmp_path / "matches.jsonl")


@pytest.mark.parametrize("name", SAMPLES)
def test_answers_give_a_table_and_a_document(name, file, tmp_path):
    done = invoke(name, file, "--json", tmp_path / "out.json", "--n-resamples", 50)
    assert done.exit_code == 0, done.output
    assert "95% interval" in done.stdout
    found = Analysis.from_dict(json.loads((tmp_path / "out.json").read_text("utf-8")))
    assert found.analysis == name
    assert found.subject == ("m", "n", "o")
    assert found.manifest["files"][0]["file"] == "matches.jsonl"
    assert found.points
    names = [(one.rule, one.slice, one.metric) for one in found.estimates]
    assert len(set(names)) == len(names)
    assert document(name, file) == found  # and is the same each time
    assert document(name, file, "--model", "n").subject == ("n",)


def test_two_judges_are_compared(tmp_path, file):
    other = matches(tmp_path / "other.jsonl", judge="openai:k@http://127.0.0.1/v1", shift=0.1)
    found = document("agreement", file, other)
    assert found.subject == ("openai:j@http://127.0.0.1/v1", "openai:k@http://127.0.0.1/v1")
    by_name = {(one.slice, one.metric): one.value for one in found.estimates}
    assert by_name["overall", "r2"] == pytest.approx(1)
    assert by_name["items", "difference"] == pytest.approx(0.05, abs=1e-6)
    assert "Answers on which they differ most" in invoke("agreement", file, other).stdout


def test_two_benchmarks_are_compared(tmp_path):
    for name, sign in (("a", 1), ("b", -1)):
        rows = "".join(f"m{k},{sign * k}\n" for k in range(6))
        (tmp_path / f"{name}.csv").write_text(f"model,score\n{rows}", "utf-8")
    found = document("rank-agreement", tmp_path / "a.csv", tmp_path / "b.csv")
    assert found.estimates[0].value == pytest.approx(-1)
    assert invoke("rank-agreement", tmp_path / "a.csv", tmp_path / "b.csv").stdout.count("m5") == 1


def test_runs_are_compared(tmp_path):
    a, b = train_run(tmp_path, "hybrid", 1, rc=(0.3, 0.5)), train_run(tmp_path, "outcome", 2, rc=(0.3, 0.1))
    done = invoke("degeneration", a, f"other={b}")
    assert done.exit_code == 0, done.output
    assert "other degenerates (test)" in done.stdout
    assert "hybrid degenerates" not in done.stdout
    assert "hybrid minus other/train" in done.stdout


def test_labels_give_rates(tmp_path):
    file = write(tmp_path / "labels.jsonl", {"id": "p1", "model": "m", "classes": ["EG", "GS"], "flaws": [[], ["F1"]]})
    found = document("rates", file, "--labeller", "rules")
    assert {one.rule for one in found.estimates} == {"rules"}
    assert found.estimates[0].value == 0.5


@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_names_and_reasons_reach_no_terminal(name, tmp_path):
    views = [view(k, model=f"m{HOSTILE}", domain=HOSTILE, reasons=[HOSTILE, "plain"]) for k in range(3)]
    file = write(tmp_path / "samples.jsonl", *(one.to_dict() for one in views))
    done = invoke(name, file, "--n-resamples", 50)
    assert done.exit_code == 0, done.output
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert "[red]" in done.stdout


def test_bad_lines_are_told_and_noted(tmp_path):
    file = write(tmp_path / "samples.jsonl", view(0).to_dict(), view(1).to_dict() | {"rc": 7}, view(2).to_dict())
    done = invoke("lengths", file)
    assert done.exit_code == 0
    assert "samples.jsonl:2: rc must be a number from 0 to 1" in done.stderr
    assert "1 of 3 lines was left out as bad" in done.stdout
    assert invoke("lengths", file, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lengths", "nowhere"], 2, "no such file or folder: nowhere"),
        (["lengths", "{pairs}"], 1, "nothing to analyse: none of 1 line"),
        (["lengths", "{file}", "--model", "x"], 2, "--model x: the data hold m"),
        (["lengths", "{file}", "--json", "{file}"], 2, "it is an input file"),
        (["lengths", "{file}", "--json", "no/where/x.json"], 2, "there is no folder"),
        (["agreement", "{file}", "{other}"], 1, "no answer in common"),
        (["degeneration", "a=nowhere"], 2, "no run folder 'nowhere': give FOLDER or NAME=FOLDER"),
        (["degeneration", "{folder}"], 2, "no metrics.jsonl in"),
        (["rank-agreement", "{file}", "{file}"], 1, "column 'model' is missing"),
        (["rates", "{file}"], 1, "samples.jsonl:1: "),
        (["rates", "{unlabelled}"], 1, "no labels in"),
        (["templates", "{file}", "--similar", "0"], 2, "similar"),
    ],
)
def test_what_cannot_be_done_says_why(tmp_path, arguments, code, message):
    places = {
        "pairs": write(tmp_path / "pairs.jsonl", pair()),
        "file": write(tmp_path / "samples.jsonl", view(0).to_dict(), view(1).to_dict()),
        "other": write(tmp_path / "other.jsonl", view(7).to_dict()),
        "unlabelled": write(tmp_path / "unlabelled.jsonl", view(7).to_dict()),
        "folder": tmp_path,
    }
    if arguments[0] == "rates" and "{file}" in arguments:
        places["file"] = write(tmp_path / "samples.jsonl", {"id": 1})
    done = invoke(*(argument.format(**places) for argument in arguments))
    assert done.exit_code == code, done.output
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "name", ["agreement", "rank-agreement", "degeneration", "lengths", "ranks", "templates", "rates"]
)
def test_help_shows_an_example(name):
    done = invoke(name, "--help")
    assert done.exit_code == 0
    assert f"rationale-rm analyze {name} " in done.stdout


def test_a_missing_library_names_its_extra(monkeypatch, file):
    monkeypatch.setitem(__import__("sys").modules, "rensa", None)
    done = invoke("templates", file)
    assert done.exit_code == 1
    assert 'pip install "rationale-rm[analysis]"' in done.stderr
