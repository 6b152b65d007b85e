"""What a report reads, refuses and packs; tests/browser looks at the page."""

import base64
import gzip
import html
import json
import re

import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.cli.main import app
from rationale_rm.documents import Estimate
from rationale_rm.evals import compare, read_run
from rationale_rm.report import ReportError, Settings, read, write
from rationale_rm.report.blocks import figure_cell
from rationale_rm.report.chunks import CHUNK, pack
from rationale_rm.report.inputs import SampleSet
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import benchmarks, dynamics, outcome
from rationale_rm.report.sections.reasons import code_of
from rationale_rm.report.text import number, shown
from rationale_rm.report.training import setting_of
from typer.testing import CliRunner


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_packed_samples_come_back_whole_and_in_place():
    sets = [SampleSet(model, reports.samples(model, 400)) for model in ("b", "a")]
    packed = pack(sets)
    assert len(packed.chunks) > 1
    index = unpacked(packed.index)
    chunks = [unpacked(chunk) for chunk in packed.chunks]
    assert max(len(json.dumps(chunk)) for chunk in chunks) < 2 * CHUNK
    taken = [0] * len(chunks)
    found = {}
    for row, chunk in enumerate(index["chunk"]):
        answer = chunks[chunk]["samples"][taken[chunk]]
        taken[chunk] += 1
        whole = answer | chunks[chunk]["pairs"][answer["pair"]]
        columns = {name: index["values"][name][index[name][row]] for name in ("domain", "status", "label", "verdict")}
        found[index["runs"][index["run"][row]], index["id"][row]] = (
            whole,
            columns,
            index["rc"][row],
            index["right"][row],
        )
    assert index["chunk"] == sorted(index["chunk"])
    assert len(found) == 800
    for one in sets:
        for view in one.samples:
            whole, columns, rc, right = found[one.run, view.id]
            plain = json.loads(json.dumps(view.to_dict()))
            assert {name: plain[name] for name in whole if name != "pair"} == {
                name: value for name, value in whole.items() if name != "pair"
            }
            assert columns == {name: plain[name] for name in columns}
            assert rc == (None if view.rc is None else pytest.approx(view.rc, abs=5e-5))
            assert right == (None if view.right is None else int(view.right))


def test_answers_to_a_pair_share_its_texts_and_are_neighbours():
    sets = [SampleSet(model, reports.samples("same", 50)) for model in ("a", "b", "c")]
    packed = pack(sets)
    index, (chunk, *_) = unpacked(packed.index), [unpacked(one) for one in packed.chunks]
    pairs = [index["values"]["pair"][place] for place in index["pair"]]
    assert pairs == [f"pair-{place:05}" for place in range(50) for _ in range(3)]
    assert len(chunk["pairs"]) * 3 == len(chunk["samples"])


def test_masks_name_flaws_and_classes_and_leave_out_what_is_none():
    view = reports.samples("m", 1)[0]
    odd = type(view).from_dict(view.to_dict() | {"flaws": [["F1", "F7", "F9"], ["F1"]], "classes": ["GS", "?"]})
    index = unpacked(pack([SampleSet("m", [odd])]).index)
    assert index["flaws"] == [0b1000001]
    assert index["classes"] == [0b100]


@given(st.text(max_size=60) | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp"]), max_size=20))
def test_shown_text_hides_nothing(text):
    found = shown(text)
    found.encode("utf-8")
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ue000]", found
    )
    back = re.sub("⟦U\\+([0-9A-F]{4,6})⟧", lambda match: chr(int(match.group(1), 16)), found)
    assert back == text.replace("\r\n", "\n") or "⟦U+" in text


def test_shown_text_is_cut_before_it_grows():
    assert shown("\x00" * 10**6, 5) == "⟦U+0000⟧" * 5 + "…"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8416, ".842"), (1.0, "1.000"), (-0.0214, "-.021"), (12.5, "12.500"), (10.4, "10.400"), (None, "–")],
)
def test_numbers_as_papers_print_them(value, text):
    assert number(value) == text


def test_a_figure_says_what_was_not_answered_and_why_there_is_none():
    cell = figure_cell(Estimate(metric="rc", value=0.5, low=0.4, high=0.6, n=87, n_total=100))
    assert (cell.text, cell.note, cell.flag) == (".500", ".400 to .600", "n = 87 of 100")
    none = figure_cell(Estimate(metric="rc", value=None, n=0, n_total=10, unavailable="no judge"))
    assert (none.text, none.flag) == ("–", "no judge")


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        *((code, code) for code in ("EG", "CG", "GS", "F1", "F7")),
        ("f1", None),
        ("any_flaw", None),
        ("F8", None),
        ("rc", None),
    ],
)
def test_codes_of_figures(metric, code):
    """f1 is a mean of precision and recall, F1 a flaw."""
    assert code_of(metric) == code


