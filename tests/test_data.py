"""Reading files: formats, layouts, labels, joins, and a reason for every bad line."""

import gzip
import io
import json
import random
import re
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from rationale_rm import RationaleError, data
from rationale_rm.extras import MissingExtraError
from records import critiqued, judge_text, matched, pair, result, transcript, write


def read(*paths, **options):
    return data.read_pairs([str(path) for path in paths], **options)


def reasons(loaded):
    return [bad.reason for bad in loaded.bad]


def numbered(count):
    return [pair(id=f"p{number}") for number in range(count)]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


# Files.


def compress(name, raw):
    if name == "gz":
        return gzip.compress(raw)
    if name == "zst":
        return zstandard.compress(raw)
    if name == "zst-stream":  # without the content size in its head, as `zstd` writes from a pipe
        compressor = zstandard.ZstdCompressor().compressobj()
        return compressor.compress(raw) + compressor.flush()
    if name == "gz-members":
        return gzip.compress(raw[:700]) + gzip.compress(raw[700:]) + b"\0" * 20
    if name == "zst-frames":
        return zstandard.compress(raw[:700]) + zstandard.compress(raw[700:])
    return raw


FORMATS = ["plain", "gz", "zst", "zst-stream", "gz-members", "zst-frames"]


@pytest.mark.parametrize("name", FORMATS)
def test_compressed_or_not_the_pairs_are_the_same(tmp_path, name):
    path = tmp_path / "anything.jsonl"  # the first bytes tell, not the name
    path.write_bytes(compress(name, lines(numbered(9))))
    loaded = read(path)
    assert [found.id for found in loaded.pairs] == [f"p{number}" for number in range(9)]
    assert [found.line for found in loaded.pairs] == list(range(1, 10))
    assert (loaded.bad, loaded.n_lines) == ((), 9)


@pytest.mark.parametrize("name", ["plain", "gz", "zst"])
def test_standard_input(monkeypatch, name):
    stream = io.TextIOWrapper(io.BytesIO(compress(name, lines(numbered(3)))))
    monkeypatch.setattr(sys, "stdin", stream)
    loaded = read("-")
    assert [(found.id, found.file, found.line) for found in loaded.pairs] == [
        ("p0", "-", 1),
        ("p1", "-", 2),
        ("p2", "-", 3),
    ]


def test_parquet_with_nulls_and_nan(tmp_path):
    records = [
        {**pair(id="p0"), "label": None, "overall_preference": -2.0, "m-checklist": ["x"]},
        {**pair(id="p1"), "label": "B>>A", "overall_preference": float("nan"), "m-checklist": None},
    ]
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(records), path)
    loaded = read(path)
    assert reasons(loaded) == []
    assert [(found.label, tuple(found.models), found.line) for found in loaded.pairs] == [(2, ("m",), 1), (-2, (), 2)]
    assert loaded.pairs[0].context == ({"role": "user", "content": "Reverse a list."},)


def test_parquet_equals_json_lines(tmp_path):
    pq.write_table(pa.Table.from_pylist(numbered(5)), tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", *numbered(5))
    from_parquet, from_lines = read(tmp_path / "a.parquet").pairs, read(tmp_path / "a.jsonl").pairs
    assert [{**found.to_dict(), "file": None} for found in from_parquet] == [
        {**found.to_dict(), "file": None} for found in from_lines
    ]


def test_damaged_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(numbered(5)), path)
    path.write_bytes(path.read_bytes()[:-40])
    loaded = read(path)
    assert loaded.pairs == ()
    assert "damaged Parquet" in reasons(loaded)[0]


def test_a_folder_is_read_in_order_and_below(tmp_path):
    (tmp_path / "deep").mkdir()
    write(tmp_path / "b.jsonl", pair(id="b"))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines([pair(id="a")])))
    write(tmp_path / "deep" / "c.ndjson", pair(id="c"))
    write(tmp_path / "notes.txt", "not data")
    loaded = read(tmp_path)
    assert [found.id for found in loaded.pairs] == ["a", "b", "c"]
    assert len(loaded.files) == 3


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        read(tmp_path / "gone.jsonl")
    with pytest.raises(FileNotFoundError, match="in the folder"):
        read(tmp_path)


def test_the_same_file_twice_is_read_once(tmp_path):
    path = write(tmp_path / "a.jsonl", pair())
    (tmp_path / "b.jsonl").symlink_to(path)
    loaded = read(path, f"{tmp_path}/./a.jsonl", tmp_path / "b.jsonl", tmp_path)
    assert (loaded.files, loaded.n_lines, loaded.bad) == ((str(path),), 1, ())


