"""The section Scores: each kind of evaluation has its figures in it, whatever its slices and rules are."""

import json
import re

import pytest
import reports
from rationale_rm.documents import Estimate
from rationale_rm.report import read
from rationale_rm.report.charts import SHAPES
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import analyses, benchmarks, outcome
from vl_convert import vegalite_to_svg


def scores(paths):
    return benchmarks.section(read(paths), Palette()).blocks


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_an_evaluation_without_a_whole_has_its_slices(tmp_path):
    """Arena-Hard: hard prompts and creative writing, never one figure for both."""
    figures = [
        reports.estimate("win_rate", value, slice=name, rule=rule)
        for rule in ("plain", "style_controlled")
        for name, value in (("hard_prompt", 0.25), ("creative_writing", 0.75))
    ]
    folder = reports.write_eval(
        tmp_path / "a", "alpha", reports.samples("alpha", 3), estimates=figures, kind="arena_hard"
    )
    head = scores([folder])[0]
    assert [[row[0], row[-1]] for row in texts(head)] == [
        ["alpha · plain, hard prompt", ".250"],
        ["alpha · plain, creative writing", ".750"],
        ["alpha · style controlled, hard prompt", ".250"],
        ["alpha · style controlled, creative writing", ".750"],
    ]


def test_rm_bench_has_its_matrix(tmp_path):
    styles = ("concise", "plain", "markdown")
    cells = [
        reports.estimate(f"{one}_over_{other}", 0.1 * (3 * i + j), slice=part, rule="scores")
        for part in ("overall", "chat")
        for i, one in enumerate(styles)
        for j, other in enumerate(styles)
    ]
    figures = [reports.estimate("accuracy", 0.5, slice="overall", rule="scores"), *cells]
    folder = reports.write_eval(tmp_path / "a", "m", reports.samples("m", 3), estimates=figures, kind="rm_bench")
    head, matrix, *_ = scores([folder])
    assert head.columns == ["Model", "Coverage", "Parse failures", "Accuracy"]
    assert matrix.columns == ["", "wrong: concise", "wrong: plain", "wrong: markdown"]
    assert texts(matrix)[0] == ["right: concise", ".000", ".100", ".200"]
    assert texts(matrix)[2] == ["right: markdown", ".600", ".700", ".800"]


def test_a_run_without_figures_still_stands_there(tmp_path):
    folders = [
        reports.write_eval(tmp_path / "a", "some", reports.samples("some", 3)),
        reports.write_eval(tmp_path / "b", "none", reports.samples("none", 3), estimates=[]),
    ]
    assert [row[0] for row in texts(scores(folders)[0])] == ["some", "none"]


def test_more_runs_than_are_drawn_have_all_their_panels(tmp_path):
    folders = [reports.write_eval(tmp_path / f"m{n}", f"m{n}", reports.samples(f"m{n}", 1)) for n in range(13)]
    figure = scores(folders)[1]
    assert [panel.title for panel in figure.panels] == ["OA", "RC", "AP"]
    assert "Drawn are the first 10 of 13" in figure.caption
    assert len(figure.legend) == 10
    assert len(figure.table.rows) == 3 * 13


def test_domains_of_any_name_have_their_place(tmp_path):
    figures = [reports.estimate("oa", 0.5, slice=name) for name in ("overall", "math/algebra", "code")]
    folder = reports.write_eval(tmp_path / "a", "m", reports.samples("m", 3), estimates=figures)
    assert scores([folder])[1].table.columns == ["Model", "math/algebra", "code", "overall"]


def test_a_training_evaluation_without_rc_says_so(tmp_path):
    """Its judge was away: RC is null, and not zero."""
    folder = reports.write_training(tmp_path / "run-0", rationale=0.4)
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines()
    last = json.loads(lines[-1]) | {"rc": {"value": None, "low": None, "high": None, "n": 0, "n_total": 100}}
    path.write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")
    (figure,) = outcome.section(read([folder]), (0.7, 0.25), Palette()).blocks
    assert "only in the table: run-0 at step 30" in figure.caption
    assert [cell.text for cell in figure.table.rows[1][:3]] == ["run-0 at step 30", ".850", "–"]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_filled(shape):
    """A mark that is a mere line is not seen beside its interval."""
    svg = vegalite_to_svg(
        {"data": {"values": [{}]}, "mark": {"type": "point", "shape": shape, "filled": True, "size": 50}}
    )
    (drawn,) = re.findall(r'class="mark-symbol[^>]*><path[^>]* d="([^"]*)"', svg)
    assert drawn.endswith("Z") or "A" in drawn


def test_agreement_says_which_points_are_drawn(tmp_path):
    points = [{"level": "item", "pair_id": f"p{n}", "x": 0.1 * n, "y": 0.5} for n in range(5)]
    figures = [Estimate(metric="r2", value=0.9, slice="items", n=160, n_total=160)]
    path = reports.write_analysis(tmp_path / "a.json", "agreement", ("a", "b"), figures, points)
    figure = analyses.section(read([path]), Palette()).blocks[0]
    assert "Drawn are 5 of 160 answers" in figure.caption