@pytest.mark.parametrize(
    ("name", "setting"),
    [("hybrid-0", "hybrid"), ("hybrid-seed12", "hybrid"), ("hybrid_3", "hybrid"), ("hybrid", "hybrid"), ("0", "0")],
)
def test_seeds_of_a_setting(name, setting):
    assert setting_of(name) == setting


def test_runs_that_share_a_name_are_told_apart(tmp_path):
    views = reports.samples("m", 3)
    inputs = read([reports.write_eval(tmp_path / name / "run", "m", views) for name in ("a", "b")])
    assert [run.name for run in inputs.evals] == ["m (a/run)", "m (b/run)"]
    assert [one.run for one in inputs.samples] == ["m (a/run)", "m (b/run)"]


def test_the_last_line_of_an_id_counts_and_a_torn_end_is_no_line(tmp_path):
    views = reports.samples("m", 3)
    folder = reports.write_eval(tmp_path / "run", "m", views)
    later = type(views[0]).from_dict(views[0].to_dict() | {"rc": 0.125})
    with (folder / "samples.jsonl").open("a") as stream:
        stream.write(json.dumps(later.to_dict()) + "\n" + json.dumps(views[1].to_dict())[:50])
    (one,) = read([folder]).samples
    assert len(one.samples) == 3
    assert one.samples[0].rc == 0.125


def refusals(folder):
    """Path → what the error must say."""
    good = reports.write_eval(folder / "good", "m", reports.samples("m", 2))
    empty = folder / "empty"
    empty.mkdir()
    other = folder / "other"
    other.mkdir()
    (other / "notes.txt").write_text("x")
    bad_line = reports.write_eval(folder / "bad-line", "m", reports.samples("m", 2))
    with (bad_line / "samples.jsonl").open("a") as stream:
        stream.write("{no json}\n")
    bad_field = reports.write_eval(folder / "bad-field", "m", [])
    (bad_field / "samples.jsonl").write_text('{"schema_version": 1, "id": "1"}\n')
    newer = reports.write_eval(folder / "newer", "m", [])
    (newer / "result.json").write_text(
        json.dumps(json.loads((newer / "result.json").read_text()) | {"schema_version": 99})
    )
    pairs = folder / "pairs.json"
    pairs.write_text('{"context": [], "domain": "code"}')
    array = folder / "array.json"
    array.write_text("[1]")
    binary = folder / "model.bin"
    binary.write_bytes(b"\x80\x81")
    run = folder / "begun"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"phase": "warm_start", "step": 1}\n')
    return {
        folder / "none": "does not exist",
        empty: "holds nothing",
        other: "holds notes.txt, no result.json",
        bad_line: "samples.jsonl, line 3: no JSON",
        bad_field: "samples.jsonl, line 1: SampleView",
        newer: "upgrade rationale-rm",
        pairs: "the fields context, domain",
        array: "a JSON list, not an object",
        binary: "is no JSON document",
        good / "result.json": "name its folder",
        run: "no step and no evaluation yet",
    }


def test_what_is_no_document_is_refused_with_what_it_is(tmp_path):
    for path, words in refusals(tmp_path).items():
        with pytest.raises(ReportError, match=re.escape(words)) as error:
            read([path])
        assert str(path) in str(error.value)


def test_a_path_named_twice_is_refused(tmp_path):
    folder = reports.write_eval(tmp_path / "good", "m", [])
    with pytest.raises(ReportError, match="named twice"):
        read([folder, tmp_path / "good" / ".." / "good"])


def test_the_command_writes_a_page_and_leaves_an_old_one_when_it_fails(tmp_path):
    folder = reports.write_eval(tmp_path / "run", "the <model>", reports.samples("m", 5))
    out = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", str(folder), "-o", str(out), "--title", "<b>One</b>"])
    assert done.exit_code == 0, done.output
    assert "5 samples" in done.output
    page = out.read_text("utf-8")
    assert "<title>&lt;b&gt;One&lt;/b&gt;</title>" in page
    assert html.escape("the <model>") in page
    assert "the <model>" not in page
    failed = CliRunner().invoke(app, ["report", str(tmp_path / "none"), "-o", str(out)])
    assert failed.exit_code == 1
    assert "does not exist" in failed.output
    assert out.read_text("utf-8") == page
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]


