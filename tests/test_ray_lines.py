"""Rows scored line by line and merged, against one process that reads all lines together; no Ray is needed."""

import json
import math
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError, data, metrics
from rationale_rm.integrations.ray import COLUMNS, BatchScorer
from rationale_rm.integrations.ray_lines import Scoring, original, score_file, written
from rationale_rm.integrations.ray_merge import JoinError, ScoredData
from rationale_rm.integrations.ray_parts import PartError, part_name, read_part, write_whole
from rationale_rm.metrics import Settings
from records import critiqued, judge_text, matched, pair, result, transcript, write

FEW = Settings(n_resamples=20)


def merged(*files, chosen=FEW, **reading):
    files = [str(file) for file in files]
    return ScoredData([score_file(file, Scoring(chosen, **reading)) for file in files], files, chosen)


def assert_same(*files, chosen=FEW, **reading):
    """Line by line gives what one process gives, in every count and figure; returns the latter's pairs."""
    loaded = data.read_pairs(files, **reading)
    found = merged(*files, chosen=chosen, **reading)
    assert found.n_lines == loaded.n_lines
    assert found.bad == loaded.bad
    assert found.models == loaded.models
    assert (found.n_pairs, found.n_records) == (loaded.n_pairs, len(loaded.pairs))
    assert (found.n_labelled, found.n_unused_labels) == (loaded.n_labelled, loaded.n_unused_labels)
    assert found.recorded == {name for p in loaded.pairs for name, a in p.models.items() if a.judge is not None}
    for model in loaded.models:
        expected, scores = metrics.evaluate(loaded.pairs, model, chosen), found.evaluate(model)
        assert json.dumps(scores.to_dict()) == json.dumps(expected.to_dict())
        assert list(scores.samples()) == list(expected.samples())
    return loaded


def judged_line(number, rng, **changes):
    """A line of ``match`` about one answer, with what a judge may say, sense or not."""
    record = pair(
        id=f"p{number // 2}",
        domain=("code", "math")[number // 2 % 2],
        label=(None, "A>B", "B>>A")[number // 2 % 3],
    )
    line = critiqued(record, rng.choice(["A>B", "B>A", "A=B", None]), swapped=bool(number % 2))
    text = rng.choice(
        [judge_text((1, 1, 0.75), (2, 0, 0)), judge_text((1, 2, 1), (2, 1, 0.5)), judge_text((1, 9, 1)), "no block"]
    )
    return matched(line, *[text] * rng.randrange(3), **changes)


# Everything that needs several lines at once.


def mixed_lines(rng, n):
    lines = [judged_line(number, rng) for number in range(n)]
    for line in lines[:2]:  # a pair of which the order asked last failed
        line["metadata"].pop("made_by", None)
    lines.append(critiqued(pair(id="f"), error="503", swapped=True))
    lines.append(rng.choice(lines[:n]) | {"samples": [{"generated_text": judge_text((1, 1, 1), (2, 2, 1))}]})
    lines += ["{ not json", pair(id="none"), pair(**{"id": "bad", "human-checklist": []}), {"id": 1}]
    lines.append(critiqued(pair(id="f"), error="504", swapped=True) | {"human-checklist": "text"})
    return lines


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["recorded", "lexical", "none"]))
def test_any_split_gives_the_figures_of_one_process(tmp_path_factory, seed, n_files, judge):
    rng = random.Random(seed)
    lines = mixed_lines(rng, 14)
    rng.shuffle(lines)
    folder = tmp_path_factory.mktemp("lines")
    # Lines of one id stand in one file: across files they would be two answers about one thing.
    places = {}
    parts = [[] for _ in range(n_files)]
    for line in lines:
        key = line.get("id") if isinstance(line, dict) else None
        parts[places.setdefault(key, rng.randrange(n_files))].append(line)
    files = [write(folder / f"{number}.jsonl", *part) for number, part in enumerate(parts)]
    assert_same(*files, chosen=Settings(judge=judge, n_resamples=20))


@pytest.mark.parametrize("mode", ["paper", "reference"])
def test_other_settings_reach_the_rows(tmp_path, mode):
    rng = random.Random(3)
    path = write(tmp_path / "a.jsonl", *[judged_line(number, rng) for number in range(30)])
    assert_same(path, chosen=Settings(mode=mode, threshold=0.6, top_k=1, exact=True, n_resamples=20))


def test_parquet_and_damaged_files(tmp_path):
    rng = random.Random(4)
    rows = [judged_line(number, rng) for number in range(40)]
    for row in rows:
        row["samples"] = [{"generated_text": sample["generated_text"]} for sample in row["samples"]]
    pq.write_table(pa.Table.from_pylist(rows[:20]), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist(rows[20:]), tmp_path / "b.parquet", compression="none")
    whole = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])
    loaded = assert_same(tmp_path / "a.parquet", tmp_path / "b.parquet", write(tmp_path / "c.jsonl"))
    assert [bad.file for bad in loaded.bad] == [str(tmp_path / "b.parquet")]


