"""``score``: the engines' options, and rows as Parquet. With Ray itself: tests/integrations/test_ray.py."""

import csv
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from rationale_rm.cli.main import app
from rationale_rm.integrations.ray_lines import Scoring, score_file
from rationale_rm.integrations.ray_parts import part_name, write_whole
from records import judge_text, pair, result, transcript, write
from typer.testing import CliRunner


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path):
    (tmp_path / "in").mkdir()
    rows = [
        result(pair(**{"id": f"p{n}", "m-generated_text": transcript("A>B")}), judge_text((1, 1, n / 8), (2, 0, 0)))
        for n in range(8)
    ]
    return write(tmp_path / "in" / "results.jsonl", *rows)


def test_samples_as_parquet_are_those_of_the_csv(results, tmp_path):
    path = tmp_path / "rows.parquet"
    done = invoke("score", results, "--samples", path, "--quiet")
    assert (done.exit_code, done.stdout) == (0, "")
    rows = list(csv.DictReader(invoke("score", results, "--samples", "-").stdout.splitlines()))
    found = pq.read_table(path).to_pylist()
    assert len(found) == len(rows) == 8
    for ours, theirs in zip(found, rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in ours.items()} == theirs
    assert [file.name for file in tmp_path.iterdir()].count("rows.parquet") == 1


def test_samples_whose_names_are_no_unicode(tmp_path):
    path = write(tmp_path / "x.jsonl", result(pair(**{"m\ud800-generated_text": transcript()}), "no block"))
    assert invoke("score", path, "--samples", tmp_path / "rows.parquet").exit_code == 0
    assert pq.read_table(tmp_path / "rows.parquet").column("model").to_pylist() == ["m\\ud800"]


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "2"],
        ["--parts", "x"],
        ["--engine", "dask"],
        ["--engine", "ray", "--workers", "0"],
        ["--engine", "ray", "--parts", "HERE"],
        ["--engine", "ray", "--parts", "FILE"],
        ["--engine", "ray", "--parts", "UNDER"],
    ],
)
def test_misuse_is_exit_2(results, options):
    places = {"HERE": results.parent, "FILE": results, "UNDER": results / "a" / "b"}
    done = invoke("score", results, *[places.get(option, option) for option in options])
    assert done.exit_code == 2, done.output
    assert "cannot read" not in done.output
    assert results.exists()


def test_the_ray_engine_needs_files():
    done = invoke("score", "-", "--engine", "ray")
    assert done.exit_code == 1
    assert "standard input" in done.output


@pytest.mark.parametrize("module", ["ray", "pyarrow"])
def test_a_missing_engine_is_exit_1_and_names_the_extra(results, module):
    block = f"import sys; sys.modules['{module}'] = None; from rationale_rm.cli.main import main; main()"
    parts = results.parent.parent / "parts"
    command = [sys.executable, "-c", block, "score", str(results), "--engine", "ray", "--parts", str(parts)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "rationale-rm[ray]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not parts.exists(), "a folder that nothing was written to"


WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from rationale_rm.cli.main import main; main()"


def test_parts_that_are_done_are_read_and_a_damaged_one_is_told_of(results, tmp_path):
    """Without Ray, so that whatever is not taken for done ends the run."""
    parts = tmp_path / "parts"
    parts.mkdir()
    scoring = Scoring()
    part = parts / part_name(str(results), scoring)
    write_whole(score_file(str(results), scoring), part)
    command = [sys.executable, "-c", WITHOUT_RAY, "score", str(results), "--json", "-"]
    command += ["--engine", "ray", "--parts", str(parts)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == invoke("score", results, "--json", "-").stdout
    part.write_bytes(part.read_bytes()[:-9])
    again = subprocess.run(command, capture_output=True, text=True)
    first, second = again.stderr.splitlines()
    assert first.startswith(f"warning: {part} cannot be read: ")
    assert first.endswith("its file is scored again")
    assert 'pip install "rationale-rm[ray]"' in second
    quiet = subprocess.run([*command, "--quiet"], capture_output=True, text=True)
    assert quiet.stderr.splitlines() == [second]
