"""Documents that hold what they should not: the report refuses them with their place, and never shows half a page."""

import json
import re

import pyarrow
import pytest
import reports
from pyarrow import parquet
from rationale_rm.cli.main import app
from rationale_rm.documents import Estimate
from rationale_rm.report import ReportError, Settings, read, write
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import manifests, outcome
from typer.testing import CliRunner


def changed(path, **fields):
    """The JSON lines of a file with the last one changed."""
    lines = path.read_text().splitlines()
    text = json.dumps({**json.loads(lines[-1]), **fields}).replace('"1e999"', "1e999")
    path.write_text("\n".join([*lines[:-1], text]) + "\n")


@pytest.mark.parametrize(
    "fault",
    [
        *({"domain": None}, {"status": None}, {"id": 7}, {"context": 5}, {"context": [None]}, {"references": [5]}),
        *({"text": 5}, {"rc": "0.5"}, {"flaws": [5]}, {"matches": [[0, 99, 0.9]]}, {"scores": [[0, 0, 7]]}),
        *({"swapped": "no"}, {"verdict": ["A>B"]}),
    ],
    ids=str,
)
def test_a_sample_is_refused_with_its_line_and_field(tmp_path, fault):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 3))
    changed(folder / "samples.jsonl", **fault)
    with pytest.raises(ReportError, match=f"samples.jsonl, line 3: {next(iter(fault))} must"):
        read([folder])


@pytest.mark.parametrize(
    "fault",
    [
        {"estimates": [{"schema_version": 1, "metric": "oa", "value": "x", "n": 1, "n_total": 1}]},
        {"estimates": [{"schema_version": 1, "metric": "oa", "value": 1, "n": None, "n_total": 1}]},
        {"estimates": [{"schema_version": 1, "metric": "oa", "value": 1e308, "n": 1, "n_total": 1}]},
        {"estimates": [{"schema_version": 1, "metric": "oa", "value": 55, "n": 1, "n_total": 1}]},
        *({"estimates": 5}, {"statuses": {"ok": "x"}}, {"notes": [1]}, {"manifest": []}),
    ],
    ids=str,
)
def test_a_result_is_refused_with_its_file(tmp_path, fault):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 3))
    changed(folder / "result.json", **fault)
    with pytest.raises(ReportError, match=r"result\.json"):
        read([folder])


@pytest.mark.parametrize("number", ["1e999", 10**400])
def test_a_number_beyond_floats_is_none(tmp_path, number):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 3))
    changed(folder / "samples.jsonl", rc=number)
    (one,) = read([folder]).samples
    assert one.samples[-1].rc is None


@pytest.mark.parametrize(
    "fault",
    [
        {"step": None},
        {"by_domain": [1]},
        {"by_domain": {"code": 1}},
        {"oa": {"value": 1, "low": "x"}},
        {"split": ["test"]},
        {"oa": {"value": 1e308}},
        {"step": 10**400},
    ],
)
def test_a_line_of_a_training_run_is_refused(tmp_path, fault):
    folder = reports.write_training(tmp_path / "run", rationale=0.4)
    changed(folder / "metrics.jsonl", **fault)
    with pytest.raises(ReportError, match=r"metrics\.jsonl, line "):
        read([folder])


def test_samples_of_a_run_that_was_killed_while_writing(tmp_path):
    folder = reports.write_training(tmp_path / "run", rationale=0.4)
    (folder / "samples").mkdir()
    (folder / "samples" / "step-000001.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(ReportError, match=r"step-000001\.parquet is no whole Parquet file"):
        read([folder])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"references": None}, "row 2: no sample of `rationale-rm train`"),
        ({"matches": [{"reference": 99, "reason": 0, "score": 0.5}]}, "row 2: no sample"),
        ({"prompt": None}, "row 2: no sample"),
    ],
)
def test_a_row_of_kept_answers_is_refused(tmp_path, fault, words):
    folder = reports.write_training_samples(reports.write_training(tmp_path / "run", rationale=0.4), steps=(10,))
    (file,) = (folder / "samples").iterdir()
    rows = parquet.read_table(file).to_pylist()
    rows[1] |= fault
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    with pytest.raises(ReportError, match=rf"step-000010\.parquet, {words}"):
        read([folder])


def test_other_columns_and_nan_in_kept_answers(tmp_path):
    folder = reports.write_training_samples(reports.write_training(tmp_path / "run", rationale=0.4), steps=(10,))
    (file,) = (folder / "samples").iterdir()
    table = parquet.read_table(file)
    parquet.write_table(table.set_column(table.column_names.index("rc"), "rc", [[float("nan")] * len(table)]), file)
    assert {sample.rc for sample in read([folder]).samples[0].samples} == {None}
    parquet.write_table(table.drop_columns(["id"]), file)
    with pytest.raises(ReportError, match="row 1: no sample"):
        read([folder])