def test_a_parquet_row_that_is_not_utf8_is_refused_alone(tmp_path):
    texts = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(bytes([0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0])), pa.py_buffer(b"okx\xff")]
    )
    pq.write_table(pa.table({"id": texts}), tmp_path / "a.parquet")
    loaded = data.read_pairs([tmp_path / "a.parquet"])
    assert [bad.reason for bad in loaded.bad] == ["human-checklist is missing", "not UTF-8"]
    assert merged(tmp_path / "a.parquet").bad == loaded.bad


def test_the_finest_label_of_a_pair_is_shared_and_a_contradiction_told(tmp_path):
    lines = [critiqued(pair(), "A>B", label="A>B"), critiqued(pair(), "A>B", swapped=True, label="A>>B")]
    lines += [critiqued(pair(), "A>B", sample=1, label="B>A"), critiqued(pair(), "A>B", sample=2, label=None)]
    files = [write(tmp_path / f"{number}.jsonl", line) for number, line in enumerate(lines)]
    loaded = assert_same(*files, chosen=Settings(judge="none", exact=True, n_resamples=20))
    assert len(loaded.bad) == 1
    assert [p.label for p in loaded.pairs] == [2, 2, -1, 2]


def test_result_files_of_two_models_are_one_record_a_pair(tmp_path):
    record = pair(**{f"{m}-checklist": ["It sorts.", "It is short."] for m in "ab"}, **{"a-label": "A>B"})
    other = record | {"id": "p2", "response1": "Another."}
    texts = [judge_text((1, 1, 1), (2, 0, 0)), judge_text((1, 2, 0.5), (2, 1, 1)), "no block"]
    for name, order in (("a", texts), ("b", texts[::-1])):
        rows = [result(one, text, model=name) for one, text in zip((record, other), order, strict=False)]
        write(tmp_path / f"{name}.jsonl", *rows)
    loaded = assert_same(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert len(loaded.pairs) == 2
    one_file = write(tmp_path / "all.jsonl", *[(tmp_path / f"{m}.jsonl").read_text().rstrip("\n") for m in "ab"])
    assert_same(one_file)


def test_names_that_are_not_unicode(tmp_path):
    name = "m\ud800\0"
    record = pair(**{f"{name}-generated_text": transcript("A>B")})
    bad = pair(id="x", **{f"{name}-checklist": 3})
    path = write(tmp_path / "a.jsonl", result(record, judge_text((1, 1, 1), (2, 0, 0)), judge="j\udfff"), bad)
    assert assert_same(path).models == (name,)


@given(st.none() | st.text(st.characters()))
def test_any_text_is_written_as_utf8_and_read_back(text):
    assert original(written(text)) == text
    assert text is None or isinstance(written(text).encode("utf-8"), bytes)


# What only one process can do is refused, not done in another way.

REFUSED = {
    "a label on a line of its own": ([critiqued(pair(label=None)), {"id": "p1", "label": "A>B"}], "only holds a label"),
    "a transcript and its judge": (
        [pair(**{"m-generated_text": transcript("A>B")}), result(pair(**{"m-checklist": ["x"]}), "no block")],
        "of one id",
    ),
    "another domain": ([critiqued(pair()), critiqued(pair(domain="x"))], "different things of 'p1'"),
    "two judge answers": (
        [result(pair(**{"m-checklist": ["x"]}), judge_text((1, s, 1), (2, 0, 0))) for s in (0, 1)],
        "two answers about m",
    ),
    "one line without an id": (
        [pair(**{"m-label": "A>B"}), pair(**{"id": None, "n-label": "A>B"})],
        "which one of them has no id of",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_lines_that_must_be_joined_are_refused(tmp_path, case):
    lines, message = REFUSED[case]
    files = [write(tmp_path / f"{number}.jsonl", line) for number, line in enumerate(lines)]
    with pytest.raises(JoinError, match=message) as caught:
        merged(*files)
    assert str(files[-1]) in str(caught.value)


def test_lines_without_an_id_that_stand_alone_are_scored(tmp_path):
    lines = [pair(**{"id": None, "response1": f"r{number}", "m-label": "A>B"}) for number in range(3)]
    assert_same(write(tmp_path / "a.jsonl", *lines), write(tmp_path / "b.jsonl", pair(**{"m-label": "A>B"})))


# The parts of a folder.


def test_a_part_is_named_by_all_that_its_rows_depend_on(tmp_path):
    path = str(write(tmp_path / "a.jsonl", pair()))
    names = {
        part_name(path, scoring)
        for scoring in (
            Scoring(),
            Scoring(Settings(judge="none")),
            Scoring(Settings(threshold=0.5)),
            Scoring(label_scale="index"),
            Scoring(model="m"),
        )
    }
    assert len(names) == 5
    assert part_name(path, Scoring(Settings(seed=7, n_resamples=3))) in names
    write(tmp_path / "a.jsonl", pair(id="other"))
    assert part_name(path, Scoring()) not in names


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises((pa.ArrowException, TypeError, AttributeError)):
        write_whole("no table", tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def part(tmp_path):
    """A part as it is written, and its table."""
    lines = [judged_line(number, random.Random(number)) for number in range(40)]
    table = score_file(str(write(tmp_path / "a.jsonl", *lines, "{ bad")), Scoring())
    path = tmp_path / "year=2026" / "a.parquet"  # the name of a folder is no column
    path.parent.mkdir()
    write_whole(table, path)
    return path, table


def test_a_part_is_read_as_it_was_written(part):
    path, table = part
    assert read_part(path).equals(table, check_metadata=True)
    ScoredData([read_part(path)], ["a.jsonl"], FEW)


def test_a_part_that_was_cut_short_is_no_part(part):
    path, _ = part
    whole = path.read_bytes()
    for length in (0, 3, 4, 11, *range(100, len(whole), 997), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PartError, match=r"a\.parquet cannot be read: "):
            read_part(path)


def test_a_bit_that_changed_never_changes_a_row(part):
    path, table = part
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 29):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            assert read_part(path).equals(table), at
        except PartError:
            refused += 1
    assert refused > len(whole) // 29 // 2


@pytest.mark.parametrize("what", ["junk", "folder", "a name", "other columns", "no metadata", "no number"])
def test_what_is_no_part_is_refused(part, what):
    path, table = part
    path.unlink()
    if what == "junk":
        path.write_bytes(b"PAR1" + bytes(range(256)) + b"PAR1")
    elif what == "folder":
        path.mkdir()
    elif what == "a name":
        write_whole(table, path)
        path.write_bytes(path.read_bytes().replace(b"swapped", b"swap\xffed"))
    elif what == "other columns":
        write_whole(table.drop_columns("line"), path)
    else:
        write_whole(table.replace_schema_metadata({"n_lines": "many"} if what == "no number" else None), path)
    with pytest.raises(PartError, match=r"a\.parquet "):
        read_part(path)


# Batches of rows, as `map_batches` and `datasets.map` hand them over.


def table_of(lines):
    for line in lines:
        line["samples"] = [{"generated_text": sample["generated_text"]} for sample in line["samples"]]
    return pa.Table.from_pylist(lines)


def test_batches_hold_the_samples_of_evaluate(tmp_path):
    rng = random.Random(5)
    table = table_of([judged_line(number, rng) for number in range(30)])
    pq.write_table(table, tmp_path / "a.parquet")
    expected = {
        row["id"]: row for row in metrics.evaluate(data.read_pairs([tmp_path / "a.parquet"]).pairs, "m").samples()
    }
    scored = BatchScorer()
    from_table = scored(table)
    assert from_table.column_names == list(COLUMNS)
    rows = from_table.to_pylist()
    assert len(rows) == 30
    for number, row in enumerate(rows):
        assert row["row"] == number
        assert {name: row[name] for name in expected[row["id"]]} == expected[row["id"]]
    numpy_batch = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    for batch in (table.to_pydict(), numpy_batch):
        columns = scored(batch)
        assert [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)] == rows


def test_no_row_of_a_batch_vanishes():
    lines = [pair(id="a"), {"id": "b"}, {"id": "c"}, critiqued(pair(id="d"))]
    columns = BatchScorer()({name: [line.get(name) for line in lines] for name in {n for line in lines for n in line}})
    assert columns["row"] == [0, 1, 2, 3]
    assert columns["model"] == [None, None, None, "m"]
    assert columns["judge_status"][3] == "not_judged"
    assert columns["rc"] == [None] * 4
    assert columns["reason"][0] is columns["reason"][3] is None
    assert all("human-checklist" in reason for reason in columns["reason"][1:3])
    alone = BatchScorer()({"id": ["b"], "label": ["A>B"]})
    assert (alone["row"], alone["model"]) == ([0], [None])
    assert "on another row" in alone["reason"][0]


def test_a_judge_is_asked_for_each_batch_and_opened_where_it_is_used():
    line = critiqued(pair(), reasons=None)
    batch = {name: [line[name]] * 1 for name in line}
    scorer = BatchScorer(judge="lexical", settings={"top_k": 2})
    first = scorer(batch)
    again = pickle.loads(pickle.dumps(scorer))
    assert again._asked is None
    assert again(batch) == first
    assert first["judge"] == ["lexical"]
    assert first["judge_status"] == ["ok"]
    assert first["rc"] == BatchScorer(settings={"judge": "lexical"})(batch)["rc"]
    assert not math.isnan(first["rc"][0])


def test_a_judge_that_fails_is_no_zero(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    line = critiqued(pair())
    spec = {"judge": "openai:j@http://127.0.0.1:9/v1", "attempts": 1, "timeout": 5.0}
    found = BatchScorer(judge=spec)({name: [line[name]] for name in line})
    assert found["judge_status"] == ["judge_error"]
    assert found["rc"] == [None]


@pytest.mark.parametrize("wrong", [{"settings": {"top": 3}}, {"judge": "openai:"}, {"judge": {"jugde": "lexical"}}])
def test_settings_that_do_not_exist_are_refused(wrong):
    with pytest.raises(RationaleError):
        BatchScorer(**wrong)
