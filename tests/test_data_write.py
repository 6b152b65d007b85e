"""Records back into the public schema: what is written is read as it was."""

import json
from dataclasses import replace

import pytest
import rationale_rm as rm
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm import data
from rationale_rm.critique import critique_id, read
from rationale_rm.data.records import pair_from_row
from rationale_rm.data.write import critique_record, pair_record
from rationale_rm.judge.caller import Answer
from rationale_rm.types import VERDICT_TEXTS, Critique, GenrmStatus, ModelAnswer, Pair
from records import pair, transcript, write

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
reasons = st.lists(words.filter(str.strip), min_size=1, max_size=3).map(tuple)
CHAT = ({"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "n": 1})
names = st.sampled_from(["m", "org/model-7b", "a b", "m-label", "x-checklist"])


def read_back(record, need_references=True):
    """Through JSON, as a file's line is."""
    row = data.Row("x", 1, json.loads(json.dumps(record)))
    return data.read_pair(row) if need_references else pair_from_row(row, None, None, need_references=False)


@st.composite
def pairs(draw):
    own_id = draw(words)
    models = {}
    variant = draw(st.booleans())
    swapped, sample = (draw(st.booleans()), draw(st.integers(0, 3))) if variant else (False, 0)
    for name in draw(st.lists(names, max_size=2, unique=True)):
        verdict = draw(st.none() | st.sampled_from(sorted(VERDICT_TEXTS)))
        models[name] = ModelAnswer(
            id=f"{own_id}/{name}",
            reasons=draw(reasons),
            verdict=verdict,
            bad_label="no idea" if verdict is None and draw(st.booleans()) else None,
            text=draw(st.none() | words),
            swapped=swapped,
            sample=sample,
        )
    source = draw(st.none() | words)
    return Pair(
        id=own_id,
        domain=draw(words),
        context=draw(
            words | st.just(({"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "n": 1}))
        ),
        response1=draw(st.text(st.characters(exclude_categories=["Cs"]))),
        response2=draw(words),
        references=draw(reasons),
        label=draw(st.none() | st.sampled_from(sorted(VERDICT_TEXTS))),
        models=models,
        extra=draw(
            st.dictionaries(st.sampled_from(["note", "turns", "source_url"]), st.integers() | words, max_size=2)
        ),
        pair_id=None if source == own_id else source,
    )


@given(pairs())
def test_a_pair_is_read_as_it_was_written(held):
    found = read_back(pair_record(held))
    assert replace(found, file=None, line=None) == held


@given(pairs())
def test_only_the_models_that_are_asked_for_are_written(held):
    for name in held.models:
        found = read_back(pair_record(held, [name]))
        assert found.models == {name: held.models[name]}
    assert read_back(pair_record(held, ())).models == {}


def test_what_a_run_wrote_of_itself_is_left_out():
    record = pair(made_by={"command": "critique"}, status="error", error="timeout: late", note="kept")
    again = pair_record(read_back(record))
    assert not {"made_by", "status", "error"} & set(again)
    assert again["note"] == "kept"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"apart_reason": "2 items, fewer than 3", "status": "success"}, "2 items, fewer than 3"),
        ({"status": "error", "error": "timeout: late"}, "timeout: late"),
    ],
)
@pytest.mark.parametrize("error", [None, "server_error: 500"])
def test_why_a_list_was_kept_apart_outlives_a_critique(fields, why, error):
    line = pair(**{"human-checklist": None}, kept=False, claims=[{"text": "It sorts."}], **fields)
    held = read_back(line, need_references=False)
    answer = read(Answer(text=transcript(), error=error), held, "m", False, 0)
    for record in (critique_record(held, answer, "m"), pair_record(held)):
        assert "human-checklist" not in record
        # as older runs and Parquet have it
        for again in (record, {**record, "human-checklist": []}, {**record, "human-checklist": None}):
            assert read_back(again).reason == f"kept apart by atomize: {why}"
    assert critique_record(held, answer, "m").get("error") == error
    kept = read_back(pair(kept=True))
    assert pair_record(kept)["human-checklist"] == list(kept.references)


# Answers of a GenRM.


def source(**changes):
    return read_back(pair(**changes))


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("sample", [0, 2])
@pytest.mark.parametrize("verdict", ["A>>B", "A=B", "B>A"])
def test_an_answer_is_written_and_read(swapped, sample, verdict):
    """The verdict is about responses 1 and 2 wherever it is written, and the text about what was shown."""
    held = source()
    text = transcript(verdict)
    answer = read(Answer(text=text), held, "m", swapped, sample)
    shown = {level: number for number, level in VERDICT_TEXTS.items()}[verdict]
    assert answer.verdict == (-shown if swapped else shown)
    assert answer.status is GenrmStatus.OK
    assert answer.reasons == ("It sorts.", "It is short.")
    record = critique_record(held, answer, "m")
    assert record["id"] == critique_id("p1", swapped, sample) == answer.id
    assert record["m-label"] == VERDICT_TEXTS[answer.verdict]
    found = read_back(record)
    assert found.source_id == "p1"
    assert found.models["m"] == ModelAnswer(
        id=f"{record['id']}/m",
        reasons=answer.reasons,
        verdict=answer.verdict,
        text=text,
        swapped=swapped,
        sample=sample,
    )


@pytest.mark.parametrize("text", ["", "no block", transcript("no idea"), "<think>on and on", "a\ud800" + transcript()])
def test_a_malformed_answer_is_the_models_own_and_success_of_the_call(text):
    held = source()
    answer = read(Answer(text=text), held, "m", False, 0)
    assert answer.verdict is None
    assert answer.status is not GenrmStatus.OK
    record = json.loads(json.dumps(critique_record(held, answer, "m")))
    assert record["status"] == "success"
    assert "m-label" not in record
    assert record["m-generated_text"] == text
    assert record["m-status"] == answer.status.name.lower()


def test_a_model_that_says_nothing_said_nothing():
    """The server is there, and its answers are empty: the model's fault, as the parser has it."""
    held = source()
    answer = read(Answer(text=None, error="empty_answer: no text (attempt 6 of 6)"), held, "m", False, 0)
    assert (answer.status, answer.error, answer.text) == (GenrmStatus.EMPTY, None, "")
    assert answer.reasons == ()


def test_a_call_that_failed_says_nothing_of_the_model():
    held = source()
    answer = read(Answer(text=None, error="timeout: late (attempt 6 of 6)"), held, "m", True, 1)
    assert (answer.status, answer.verdict, answer.reasons) == (None, None, None)
    record = critique_record(held, answer, "m")
    assert (record["status"], record["error"]) == ("error", "timeout: late (attempt 6 of 6)")
    assert not any(name.startswith("m-") for name in record)


def test_the_record_repeats_no_other_models_answer():
    held = source(**{"other-checklist": ["x"], "other-label": "A>B"})
    answer = read(Answer(text=transcript()), held, "m", False, 0)
    assert not any(name.startswith("other-") for name in critique_record(held, answer, "m"))


def test_a_run_over_the_output_of_a_run_goes_by_the_source_pair():
    held = source()
    first = read_back(critique_record(held, read(Answer(text=transcript()), held, "m", True, 0), "m"))
    again = critique_record(first, read(Answer(text=transcript("B>A")), first, "n", False, 0), "n")
    assert again["pair_id"] in ("p1", first.id)
    assert again["id"] == first.id


def test_both_orders_of_a_pair_are_read_from_one_file(tmp_path):
    held = source()
    rows = [
        critique_record(held, read(Answer(text=transcript(verdict)), held, "m", swapped, 0), "m")
        for swapped, verdict in ((False, "A>B"), (True, "B>A"))
    ]
    loaded = data.read_pairs([str(write(tmp_path / "c.jsonl", *rows))])
    assert loaded.bad == [] or loaded.bad == ()
    assert {found.id: found.models["m"].verdict for found in loaded.pairs} == {"p1": 1, "p1#swapped": 1}
    assert {found.source_id for found in loaded.pairs} == {"p1"}


def test_the_public_types():
    assert isinstance(read(Answer(text=transcript()), source(), "m", False, 0), Critique)
    assert rm.GENRM_STATUSES[0] == "ok"