@pytest.mark.parametrize("name", ["gz", "zst"])
def test_a_cut_archive_keeps_what_came_before_and_says_so(tmp_path, name):
    noise = random.Random(0)
    records = [pair(id=f"p{n}", response1=noise.randbytes(200).hex()) for n in range(3000)]
    path = tmp_path / "cut.jsonl"
    whole = compress(name, lines(records))
    path.write_bytes(whole[: len(whole) * 3 // 4])
    loaded = read(path)
    assert 0 < len(loaded.pairs) < 3000
    assert [found.id for found in loaded.pairs] == [f"p{n}" for n in range(len(loaded.pairs))]
    assert "end too early" in reasons(loaded)[-1]


@pytest.mark.parametrize("name", ["gz", "zst"])
def test_a_damaged_archive_does_not_touch_the_next_file(tmp_path, name):
    whole = bytearray(compress(name, lines(numbered(50))))
    whole[20:40] = b"\xff" * 20
    (tmp_path / "a.jsonl").write_bytes(bytes(whole))
    write(tmp_path / "b.jsonl", pair(id="b"))
    loaded = read(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert loaded.pairs[-1].id == "b"
    assert any("damaged" in reason for reason in reasons(loaded))


def test_blank_lines_bom_and_windows_ends(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + lines([pair(id="a")]).replace(b"\n", b"\r\n") + b"\r\n  \n" + lines([pair(id="b")])
    )
    loaded = read(path)
    assert [(found.id, found.line) for found in loaded.pairs] == [("a", 1), ("b", 4)]
    assert loaded.n_lines == 2


def test_a_line_longer_than_the_chunks(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(id="a", response1="x" * 300_000), pair(id="b"))
    assert [len(found.response1) for found in read(path).pairs] == [300_000, len(pair()["response1"])]


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_bytes(compress("zst", lines([pair()])))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r'pip install "rationale-rm\[io\]"'):
        read(path)


# Bad lines.

BAD = [
    (pair(**{"human-checklist": None}) | {"m-checklist": ["x"]}, "human-checklist is missing"),
    (pair() | {"human-checklist": None}, "human-checklist must be a list of texts, not null"),
    (pair(**{"human-checklist": "one"}), "human-checklist must be a list of texts, not text"),
    (pair(**{"human-checklist": ["a", 3]}), "human-checklist item 2 must be text, not a number"),
    (pair(**{"human-checklist": []}), "human-checklist is empty"),
    (pair(**{"human-checklist": ["a", " \n"]}), "human-checklist item 2 is blank"),
    (pair(**{"human-checklist": ["a\ud800"]}), r"lone surrogate U\+D800 at character 2"),
    (pair(response1=None), "response1 is missing"),
    (pair(response2=["x"]), "response2 must be text, not a list"),
    (pair(response1="\udfff"), "response1 is not valid Unicode"),
    (pair(context=None), "context is missing"),
    (pair(context=7), "context must be a list of messages or text, not a number"),
    (pair(context=["hi"]), "context message 1 is no object with a role"),
    (pair(domain=True), "domain must be text, not true or false"),
    (pair(id=1.5), "id must be text or a whole number"),
    (pair(**{"m-checklist": "x"}), "m-checklist must be a list of texts, not text"),
    (pair(**{"m-checklist": [None]}), "m-checklist item 1 must be text, not null"),
    (pair(**{"m-generated_text": {"a": 1}}), "m-generated_text must be text, not an object"),
    (pair(**{"m-label": ["A"]}), "m-label must be text or a whole number, not a list"),
    (pair(**{"m-label": 1}), "m-label 1 is ambiguous"),
    (pair(label=1), "label 1 is ambiguous.*--label-scale"),
    (pair(label="2"), "label 2 is ambiguous"),
    (pair(label=True), "label must be text or a whole number, not true or false"),
    (pair(label=0.5), "label must be text or a whole number"),
    (pair(label="A>>>B"), "label 'A>>>B' is no verdict"),
    (pair(label="both are fine"), "is no verdict"),
    (pair(overall_preference=4), "overall_preference 4 is not on the scale helpsteer3"),
    (pair(label="B>A", overall_preference=-1), "label and overall_preference disagree"),
    ([pair()], "a JSON object is expected, not a list"),
    ("{", "not JSON: .* at column 2"),
    ("nothing", "not JSON"),
    ('{"a": NaN}', "NaN is no JSON value"),
    ('{"a": -Infinity}', "-Infinity is no JSON value"),
    ("[" * 200_000, "nested too deeply"),
    ('{"a": ' + "9" * 6000 + "}", "too many digits"),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=[reason[:40] for _, reason in BAD])
def test_a_bad_line_is_named_and_touches_no_other(tmp_path, row, reason):
    path = write(tmp_path / "a.jsonl", pair(id="before"), row, pair(id="after"))
    loaded = read(path)
    assert [found.id for found in loaded.pairs] == ["before", "after"]
    assert len(loaded.bad) == 1
    assert (loaded.bad[0].file, loaded.bad[0].line) == (str(path), 2)
    assert re.search(reason, loaded.bad[0].reason)


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([pair(id="a")]) + b'{"a": "\xff"}\n' + lines([pair(id="b")]))
    loaded = read(path)
    assert [found.id for found in loaded.pairs] == ["a", "b"]
    assert reasons(loaded) == ["not UTF-8: byte 0xff at byte 8"]


def test_strict_stops_at_the_first_bad_line(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(), "{", pair(id="p2"), "}")
    with pytest.raises(data.DataError, match=r"a\.jsonl:2: not JSON") as caught:
        read(path, strict=True)
    assert caught.value.bad.line == 2
    assert isinstance(caught.value, RationaleError)


def test_text_of_a_model_may_be_broken(tmp_path):
    """A lone surrogate in model text is the model's fault: a status later, not a bad line."""
    path = write(tmp_path / "a.jsonl", pair(**{"m-generated_text": "\ud800", "m-checklist": ["\udc00"]}))
    assert reasons(read(path)) == []


# Labels.


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("A>>B", 2),
        ("A≫B", 2),
        (r"\boxed{A \gg B}", 2),
        ("B<<A", 2),
        ("A>B", 1),
        ("a", 1),
        (" A ", 1),
        ("response1", 1),
        ("Response 1", 1),
        ("Output (a) is better.", 1),
        ("A=B", 0),
        ("Tie", 0),
        ("[[C]]", 0),
        ("B>A", -1),
        ("B", -1),
        ("response2", -1),
        ("[[B]]", -1),
        ("B≫A", -2),
        ("A<<B", -2),
        ("", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_labels_as_text(text, verdict):
    assert data.parse_label(text) == verdict


@pytest.mark.parametrize(
    ("scale", "verdicts"),
    [
        ("helpsteer3", {-3: 2, -2: 2, -1: 1, 0: 0, 1: -1, 2: -2, 3: -2}),
        ("verdict", {2: 2, 1: 1, 0: 0, -1: -1, -2: -2}),
        ("index", {1: 1, 2: -1}),
    ],
)
def test_labels_as_numbers(scale, verdicts):
    for number in range(-5, 6):
        for value in (number, float(number), str(number)):
            if number in verdicts:
                assert data.parse_label(value, scale=scale) == verdicts[number]
            else:
                with pytest.raises(RationaleError, match="not on the scale"):
                    data.parse_label(value, scale=scale)


def test_helpsteer_preference_flips_the_sign(tmp_path):
    path = write(tmp_path / "a.jsonl", *(pair(id=str(p), label=None, overall_preference=p) for p in range(-3, 4)))
    assert [found.label for found in read(path).pairs] == [2, 2, 1, 0, -1, -2, -2]


def test_label_scale_holds_for_models_too(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(label=1, **{"m-label": 2}))
    found = read(path, label_scale="index").pairs[0]
    assert (found.label, found.models["m"].verdict) == (1, -1)


def test_human_label_is_the_human_preference_and_no_model(tmp_path):
    human = {"human-label": "B>>A", "human-generated_text": "I think B."}
    path = write(
        tmp_path / "a.jsonl",
        pair(id="p1", label=None, **human),
        pair(id="p2", label="A>B", **human),
        pair(id="p3", label=None, **{"human-label": 2}),
        pair(id="p4", label=None),
        {"id": "p4", "human-label": "B>A"},
    )
    loaded = read(path)
    assert [(found.label, loaded.models) for found in loaded.pairs] == [(-2, ()), (1, ()), (-1, ())]
    assert [dict(found.extra) for found in loaded.pairs[:2]] == [{"human-generated_text": "I think B."}, human]
    assert "human-label 2 is ambiguous" in reasons(loaded)[0]


def test_a_field_that_only_looks_like_a_model_label_is_kept(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(**{"quality-label": "good", "m-label": "A>B"}))
    loaded = read(path)
    assert loaded.models == ("m",)
    assert loaded.pairs[0].extra == {"quality-label": "good"}


def test_a_model_label_that_is_no_verdict_is_kept_as_its_fault(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(**{"m-label": "neither, really"}) | {"m-checklist": None})
    answer = read(path).pairs[0].models["m"]
    assert (answer.verdict, answer.bad_label) == (None, "neither, really")


# Pairs, models, ids.


def test_the_public_schema(tmp_path):
    record = pair(
        **{
            "low-deceptive_model-checklist": ["r1", "r2"],
            "low-deceptive_model-label": "B>A",
            "low-deceptive_model-generated_text": "text",
            "language": "python",
        }
    ) | {"other-checklist": None}
    found = read(write(tmp_path / "a.jsonl", record)).pairs[0]
    assert found.references == tuple(record["human-checklist"])
    assert list(found.models) == ["low-deceptive_model"]
    answer = found.models["low-deceptive_model"]
    assert (answer.reasons, answer.verdict, answer.text) == (("r1", "r2"), -1, "text")
    assert found.extra == {"language": "python", "other-checklist": None}


def test_ids_from_content_are_stable_and_tell_pairs_apart(tmp_path):
    a, b = pair(id=None), pair(id=None, response1="Other.")
    first = read(write(tmp_path / "a.jsonl", a, b))
    second = read(write(tmp_path / "b.jsonl", dict(reversed(b.items())), a))
    ids = [found.id for found in first.pairs]
    assert len(set(ids)) == 2
    assert ids == [found.id for found in second.pairs][::-1]


def test_duplicated_id(tmp_path):
    path = write(tmp_path / "a.jsonl", pair(), pair())
    loaded = read(path)
    assert len(loaded.pairs) == 1
    assert reasons(loaded) == [f"duplicated id 'p1': first read at {path}:1"]


# Joins.


def test_the_pairs_behind_a_judge_run_may_be_given_too(tmp_path):
    record = pair(**{"m-checklist": ["x"]})
    pairs, run = write(tmp_path / "a.jsonl", record), write(tmp_path / "b.jsonl", result(record, "t"))
    for paths in ((pairs, run), (run, pairs)):
        loaded = read(*paths)
        assert reasons(loaded) == []
        assert loaded.pairs[0].models["m"].judge.samples == ("t",)


def test_lines_of_one_id_are_joined(tmp_path):
    base = pair(label=None)
    paths = [
        write(tmp_path / "a.jsonl", base | {"a-checklist": ["x"]}),
        write(tmp_path / "b.jsonl", base | {"b-checklist": ["y"], "a-label": "A>B"}),
        write(tmp_path / "c.jsonl", result(base | {"label": "B>A", "a-checklist": ["x"]}, "answer")),
    ]
    loaded = read(*paths)
    assert reasons(loaded) == []
    (found,) = loaded.pairs
    assert list(found.models) == ["a", "b"]
    assert (found.label, found.models["a"].verdict, found.models["a"].judge.samples) == (-1, 1, ("answer",))
    assert loaded.models == ("a", "b")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"human-checklist": ["other"]}, "another human-checklist"),
        ({"response2": "other"}, "another response2"),
        ({"label": "B>A"}, "another label"),
        ({"domain": "stem"}, "another domain"),
        ({"m-checklist": ["other"]}, "m-checklist differs"),
        ({"m-label": "B>A"}, "m-label differs"),
    ],
)
def test_lines_that_contradict_each_other(tmp_path, change, reason):
    first = pair(**{"m-checklist": ["x"], "m-label": "A>B"})
    loaded = read(write(tmp_path / "a.jsonl", first, first | {"n-checklist": ["y"]} | change))
    assert reason in reasons(loaded)[0]
    assert list(loaded.pairs[0].models) == ["m"]