def test_a_comparison_shows_its_differences(tmp_path):
    path = tmp_path / "compared.json"
    difference = {"rule": "strict", "slice": "overall", "metric": "accuracy", "value": 0.04, "low": 0.01, "high": 0.07,
                  "p_value": 0.004, "n": 320, "only_a": 31, "only_b": 18, "p_mcnemar": 0.08}  # fmt: skip
    path.write_text(json.dumps({"eval": "judgebench", "a": "one", "b": "two", "differences": [difference]}))
    run = reports.write_eval(
        tmp_path / "run", "one", [], kind="judgebench", estimates=[reports.estimate("accuracy", 0.7)]
    )
    with (tmp_path / "page.html").open("wb") as stream:
        write(read([path, run]), stream, Settings())
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "JudgeBench: paired differences, the same items" in page
    for text in ("one less two", "+.040", ".010 to .070", "31 / 18", ".080"):
        assert text in page


def test_runs_that_cannot_be_compared_are_told_of(tmp_path):
    folders = [str(reports.write_eval(tmp_path / name, name, reports.samples(name, 3))) for name in ("a", "b")]
    done = CliRunner().invoke(app, ["report", *folders, "-o", str(tmp_path / "report.html")])
    assert done.exit_code == 0
    assert "a and b are not compared" in done.output
    quiet = CliRunner().invoke(app, ["report", *folders, "-o", str(tmp_path / "report.html"), "--no-compare"])
    assert "not compared" not in quiet.output


@pytest.mark.data
def test_recorded_runs_are_compared_item_by_item(tmp_path, data_folder):
    """Two evaluators of LLMBar Natural, from their recorded outputs to the page."""
    runs = []
    for name in ("GPT-4", "LLaMA2"):
        recorded = data_folder / "llmbar" / "Natural" / "evaluators" / name / "CoT" / "result.json"
        runs.append(str(tmp_path / name))
        done = CliRunner().invoke(app, ["eval", "llmbar", runs[-1], "--recorded", str(recorded)])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["report", *runs, "-o", str(tmp_path / "report.html")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text("utf-8")
    found = compare(*(read_run(run) for run in runs))
    one = next(
        one for one in found.differences if (one.rule, one.slice, one.metric) == ("text", "overall", "correct_average")
    )
    assert one.value > 0.1
    assert "GPT-4/CoT less LLaMA2/CoT" in page
    assert f"+{number(one.value)}" in page
    assert "Parse failures" in page


def test_analyses_of_the_package_are_drawn(tmp_path):
    """From `analyze rates` and `analyze ranks` to the page: whatever they call their figures is found."""
    views = [view for view in reports.samples("m", 60) if view.reasons]
    folder = reports.write_eval(tmp_path / "run", "m", views)
    rates, ranks = str(tmp_path / "rates.json"), str(tmp_path / "ranks.json")
    for command in (
        ["analyze", "rates", str(folder / "samples.jsonl"), "--json", rates],
        ["analyze", "ranks", str(folder), "--json", ranks],
    ):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["report", rates, ranks, "-o", str(tmp_path / "report.html")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text("utf-8")
    reasons = [label for view in views for label in view.classes]
    share = reasons.count("EG") / len(reasons)
    assert f"m, evidence-grounded: {number(share)}" in page
    assert "F4 single-sided praise" in page
    assert re.search(r'aria-label="m, rank 1: \.\d{3} \(\.\d{3} to \.\d{3}\)"', page)


def test_a_name_looks_the_same_in_every_figure(tmp_path):
    """Training runs given in another order than the evaluations of the same names."""
    for name in ("hybrid", "outcome"):
        reports.write_eval(tmp_path / f"eval-{name}", name, reports.samples(name, 4))
        reports.write_training(tmp_path / name, rationale=0.4)
    inputs = read([tmp_path / name for name in ("eval-hybrid", "eval-outcome", "outcome", "hybrid")])
    palette = Palette()
    sections = [outcome.section(inputs, (0.7, 0.25), palette), dynamics.section(inputs, palette)]
    sections.append(benchmarks.section(inputs, palette))
    keys = [(key.name, key.place) for one in sections for block in one.blocks for key in getattr(block, "legend", ())]
    assert len(keys) >= 4
    assert set(keys) == {("hybrid", 0), ("outcome", 1)}
