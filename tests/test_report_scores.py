"""The section Scores: each kind of evaluation has its figures in it, whatever its slices and rules are."""

import json
import re

import pytest
import reports
from rationale_rm.cli.main import app
from rationale_rm.documents import Estimate
from rationale_rm.report import read
from rationale_rm.report.charts import SHAPES
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import analyses, benchmarks, dynamics, outcome, reasons
from typer.testing import CliRunner
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


def test_a_run_that_was_stopped_stands_where_it_was(tmp_path):
    """``test`` is evaluated before the first step and at the end: a stopped run has ``validation`` alone since."""
    folder = reports.write_training(tmp_path / "run-0", rationale=0.4)
    path = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["phase"] == "evaluation" and line["step"]:
            line["split"] = "validation"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    inputs = read([folder])
    (figure,) = outcome.section(inputs, (0.7, 0.25), Palette()).blocks
    assert [row[0].text for row in figure.table.rows] == ["run-0 at step 30"]
    table = dynamics.section(inputs, Palette()).blocks[0].table
    assert texts(table)[0][:7] == ["run-0", "30", ".777", ".353", "validation, step 30", ".850", ".400"]


def test_a_folder_of_arena_hard_is_all_its_models(tmp_path):
    figures = [reports.estimate("win_rate", 0.25, slice="hard_prompt", rule="plain")]
    for model in ("alpha", "beta"):
        reports.write_eval(
            tmp_path / "ah" / model, model, reports.samples(model, 2), estimates=figures, kind="arena_hard"
        )
    assert [run.name for run in read([tmp_path / "ah"]).evals] == ["alpha", "beta"]


def test_a_comparison_that_is_given_is_not_made_again(tmp_path):
    given = tmp_path / "c.json"
    difference = {"rule": "", "slice": "overall", "metric": "oa", "value": 0.125, "n": 9}
    given.write_text(json.dumps({"eval": "rationale", "a": "a", "b": "b", "differences": [difference]}))
    folders = [reports.write_eval(tmp_path / name, name, reports.samples(name, 3)) for name in ("a", "b")]
    for folder in folders:
        item = {"id": "1", "cluster": "1", "slices": ["overall"], "values": {"/oa": 1.0}}
        (folder / "items.jsonl").write_text(json.dumps(item) + "\n")
    out = tmp_path / "r.html"
    done = CliRunner().invoke(app, ["report", *map(str, folders), str(given), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text().count("a less b") == 1


def test_reasons_with_flaws_alone_are_counted_by_them(tmp_path):
    estimates = [
        *(reports.estimate(code, 0.5, slice="m", rule="rules", n=40) for code in ("F1", "F2")),
        *(Estimate(rule="rules", metric=code, slice="m", value=None, n=0, n_total=100) for code in ("EG", "CG", "GS")),
    ]
    path = reports.write_analysis(tmp_path / "t.json", "taxonomy", ("m",), estimates)
    blocks = reasons.section(read([path]), Palette()).blocks
    assert [block.title for block in blocks] == [
        "Flaws of reasons, labelled by rules", "Reasons by class and flaw: every figure",
    ]  # fmt: skip
    assert (blocks[0].table.rows[0][-1].text, blocks[0].table.rows[0][-1].note) == ("40", "40.0% of 100")


def test_labels_of_two_files_have_their_names(tmp_path):
    paths = [reports.taxonomy(tmp_path / name, ["m"]) for name in ("by-rules.json", "by-model.json")]
    section = reasons.section(read(paths), Palette())
    assert section.blocks[0].title == "Classes of reasons, labelled by rules (by-rules.json)"
    assert section.blocks[2].title == "Classes of reasons, labelled by rules (by-model.json)"


def test_a_model_without_labels_is_named(tmp_path):
    """The public human reasons have no labels: RC without OA is no point, and not nothing."""
    folders = [
        reports.write_eval(tmp_path / "a", "labelled", reports.samples("labelled", 3)),
        reports.write_eval(
            tmp_path / "b", "plain", reports.samples("plain", 3), estimates=[reports.estimate("rc", 0.25)]
        ),
    ]
    (figure,) = outcome.section(read(folders), (0.7, 0.25), Palette()).blocks
    assert "only in the table: plain, evaluation" in figure.caption
    row = next(row for row in figure.table.rows if row[0].text == "plain, evaluation")
    assert [(cell.text, cell.flag) for cell in row[1:3]] == [("–", "no labels"), (".250", "n = 95 of 100")]


def test_degeneration_is_told_run_by_run(tmp_path):
    """From the command on training runs to the table: on the test pairs, where these were evaluated."""
    folders = [
        reports.write_training(tmp_path / name, rationale=rationale)
        for name, rationale in (("up", 0.6), ("down", 0.05))
    ]
    path = tmp_path / "degeneration.json"
    done = CliRunner().invoke(app, ["analyze", "degeneration", *map(str, folders), "--json", str(path), "-q"])
    assert done.exit_code == 0, done.output
    table = analyses.section(read([path]), Palette()).blocks[0]
    assert [[row[0].text, row[1].text, row[2].text, row[-1].text] for row in table.rows] == [
        ["up/test", ".100", ".400", "no"], ["down/test", ".100", "-.150", "yes"],
    ]  # fmt: skip


def test_degeneration_of_a_run_that_was_stopped(tmp_path):
    """Its test pairs were evaluated before the first step alone."""
    folder = reports.write_training(tmp_path / "down", rationale=0.05)
    path = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    more = [line | {"split": "validation"} for line in lines if line["phase"] == "evaluation"]
    kept = [line for line in lines if line["phase"] == "grpo" or line["step"] == 0]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*kept, *more]))
    out = tmp_path / "degeneration.json"
    done = CliRunner().invoke(app, ["analyze", "degeneration", str(folder), "--json", str(out), "-q"])
    assert done.exit_code == 0, done.output
    table = analyses.section(read([out]), Palette()).blocks[0]
    assert [[row[0].text, row[-1].text] for row in table.rows] == [["down/validation", "yes"]]


def test_a_training_run_with_an_evaluation_inside_is_a_training_run(tmp_path):
    folder = reports.write_training(tmp_path / "run-0", rationale=0.4)
    reports.write_eval(folder / "evaluated", "m", reports.samples("m", 2))
    inputs = read([folder])
    assert (len(inputs.trainings), len(inputs.evals)) == (1, 0)


def test_models_are_counted_as_models(tmp_path):
    """N of their figures counts answers."""
    points = [{"level": "model", "model": f"m{n}", "x": 0.1 * n, "y": 0.1 * n} for n in range(3)]
    figures = [Estimate(metric="r2", value=0.9, n=600, n_total=600)]
    path = reports.write_analysis(tmp_path / "a.json", "agreement", ("a", "b"), figures, points)
    assert "Drawn are" not in analyses.section(read([path]), Palette()).blocks[0].caption