def test_labels_from_helpsteer3_records(tmp_path):
    """Its records hold neither ids nor reasons: they are joined by context and responses."""
    bare = pair(id=None, label=None, domain=None, **{"human-checklist": None})
    labels = [bare | {"overall_preference": 2}, bare | {"overall_preference": 1, "response1": "of no pair"}]
    path = write(tmp_path / "labels.jsonl", *labels)
    for order in (["labels.jsonl", "pairs.jsonl"], ["pairs.jsonl", "labels.jsonl"]):
        write(tmp_path / "pairs.jsonl", pair(id=None, label=None))
        loaded = read(*(tmp_path / name for name in order))
        assert [found.label for found in loaded.pairs] == [-2]
        assert (loaded.n_unused_labels, reasons(loaded)) == (1, [])
    write(tmp_path / "pairs.jsonl", pair(id=None, label="A>B"))
    loaded = read(tmp_path / "pairs.jsonl", path)
    assert (loaded.pairs[0].label, loaded.bad[0].line) == (1, 1)
    assert "another label" in reasons(loaded)[0]


def test_labels_by_id(tmp_path):
    write(tmp_path / "labels.jsonl", {"id": "p1", "label": "B>>A"})
    write(tmp_path / "pairs.jsonl", pair(label=None))
    assert read(tmp_path / "pairs.jsonl", tmp_path / "labels.jsonl").pairs[0].label == -2


