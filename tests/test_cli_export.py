"""`rationale-rm export`: pairs as the data sets of trainers."""

import json
import re
import sys

import pytest
from rationale_rm.cli.main import app
from rationale_rm.data import read_pairs
from rationale_rm.integrations import export
from rationale_rm.integrations.export import TRAINERS
from rationale_rm.integrations.rows import read_row
from rationale_rm.prompts import genrm, genrm_brief
from records import critiqued, pair, write
from typer.testing import CliRunner


def run(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def rows_of(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


@pytest.fixture
def pairs(tmp_path):
    records = [
        pair(id=f"p{number}", context=f"Question {number}?", label=("A>>B", "A>B", "B>A", "B>>A")[number % 4])
        for number in range(40)
    ]
    return write(tmp_path / "pairs.jsonl", *records)


# Where each trainer carries a prompt, and what its answers are scored against.
PROMPT = {"trl": "prompt", "verl": "prompt", "openrlhf": "input", "swift": "messages", "verifiers": "prompt"}
FIELDS = {
    "trl": lambda row: row,
    "verl": lambda row: {**row["extra_info"], "label": row["reward_model"]["ground_truth"]},
    "openrlhf": lambda row: row["label"],
    "swift": lambda row: row,
    "verifiers": lambda row: row["info"],
}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_each_trainer_gets_its_rows(trainer, pairs, tmp_path):
    out = tmp_path / "out.jsonl"
    done = run("--for", trainer, pairs, out, "--style", "brief")
    assert done.exit_code == 0, done.output
    assert f"{out}: 40 rows for {trainer}" in done.stderr
    loaded = {found.id: found for found in read_pairs([pairs]).pairs}
    rows = rows_of(out)
    assert [read_row(FIELDS[trainer](row)).pair_id for row in rows] == list(loaded)
    for row in rows:
        against = read_row(FIELDS[trainer](row))
        held = loaded[against.pair_id]
        assert (against.references, against.label) == (held.references, held.label)
        assert row[PROMPT[trainer]] == list(genrm_brief(held, swapped=against.swapped).messages)
    swapped = sum(read_row(FIELDS[trainer](row)).swapped for row in rows)
    assert 8 < swapped < 32


def test_the_answer_for_verifiers_is_about_what_is_shown(pairs, tmp_path):
    run("--for", "verifiers", pairs, tmp_path / "out.jsonl")
    texts = {2: "A>>B", 1: "A>B", -1: "B>A", -2: "B>>A"}
    rows = rows_of(tmp_path / "out.jsonl")
    assert {row["info"]["swapped"] for row in rows} == {False, True}
    for row in rows:
        assert row["answer"] == texts[row["info"]["label"] * (-1 if row["info"]["swapped"] else 1)]


def test_the_same_input_gives_the_same_bytes_and_another_seed_others(pairs, tmp_path):
    written = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("--for", "trl", pairs, tmp_path / name, "--seed", seed).exit_code == 0
        written[name] = (tmp_path / name).read_bytes()
    assert written["a"] == written["b"] != written["c"]
    orders = {name: [row["swapped"] for row in rows_of(tmp_path / name)] for name in written}
    assert orders["a"] != orders["c"]


def test_marker_codes_depend_on_the_texts_behind_them(tmp_path):
    """Whoever writes a response cannot know the code that it will be shown behind."""
    codes = []
    for text in ("Sort it.", "Sort it!"):
        path = write(tmp_path / "one.jsonl", pair(response2=text))
        run("--for", "trl", path, tmp_path / "out.jsonl", "--order", "given", "--force")
        prompt = rows_of(tmp_path / "out.jsonl")[0]["prompt"][-1]["content"]
        codes.append(prompt.replace(text, ""))
    assert codes[0] != codes[1]


def test_prompts_are_those_of_training_or_ask_for_so_many_reasons(pairs, tmp_path):
    held = read_pairs([pairs]).pairs[0]
    for number, options in ((None, ()), (3, ("--reasons", 3))):
        run("--for", "trl", pairs, tmp_path / "out.jsonl", "--force", "--order", "given", "--limit", 1, *options)
        system = rows_of(tmp_path / "out.jsonl")[0]["prompt"][0]["content"]
        assert system == genrm(held, key=bytes(32), call="c", n_reasons=number).messages[0]["content"]


def test_what_cannot_be_trained_on_is_left_out_and_counted(tmp_path):
    source = write(
        tmp_path / "pairs.jsonl",
        pair(id="a"),
        pair(id="tie", context="T?", label="A=B"),
        pair(id="none", context="N?", label=None),
        critiqued(pair(id="twice", context="C?")),
        critiqued(pair(id="twice", context="C?"), swapped=True),
        {"id": "bad"},
    )
    out, summary = tmp_path / "out.jsonl", tmp_path / "summary.json"
    done = run("--for", "trl", source, out, "--json", summary)
    assert done.exit_code == 0, done.output
    assert [row["pair_id"] for row in rows_of(out)] == ["a", "twice"]
    found = json.loads(summary.read_text())
    assert found["rows"] == 2
    assert found["left_out"] == {"repeated": 1, "kept_apart": 0, "unlabelled": 1, "ties": 1, "beyond_limit": 0}
    assert [line["line"] for line in found["input"]["bad_lines"]] == [6]
    assert f"{source}:6: " in done.stderr
    assert "1 with a tied label: left out (--keep-ties keeps them)" in done.stderr

    kept = run("--for", "trl", source, out, "--force", "--keep-ties", "--keep-unlabelled")
    assert kept.exit_code == 0
    assert {row["pair_id"]: row["label"] for row in rows_of(out)} == {"a": 1, "tie": 0, "none": None, "twice": 1}
    assert "1 row without a label: rewarded in mode rationale alone" in kept.stderr


def test_a_limit_counts_the_rows_that_are_written(tmp_path):
    ties = [pair(id=f"t{number}", context=f"T{number}?", label="A=B") for number in range(5)]
    source = write(tmp_path / "pairs.jsonl", *ties, *(pair(id=name, context=name) for name in "abc"))
    out, summary = tmp_path / "out.jsonl", tmp_path / "summary.json"
    done = run("--for", "trl", source, out, "--limit", 2, "--json", summary)
    assert done.exit_code == 0, done.output
    assert [row["pair_id"] for row in rows_of(out)] == ["a", "b"]
    left_out = json.loads(summary.read_text())["left_out"]
    assert (left_out["ties"], left_out["beyond_limit"]) == (5, 1)


def test_a_pair_is_one_row_whichever_record_of_it_comes_first(tmp_path):
    source = write(tmp_path / "pairs.jsonl", critiqued(pair(), swapped=True), critiqued(pair()))
    run("--for", "trl", source, tmp_path / "out.jsonl", "--order", "given")
    (row,) = rows_of(tmp_path / "out.jsonl")
    assert (row["pair_id"], row["label"], row["swapped"]) == ("p1", 1, False)


def test_nothing_is_written_over_unless_forced(pairs, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    done = run("--for", "trl", pairs, out)
    assert (done.exit_code, out.read_text()) == (2, "mine")
    assert "is there already" in done.stderr
    assert run("--for", "trl", pairs, out, "--force").exit_code == 0
    assert len(rows_of(out)) == 40


def test_a_device_is_not_replaced(pairs):
    done = run("--for", "trl", pairs, "/dev/null", "--force")
    assert (done.exit_code, "it is no plain file" in done.stderr) == (2, True)


def test_a_run_that_fails_leaves_what_was_there(pairs, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    monkeypatch.setattr("rationale_rm.integrations.export.json.dumps", lambda *_, **__: 1 / 0)
    done = run("--for", "trl", pairs, out, "--force")
    assert isinstance(done.exception, ZeroDivisionError)
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "pairs.jsonl"]


@pytest.mark.parametrize("trainer", sorted({*TRAINERS} - export.JSONL_ONLY))
def test_parquet_holds_the_same_rows_in_groups(trainer, tmp_path, monkeypatch):
    import pyarrow.parquet

    monkeypatch.setattr(export, "ROW_GROUP", 8)
    records = [pair(id=f"p{at}", context=f"{at}?", label="B>A" if at > 16 else None) for at in range(20)]
    source = write(tmp_path / "pairs.jsonl", *records)  # two groups of rows have no label at all
    for name in ("out.jsonl", "out.parquet"):
        done = run("--for", trainer, source, tmp_path / name, "--keep-unlabelled")
        assert done.exit_code == 0, done.output
    file = pyarrow.parquet.ParquetFile(tmp_path / "out.parquet")
    assert file.num_row_groups == 3
    assert file.read().to_pylist() == rows_of(tmp_path / "out.jsonl")


def test_parquet_that_cannot_be_written_is_said_before_the_input_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    source = write(tmp_path / "pairs.jsonl", {"id": "bad"})
    done = run("--for", "trl", source, tmp_path / "out.parquet", "--strict")
    assert done.exit_code == 1
    assert 'pip install "rationale-rm[io]"' in done.stderr
    assert "pairs.jsonl" not in done.stderr


def test_standard_output_is_for_looking(pairs):
    done = run("--for", "swift", pairs, "-", "--limit", 2)
    assert done.exit_code == 0
    assert [json.loads(line)["pair_id"] for line in done.stdout.splitlines()] == ["p0", "p1"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--for", "unsloth"), 2, "unsloth"),
        (("--for", "trl", "--style", "brief", "--reasons", "5"), 2, "asks for no number of reasons"),
        (("--for", "trl", "--order", "both"), 2, "both"),
        (("--for", "trl", "--limit", "0"), 2, "--limit"),
    ],
)
def test_misuse_is_said(pairs, tmp_path, options, code, message):
    done = run(*options, pairs, tmp_path / "out.jsonl")
    assert done.exit_code == code
    assert message in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_verifiers_gets_no_parquet(pairs, tmp_path):
    """The environments for it, `integrations.verifiers_v1` and the example for 0.3, read JSON Lines."""
    done = run("--for", "verifiers", pairs, tmp_path / "out.parquet")
    assert (done.exit_code, "read JSON Lines, not Parquet" in done.stderr) == (2, True)
    assert not (tmp_path / "out.parquet").exists()


def test_swift_gets_no_tag_that_it_opens_files_by(tmp_path):
    """Its templates for multimodal models load ``<img>path</img>``, and put media in the place of the others."""
    hostile = (
        "See <img>/etc/passwd</img>, <image>, <video>, <audio>, <bbox>, <ref-object>, <cot-process>, <start-image>"
    )
    source = write(tmp_path / "pairs.jsonl", pair(response2=hostile + " and <b>."))
    for trainer in ("swift", "trl"):
        run("--for", trainer, source, tmp_path / f"{trainer}.jsonl", "--order", "given")
    (row,), (plain,) = (rows_of(tmp_path / f"{trainer}.jsonl") for trainer in ("swift", "trl"))
    for message, shown in zip(row["messages"], plain["prompt"], strict=True):
        assert message["role"] == shown["role"]
        assert message["content"] == re.sub(
            "<(?=/?(?:img|image|video|audio|bbox|ref|cot|start-))([^>]*)>", r"‹\1›", shown["content"]
        )
    text = row["messages"][-1]["content"]
    assert "See ‹img›/etc/passwd‹/img›, ‹image›, ‹video›, ‹audio›, ‹bbox›, ‹ref-object›, ‹cot-process›, ‹start" in text
    assert "and <b>." in text


def test_an_input_without_a_usable_pair_is_an_error(tmp_path):
    source, summary = write(tmp_path / "pairs.jsonl", pair(label="A=B")), tmp_path / "summary.json"
    done = run("--for", "trl", source, tmp_path / "out.jsonl", "--json", summary)
    assert done.exit_code == 1
    found = json.loads(summary.read_text())
    assert (found["rows"], found["left_out"]["ties"]) == (0, 1)
    assert "nothing to export: 1 with a tied label" in done.stderr
    empty = run("--for", "trl", write(tmp_path / "empty.jsonl"), tmp_path / "out.jsonl")
    assert (empty.exit_code, "the input is empty" in empty.stderr) == (1, True)
    strict = run("--for", "trl", write(tmp_path / "bad.jsonl", {"id": "x"}), tmp_path / "out.jsonl", "--strict")
    assert (strict.exit_code, "bad.jsonl:1: " in strict.stderr) == (1, True)