def test_points_may_be_nested_to_any_depth(tmp_path):
    deep = 1
    for _ in range(300):
        deep = [deep]
    path = reports.write_analysis(tmp_path / "a.json", "lengths", ("m",), [reports.estimate("words", 0.5)])
    document = json.loads(path.read_text()) | {"points": [{"p": deep}]}
    path.write_text(json.dumps(document))
    with (tmp_path / "report.html").open("wb") as stream:
        write(read([path]), stream, Settings())
    assert "…" in (tmp_path / "report.html").read_text()


def test_paths_that_are_no_input(tmp_path):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 3))
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    for path, words in (
        (folder / "samples.jsonl", "name its folder"),
        (empty, "holds no labels"),
        ("/dev/null", "neither a file nor a folder"),
    ):
        with pytest.raises(ReportError, match=words):
            read([path])


@pytest.mark.parametrize("lines", [0, 2])
def test_samples_that_are_missing_are_told_of(tmp_path, lines):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 5))
    kept = (folder / "samples.jsonl").read_text().splitlines(keepends=True)[:lines]
    (folder / "samples.jsonl").write_text("".join(kept))
    done = CliRunner().invoke(app, ["report", str(folder), "-o", str(tmp_path / "r.html")])
    assert done.exit_code == 0
    assert f"samples.jsonl holds {lines} samples of 5 answers" in done.output


def test_where_a_page_cannot_go(tmp_path):
    folder = reports.write_eval(tmp_path / "run", "m", reports.samples("m", 3))
    analysis = reports.agreement(tmp_path / "a.json")
    before = (folder / "result.json").read_bytes()
    for out, words in (
        (tmp_path / "none" / "r.html", "make it first"),
        (folder / "result.json", "it is an input"),
        (analysis, "it is an input"),
        (tmp_path, "it is a folder"),
    ):
        done = CliRunner().invoke(app, ["report", str(folder), str(analysis), "-o", str(out)])
        assert (done.exit_code, words in done.output) == (2, True), done.output
    assert (folder / "result.json").read_bytes() == before
    done = CliRunner().invoke(app, ["report", str(folder), "-o", str(folder / "report.html"), "--trap-oa", "nan"])
    assert done.exit_code == 2
    assert "expected a number" in done.output


@pytest.mark.parametrize("differences", [5, [1], [{"value": "x"}]])
def test_a_comparison_of_something_else(tmp_path, differences):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"eval": "llmbar", "a": "a", "b": "b", "differences": differences}))
    with pytest.raises(ReportError, match="`differences` is a list"):
        read([path])


def test_a_model_without_rc_stands_in_the_table_with_the_reason(tmp_path):
    none = [
        reports.estimate("oa", 0.9),
        Estimate(metric="rc", value=None, n=0, n_total=3, unavailable="the judge failed"),
    ]
    folders = [
        reports.write_eval(tmp_path / "a", "with", reports.samples("with", 3)),
        reports.write_eval(tmp_path / "b", "without", reports.samples("without", 3), estimates=none),
    ]
    (figure,) = outcome.section(read(folders), (0.7, 0.25), Palette()).blocks
    assert "only in the table: without, evaluation" in figure.caption
    row = next(row for row in figure.table.rows if row[0].text.startswith("without"))
    assert row[2].flag == "the judge failed"


def test_what_is_cut_is_said(tmp_path):
    figures = [reports.estimate(metric, 0.5, slice=f"d{n}") for n in range(20) for metric in ("oa", "rc")]
    manifest = {f"k{n}": n for n in range(250)}
    folder = reports.write_eval(tmp_path / "a", "m", reports.samples("m", 3), estimates=figures, manifest=manifest)
    inputs = read([folder])
    (figure,) = outcome.section(inputs, (0.7, 0.25), Palette()).blocks
    assert "Of 20 domains the first 12 have a panel" in figure.caption
    assert len(figure.table.columns) == 3 + 20
    (folded,) = manifests.section(inputs).blocks
    assert "the first 200 of 250 fields" in folded.tables[0].caption


def test_rewards_below_zero_stay_in_their_panel(tmp_path):
    folder = reports.write_training(tmp_path / "run", rationale=0.5)
    path = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["phase"] == "grpo":
            line["rationale"] -= 0.9
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (tmp_path / "report.html").open("wb") as stream:
        write(read([folder]), stream, Settings())
    assert re.search(r">[-−]0\.[1-9]</text>", (tmp_path / "report.html").read_text())