@pytest.mark.parametrize(
    ("label", "preference", "verdict"), [("A", -3, 2), ("A>B", -2, 2), ("A>>B", -1, 1), ("tie", 0, 0), ("B", 3, -2)]
)
def test_labels_of_different_grain_agree(tmp_path, label, preference, verdict):
    loaded = read(write(tmp_path / "a.jsonl", pair(label=label, overall_preference=preference)))
    assert ([found.label for found in loaded.pairs], reasons(loaded)) == ([verdict], [])


@pytest.mark.parametrize("order", [["a.jsonl", "b.jsonl"], ["b.jsonl", "a.jsonl"]])
@pytest.mark.parametrize("other", [{"human-checklist": None}, {"m-checklist": ["x"]}])
def test_the_finer_label_of_two_lines_counts(tmp_path, order, other):
    write(tmp_path / "a.jsonl", pair(label="A"))
    write(tmp_path / "b.jsonl", pair(label=None, overall_preference=-3, **other))
    loaded = read(*(tmp_path / name for name in order))
    assert ([found.label for found in loaded.pairs], reasons(loaded)) == ([2], [])


@pytest.mark.parametrize("pair_id", [None, "p1"])
@pytest.mark.parametrize("label_id", [None, "p1", "of its own"])
@pytest.mark.parametrize("order", [["a.jsonl", "b.jsonl"], ["b.jsonl", "a.jsonl"]])
def test_labels_find_their_pair_when_one_side_has_no_id(tmp_path, pair_id, label_id, order):
    write(tmp_path / "a.jsonl", pair(id=pair_id, label=None))
    write(tmp_path / "b.jsonl", pair(id=label_id, label="B>>A", **{"human-checklist": None}))
    loaded = read(*(tmp_path / name for name in order))
    assert [found.label for found in loaded.pairs] == [-2]
    assert (loaded.n_unused_labels, reasons(loaded)) == (0, [])


@pytest.mark.parametrize("order", [["a.jsonl", "b.jsonl"], ["b.jsonl", "a.jsonl"]])
def test_pairs_are_joined_when_one_side_has_no_id(tmp_path, order):
    write(tmp_path / "a.jsonl", result(pair(**{"m-checklist": ["x"]}), "t"))
    write(tmp_path / "b.jsonl", pair(id=None, **{"n-checklist": ["y"]}), pair(id=None, response1="Other."))
    loaded = read(*(tmp_path / name for name in order))
    assert reasons(loaded) == []
    (found,) = (found for found in loaded.pairs if found.id == "p1")
    assert {name: answer.id for name, answer in found.models.items()} == {"m": "p1/m", "n": "p1/n"}
    assert found.models["m"].judge.id == "p1/m/judge"
    assert len(loaded.pairs) == 2


def test_two_ids_are_two_pairs_whatever_they_hold(tmp_path):
    loaded = read(write(tmp_path / "a.jsonl", pair(id="a"), pair(id="b")))
    assert [found.id for found in loaded.pairs] == ["a", "b"]


def test_labels_that_contradict_each_other(tmp_path):
    bare = pair(id=None, label=None, **{"human-checklist": None})
    path = write(
        tmp_path / "a.jsonl",
        pair(label=None),
        {"id": "p1", "label": "A>B"},
        {"id": "p1", "label": "A>B"},
        {"id": "p1", "label": "B>A"},
        bare | {"label": "B>A"},
    )
    loaded = read(path)
    assert loaded.pairs[0].label == 1
    assert [(bad.line, bad.reason) for bad in loaded.bad] == [
        (4, f"another label for the same pair than at {path}:2"),
        (5, "another label than in the pair 'p1'"),
    ]
    assert loaded.n_unused_labels == 0


# Results of the MetaJudge script.


def judged(*rows, tmp_path, name="x.jsonl", **options):
    return read(write(tmp_path / name, *rows), **options)


def test_result_files_are_recognised(tmp_path):
    record = pair(**{"m-checklist": ["x", "y"]})
    text = judge_text((1, 1, 0.5), (2, 0, 0))
    loaded = judged(result(record, text, "second", extraction_result={}), tmp_path=tmp_path)
    judge = loaded.pairs[0].models["m"].judge
    assert (judge.samples, judge.status, judge.error) == ((text, "second"), "success", None)


