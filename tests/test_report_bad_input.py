"""Documents that hold what they should not: the report refuses them with their place, and never shows half a page."""

import json
import re

import pytest
import reports
from rationale_rm.documents import Estimate
from rationale_rm.report import ReportError, Settings, read, write
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import manifests, outcome


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
    folder = reports.write_training(tmp_path / "run", rationale=-0.5)
    with (tmp_path / "report.html").open("wb") as stream:
        write(read([folder]), stream, Settings())
    assert re.search(r">[-−]0\.[1-9]</text>", (tmp_path / "report.html").read_text())