def test_a_result_may_leave_texts_out(tmp_path):
    record = {"human-checklist": ["a"], "m-checklist": ["b"], "id": 7}
    (found,) = judged(result(record, "t"), tmp_path=tmp_path).pairs
    assert (found.id, found.domain, found.response1) == ("7", "unknown", "")


def test_results_without_id_and_texts_are_told_apart(tmp_path):
    def record(human, model, **more):
        return {"human-checklist": [human], "m-checklist": [model], **more}

    records = [record("a", "b"), record("a", "c"), record("d", "b"), record("a", "b", response1="x", response2="y")]
    loaded = judged(*(result(one, one["m-checklist"][0]) for one in records), tmp_path=tmp_path)
    assert reasons(loaded) == []
    assert [found.models["m"].judge.samples for found in loaded.pairs] == [("b",), ("c",), ("b",), ("b",)]
    assert len({found.id for found in loaded.pairs}) == 4
    loaded = judged(result(records[0], status="error"), result(records[0], "t"), tmp_path=tmp_path)
    assert [found.models["m"].judge.samples for found in loaded.pairs] == [("t",)]


def test_a_failed_call_is_kept_as_such(tmp_path):
    record = pair(**{"m-checklist": ["x"]})
    loaded = judged(result(record, status="error", error_message="timed out"), tmp_path=tmp_path)
    judge = loaded.pairs[0].models["m"].judge
    assert (judge.samples, judge.status, judge.error) == ((), "error", "timed out")


def test_a_later_answer_stands_for_an_earlier_failure(tmp_path):
    """The script appends to its file when it is run again."""
    record = pair(**{"m-checklist": ["x"]})
    failed, answered = result(record, status="error"), result(record, "good")
    loaded = judged(failed, answered, tmp_path=tmp_path)
    assert reasons(loaded) == []
    assert loaded.pairs[0].models["m"].judge.samples == ("good",)
    loaded = judged(answered, result(record, "other"), tmp_path=tmp_path)
    assert "a second judge answer about model 'm'" in reasons(loaded)[0]
    assert loaded.pairs[0].models["m"].judge.samples == ("good",)


@pytest.mark.parametrize("fields", [{"m-checklist": ["x"]}, {"m-generated_text": transcript(reasons=["x"])}])
def test_of_two_judge_answers_the_readable_one_stands(tmp_path, fields):
    record = pair(**fields)
    good, other = (judge_text((1, 1, score), (2, 0, 0)) for score in (0.5, 1))
    readable = result(record, good, status="format_error")  # what the run said of it is not trusted
    for failure in (
        result(record, status="error"),
        result(record, "cut", status="format_error"),
        result(record, "no block"),
        result(record, judge_text((1, 7, 1), (2, 0, 0))),
    ):
        for rows in ([readable, failure], [failure, readable], [failure, readable, failure]):
            loaded = judged(*rows, tmp_path=tmp_path)
            assert reasons(loaded) == []
            assert loaded.pairs[0].models["m"].judge.samples == (good,)
    loaded = judged(readable, result(record, other), tmp_path=tmp_path)
    assert "a second judge answer" in reasons(loaded)[0]
    assert loaded.pairs[0].models["m"].judge.samples == (good,)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (result(pair(), "t"), "the judged model is unknown"),
        (result(pair(**{"m-checklist": ["x"]}), "t", status="fine"), "status is 'fine'"),
        (result(pair(**{"m-checklist": ["x"]})) | {"samples": "t"}, "samples must be a list"),
        (result(pair(**{"m-checklist": ["x"]})) | {"samples": [{"text": "t"}]}, "samples item 1 has no text"),
        (result(pair(**{"human-checklist": [], "m-checklist": ["x"]}), "t"), "human-checklist is empty"),
        (result(None, "t"), "a MetaJudge result is expected: metadata must be an object, not null"),
        ({"samples": []}, "a MetaJudge result is expected: metadata is missing"),
        ({"prompt": "…", "metadata": pair()}, "a MetaJudge result is expected: samples is missing"),
    ],
)
def test_bad_results(tmp_path, row, reason):
    assert reason in reasons(judged(row, tmp_path=tmp_path))[0]


TWO = pair(**{"low-checklist": ["l one", "l two"], "high-checklist": ["h one"]})


@pytest.mark.parametrize(
    ("row", "name", "option", "model"),
    [
        (result(TWO, "t", prompt="S1: l one\nS2: l two\n\nR1: …"), "x.jsonl", None, "low"),
        (result(TWO, "t", prompt="S1: h one"), "run-low.jsonl", "low", "high"),
        (result(TWO, "t"), "high.jsonl.gz", None, "high"),
        (result(TWO, "t"), "metajudge-low.jsonl", None, "low"),
        (result(TWO, "t"), "x.jsonl", "low", "low"),
    ],
)
def test_which_of_several_models_was_judged(tmp_path, row, name, option, model):
    loaded = judged(row, tmp_path=tmp_path, name=name, model=option)
    answers = loaded.pairs[0].models
    assert {name for name, answer in answers.items() if answer.judge is not None} == {model}


def test_several_models_and_no_hint(tmp_path):
    loaded = judged(result(TWO, "t"), tmp_path=tmp_path)
    assert "name it with --model" in reasons(loaded)[0]


# Output of critique and match.


def answers(loaded, model="m"):
    return {found.id: found.models.get(model) for found in loaded.pairs}


def test_both_orders_and_several_samples_are_records_of_one_pair(tmp_path):
    rows = [critiqued(pair(), swapped=swapped, sample=sample) for swapped in (False, True) for sample in (0, 1)]
    loaded = read(write(tmp_path / "a.jsonl", *rows))
    assert reasons(loaded) == []
    assert [(found.id, found.pair_id, found.source_id) for found in loaded.pairs] == [
        ("p1", None, "p1"),
        ("p1#1", "p1", "p1"),
        ("p1#swapped", "p1", "p1"),
        ("p1#swapped#1", "p1", "p1"),
    ]
    assert [(answer.swapped, answer.sample) for answer in answers(loaded).values()] == [
        (False, 0),
        (False, 1),
        (True, 0),
        (True, 1),
    ]
    assert {answer.verdict for answer in answers(loaded).values()} == {1}
    assert (loaded.n_pairs, loaded.n_labelled, len(loaded.pairs)) == (1, 1, 4)


def test_what_a_critique_repeats_of_other_models_was_not_shown_swapped(tmp_path):
    record = pair(**{"other-checklist": ["x"], "other-label": "B>A"})
    loaded = read(write(tmp_path / "a.jsonl", critiqued(record), critiqued(record, swapped=True)))
    first, second = loaded.pairs
    assert (first.models["other"].swapped, first.models["m"].swapped, list(second.models)) == (False, False, ["m"])
    # a line of some other origin is about all the models that it names
    bare = record | {"id": "q", "swapped": True, "m-label": "A>B"}
    (found,) = read(write(tmp_path / "b.jsonl", bare)).pairs
    assert [answer.swapped for answer in found.models.values()] == [True, True]


def test_a_failed_critique_is_a_record_without_an_answer(tmp_path):
    record = pair(**{"other-checklist": ["x"]})
    rows = [critiqued(record), critiqued(record, swapped=True, error="timed out")]
    loaded = read(write(tmp_path / "a.jsonl", *rows))
    assert reasons(loaded) == []
    assert [list(found.models) for found in loaded.pairs] == [["other", "m"], []]
    assert loaded.pairs[1].extra["error"] == "timed out"


def test_pairs_without_an_id_keep_their_orders_apart(tmp_path):
    """The program writes the id that it made of the content."""
    bare = pair(id=None)
    (found,) = read(write(tmp_path / "pairs.jsonl", bare)).pairs
    record = bare | {"id": found.id}
    write(tmp_path / "run.jsonl", critiqued(record), critiqued(record, "B>A", swapped=True))
    write(tmp_path / "own.jsonl", *(critiqued(pair(), model="n", swapped=swapped) for swapped in (False, True)))
    for names in (["pairs", "run"], ["run", "pairs"]):
        loaded = read(*(tmp_path / f"{name}.jsonl" for name in names))
        assert reasons(loaded) == []
        assert {name: answer.verdict for name, answer in answers(loaded).items()} == {
            found.id: 1,
            f"{found.id}#swapped": -1,
        }
        assert {one.source_id for one in loaded.pairs} == {found.id}
    for names in (["run", "own"], ["own", "run"]):
        loaded = read(*(tmp_path / f"{name}.jsonl" for name in names))
        assert reasons(loaded) == []
        assert {one.id: (one.source_id, set(one.models)) for one in loaded.pairs} == {
            "p1": ("p1", {"m", "n"}),
            "p1#swapped": ("p1", {"m", "n"}),
        }
        assert answers(loaded)["p1#swapped"].id == "p1#swapped/m"


def test_labels_reach_every_record_of_their_pair(tmp_path):
    bare = pair(label=None)
    run = write(tmp_path / "run.jsonl", critiqued(bare), critiqued(bare, swapped=True))
    by_id = write(tmp_path / "by-id.jsonl", {"id": "p1", "label": "B>>A"})
    by_content = write(tmp_path / "by-content.jsonl", pair(id=None, label="B>>A", **{"human-checklist": None}))
    pairs = write(tmp_path / "pairs.jsonl", pair(label="B>>A"))
    for labels in (by_id, by_content, pairs):
        for order in ((run, labels), (labels, run)):
            loaded = read(*order)
            assert ([found.label for found in loaded.pairs], reasons(loaded)) == ([-2, -2], [])
    assert [found.label for found in read(run).pairs] == [None, None]


def test_records_of_one_pair_must_agree_in_their_label(tmp_path):
    rows = [critiqued(pair(label="A>B")), critiqued(pair(label="B>A"), swapped=True)]
    loaded = read(write(tmp_path / "a.jsonl", *rows))
    assert [found.label for found in loaded.pairs] == [1, -1]
    assert "id 'p1#swapped' has another label than 'p1' of the same pair" in reasons(loaded)[0]


def test_a_pair_id_of_other_data_joins_nothing(tmp_path):
    """JudgeBench has one too; whatever it means, labels go by the reasons as well."""
    rows = [
        pair(id=f"q{number}", label=label, pair_id="x", sample="text", **{"human-checklist": [f"reason {number}"]})
        for number, label in enumerate(("A>B", None, "B>A"))
    ]
    loaded = read(write(tmp_path / "a.jsonl", *rows, pair(id="q9", pair_id=["odd"])))
    assert reasons(loaded) == []
    assert [found.label for found in loaded.pairs] == [1, None, -1, 1]
    assert loaded.pairs[0].extra == {"sample": "text"}
    assert loaded.pairs[3].extra == {"pair_id": ["odd"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"swapped": "yes"}, "swapped must be true or false, not text"),
        ({"sample": -1}, "sample is -1"),
        ({"pair_id": "\ud800"}, "pair_id is not valid Unicode"),
    ],
)
def test_bad_orders(tmp_path, change, reason):
    assert reason in reasons(read(write(tmp_path / "a.jsonl", pair() | change)))[0]


@pytest.mark.parametrize(("name", "value"), [("swapped", True), ("sample", 1)])
def test_one_id_has_one_order_and_sample(tmp_path, name, value):
    base = pair(**{"m-label": "A>B"})
    loaded = read(write(tmp_path / "a.jsonl", base, base | {name: value, "m-checklist": ["x"]}))
    assert "m answers another order or sample of the same id" in reasons(loaded)[0]
    loaded = read(write(tmp_path / "a.jsonl", base | {"pair_id": "x"}, base | {"pair_id": "y", "m-checklist": ["x"]}))
    assert "with another pair_id" in reasons(loaded)[0]


def test_the_last_record_of_an_id_counts(tmp_path):
    rows = [
        critiqued(pair(), error="timed out"),
        critiqued(pair(id="p2"), "A>B"),
        critiqued(pair(), "B>A"),
        critiqued(pair(id="p2"), "B>>A", **{"m-checklist": ["another"]}),
        critiqued(pair(id="p3"), "A>B"),
        critiqued(pair(id="p3"), error="asked again, and failed"),
    ]
    loaded = read(write(tmp_path / "a.jsonl", *rows), strict=True)
    assert [(found.id, found.line) for found in loaded.pairs] == [("p1", 3), ("p2", 4), ("p3", 6)]
    found = answers(loaded)
    assert (found["p1"].verdict, found["p2"].verdict, found["p2"].reasons, found["p3"]) == (-1, -2, ("another",), None)
    assert loaded.n_lines == 6


def test_the_last_judge_answer_of_an_id_counts(tmp_path):
    record = critiqued(pair())
    good, other = (judge_text((1, 1, score), (2, 0, 0)) for score in (0.5, 1))
    for rows, want in (
        ([matched(record, error="down"), matched(record, good)], (good,)),
        ([matched(record, good), matched(record, other)], (other,)),
        ([matched(record, good), matched(record, error="down")], ()),
    ):
        loaded = read(write(tmp_path / "a.jsonl", *rows), strict=True)
        assert answers(loaded)["p1"].judge.samples == want


def test_a_line_that_is_superseded_may_be_bad(tmp_path):
    rows = [critiqued(pair(), **{"m-label": 3}), critiqued(pair())]
    assert reasons(read(write(tmp_path / "a.jsonl", *rows), strict=True)) == []
    loaded = read(write(tmp_path / "a.jsonl", *rows[::-1]))
    assert ("m-label 3 is ambiguous" in reasons(loaded)[0], loaded.bad[0].line, loaded.pairs) == (True, 2, ())
    with pytest.raises(data.DataError, match=r"a\.jsonl:2"):
        read(tmp_path / "a.jsonl", strict=True)


def test_only_runs_supersede_and_only_in_their_file(tmp_path):
    first, second = critiqued(pair(), "A>B"), critiqued(pair(), "B>A")
    loaded = read(write(tmp_path / "a.jsonl", first), write(tmp_path / "b.jsonl", second))
    assert "m-label differs" in reasons(loaded)[0]
    by_hand = [{name: value for name, value in row.items() if name != "made_by"} for row in (first, second)]
    assert "m-label differs" in reasons(read(write(tmp_path / "c.jsonl", *by_hand)))[0]


def test_a_match_names_judge_and_model(tmp_path):
    record = pair(**{"m-checklist": ["x"], "n-checklist": ["x"]})
    rows = [matched(record, f"by {model}", model=model) for model in "mn"]
    (found,) = read(write(tmp_path / "a.jsonl", *rows), strict=True).pairs
    for model, answer in found.models.items():
        assert (answer.judge.samples, answer.judge.judge) == ((f"by {model}",), "openai:j@http://127.0.0.1/v1")
        assert (answer.judge.entries, answer.judge.stand_in) == (None, None)
    loaded = read(write(tmp_path / "b.jsonl", matched(record, "t", model="gone")))
    assert "the judged model is 'gone', of which the metadata hold no answer" in reasons(loaded)[0]
    # in a file of the authors a field of that name may mean anything
    loaded = read(
        write(tmp_path / "c.jsonl", result(pair(**{"m-checklist": ["x"]}), "t", model="judge-model", judge=3))
    )
    assert (reasons(loaded), answers(loaded)["p1"].judge.judge) == ([], None)


def test_cells_of_a_local_judge(tmp_path):
    record = critiqued(pair(), swapped=True)
    cells = [[1, 2, 0.5], [1, 1, 1], [2, 0, 0]]
    row = matched(record, judge="lexical", scores=cells, stand_in="no LLM")
    (found,) = read(write(tmp_path / "a.jsonl", row), strict=True).pairs
    answer = found.models["m"]
    assert (found.id, found.source_id, answer.swapped) == ("p1#swapped", "p1", True)
    assert answer.judge.entries == ((0, 1, 0.5), (0, 0, 1.0), (1, -1, 0.0))
    assert (answer.judge.samples, answer.judge.judge, answer.judge.stand_in) == ((), "lexical", "no LLM")
    (found,) = read(write(tmp_path / "b.jsonl", matched(record, scores=[])), strict=True).pairs
    assert found.models["m"].judge.entries == ()


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, "scores must be a list, not an object"),
        ([[1, 1]], "scores item 1 is no [R, S, score]"),
        ([[1, 1, 1], [1, 1, True]], "scores item 2 is no [R, S, score]"),
        ([[0, 1, 1]], "names R0 of 2"),
        ([[3, 1, 1]], "names R3 of 2"),
        ([[1.5, 1, 1]], "names R1.5 of 2"),
        ([["1", 1, 1]], "names R1 of 2"),
        ([[1, 0.5, 0]], "names S0.5"),
        ([[1, -1, 1]], "names S-1"),
        ([[1, 1, 1.5]], "has the score 1.5, expected 0 to 1"),
        ([[1, 1, None]], "has the score None"),
        ([[1, 0, 0.5]], "gives S0 (no match) the score 0.5"),
    ],
)
def test_bad_cells(tmp_path, scores, reason):
    assert reason in reasons(read(write(tmp_path / "a.jsonl", matched(critiqued(pair()), scores=scores))))[0]


def test_the_output_of_match_may_be_kept_as_parquet(tmp_path):
    """A column has one type there: with scores R and S become floats, and so does a top_k beside nulls."""
    rows = [
        matched(critiqued(pair(), swapped=swapped), scores=[[1, 2, 0.5], [2, 0, 0]], top_k=top_k)
        for swapped, top_k in ((False, 2), (True, None))
    ]
    samples = [{"generated_text": judge_text((1, 1, 1), (2, 0, 0))}]
    rows += [matched(critiqued(pair(id="p2")), samples=samples, top_k=2)]
    pandas_like = [{**row, "top_k": None if row["top_k"] is None else float(row["top_k"])} for row in rows]
    pq.write_table(pa.Table.from_pylist(pandas_like), tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", *rows)
    from_parquet, from_lines = (read(tmp_path / f"a.{kind}", strict=True).pairs for kind in ("parquet", "jsonl"))
    assert from_parquet[0].models["m"].judge.entries == ((0, 1, 0.5), (1, -1, 0.0))
    for ours, theirs in zip(from_parquet, from_lines, strict=True):
        assert ours.models == theirs.models
        assert (ours.id, ours.references, ours.label, ours.pair_id) == (
            theirs.id,
            theirs.references,
            theirs.label,
            theirs.pair_id,
        )


def test_how_long_a_list_the_judge_saw(tmp_path):
    def cut(row):
        (found,) = read(write(tmp_path / "a.jsonl", row), strict=True).pairs
        return found.models["m"].judge.top_k

    text = judge_text((1, 1, 1), (2, 0, 0))
    assert [cut(matched(critiqued(pair()), text, top_k=top_k)) for top_k in (2, None)] == [2, None]
    assert cut(matched(critiqued(pair()), text)) is None  # before it was written
    # in a file of the authors it may be the sampling
    assert cut(result(pair(**{"m-checklist": ["x"]}), text, top_k=-1)) is None
    for bad in (0, -1, 1.5, True, "x", [2]):
        loaded = read(write(tmp_path / "b.jsonl", matched(critiqued(pair()), text, top_k=bad)))
        assert "expected null or a whole number from 1" in reasons(loaded)[0]


def test_an_answer_about_the_whole_list_is_none_about_a_part(tmp_path):
    """What names a reason that the judge did not see cannot be read, and gives way to what can."""
    beyond, good = judge_text((1, 2, 1), (2, 0, 0)), judge_text((1, 1, 1), (2, 0, 0))
    record = critiqued(pair())
    for name, order in (("a", (beyond, good)), ("b", (good, beyond))):
        files = [write(tmp_path / f"{name}{at}.jsonl", matched(record, text, top_k=1)) for at, text in enumerate(order)]
        loaded = read(*files)
        assert reasons(loaded) == []
        assert answers(loaded)["p1"].judge.samples == (good,)
    files = [write(tmp_path / f"c{cut}.jsonl", matched(record, good, top_k=cut)) for cut in (1, 2)]
    assert "a second judge answer" in reasons(read(*files))[0]


def test_two_judges_are_not_mixed(tmp_path):
    record = critiqued(pair())
    a = write(tmp_path / "a.jsonl", matched(record, judge="lexical", scores=[[1, 1, 1]]))
    b = write(tmp_path / "b.jsonl", matched(record, judge_text((1, 1, 1), (2, 0, 0))))
    loaded = read(a, b)
    assert (
        "a second judge answer about model 'm', by openai:j@http://127.0.0.1/v1 and not lexical" in reasons(loaded)[0]
    )
    assert answers(loaded)["p1"].judge.entries == ((0, 0, 1.0),)
    again = write(tmp_path / "c.jsonl", matched(record, judge="lexical", scores=[[1, 1, 1]]))
    assert reasons(read(a, again)) == []


def test_critique_and_match_files_may_be_read_together(tmp_path):
    records = [critiqued(pair(), swapped=swapped) for swapped in (False, True)]
    run = write(tmp_path / "run.jsonl", *records)
    match = write(tmp_path / "match.jsonl", *(matched(record, "t") for record in records))
    pairs = write(tmp_path / "pairs.jsonl", pair())
    for order in ((run, match, pairs), (pairs, match, run)):
        loaded = read(*order, strict=True)
        assert [found.models["m"].judge.samples for found in loaded.pairs] == [("t",), ("t",)]


def test_pairs_without_human_reasons_are_read_where_none_are_needed(tmp_path):
    bare = pair(**{"human-checklist": None})
    path = write(tmp_path / "a.jsonl", bare, pair(id="p2", **{"human-checklist": []}), pair(id="p3"))
    loaded = read(path, need_references=False)
    assert reasons(loaded) == []
    assert [(found.id, len(found.references), found.label) for found in loaded.pairs] == [
        ("p1", 0, 1),
        ("p2", 0, 1),
        ("p3", 2, 1),
    ]
    assert [found.id for found in read(path).pairs] == ["p3"]
    # labels on lines of their own stay labels
    labels = write(tmp_path / "b.jsonl", {"id": "p1", "label": "A>>B"})
    assert read(path, labels, need_references=False).pairs[0].label == 2


def test_progress_is_told(tmp_path):
    counts = []
    read(write(tmp_path / "a.jsonl", pair(), "{", pair(id="b")), on_line=counts.append)
    assert counts == [1, 2, 3]


def test_transcript_helper_is_what_the_parser_reads():
    """The records of these tests stand for real ones only as long as they parse."""
    from rationale_rm import parse_genrm, parse_metajudge

    assert parse_genrm([transcript("B>>A")]).verdict.tolist() == [-2]
    assert parse_metajudge([judge_text((1, 2, 0.5))], 1, 2).score.tolist() == [0.5]
