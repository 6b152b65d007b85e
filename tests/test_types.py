"""The records: versions, round trips, and enums that cannot drift from the core."""

import json

import numpy as np
import pytest
import rationale_rm as rm
from rationale_rm import types

ANSWER = types.ModelAnswer(
    id="p1/m",
    reasons=("first", "second"),
    verdict=-2,
    text="…",
    judge=types.JudgeAnswer(id="p1/m/judge", samples=("a", "b"), status="format_error", error="late"),
)
LOCAL = types.ModelAnswer(
    id="p1#swapped#1/m",
    reasons=("first",),
    verdict=-2,
    judge=types.JudgeAnswer(
        id="p1#swapped#1/m/judge",
        samples=(),
        judge="embedding:a/path",
        entries=((0, 0, 0.25), (1, -1, 0.0)),
        stand_in="no LLM judged",
        top_k=2,
    ),
    swapped=True,
    sample=1,
)
RECORDS = [
    ANSWER,
    types.Pair(
        id="p1",
        domain="code",
        context=({"role": "user", "content": "hi", "parts": [1, 2]},),
        response1="a",
        response2="b",
        references=("r",),
        label=1,
        models={"m": ANSWER},
        extra={"language": ["de", "fr"]},
        pair_id="p",
        file="x.jsonl",
        line=3,
    ),
    types.Critique(
        id="c", pair_id="p1", model="m", reasons=("a",), verdict=None, status=types.GenrmStatus.CONFLICT, swapped=True
    ),
    types.Critique(id="c", pair_id="p1", model="m", reasons=("a",), verdict=None, status=None),
    types.MatchRequest(id="q", critique_id="c", pair_id="p1", model="m", references=("r",), reasons=("a",)),
    types.MatchResult(
        id="q/1",
        request_id="q",
        judge="recorded",
        entries=((0, 1, 0.75), (1, -1, 0.0)),
        statuses=(types.MetaJudgeStatus.OK, types.MetaJudgeStatus.BAD_LINE),
        samples=("x", "y"),
    ),
    LOCAL,
]


@pytest.mark.parametrize(
    ("enum", "names"),
    [
        (types.GenrmStatus, rm.GENRM_STATUSES),
        (types.MetaJudgeStatus, rm.METAJUDGE_STATUSES),
        (types.ClaimsStatus, rm.CLAIMS_STATUSES),
    ],
)
def test_statuses_are_the_cores(enum, names):
    assert tuple(member.name.lower() for member in enum) == names
    assert [member.value for member in enum] == list(range(len(names)))


def test_verdicts_are_what_the_core_reads():
    assert {int(verdict) for verdict in types.Verdict} == set(types.VERDICT_TEXTS)
    for verdict in types.Verdict:
        parsed = rm.parse_genrm([rf"\boxed{{{verdict.text}}}"])
        assert parsed.verdict[0] == verdict
        assert verdict.flipped() == -verdict


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_round_trip_through_json(record):
    text = json.dumps(record.to_dict(), allow_nan=False)
    assert type(record).from_dict(json.loads(text)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_cannot_be_changed(record):
    with pytest.raises(AttributeError):
        record.id = "other"
    assert not hasattr(record, "__dict__")


def test_records_from_before_a_field_was_there_are_read():
    """Fields that were added later have defaults under the same schema version."""
    data = RECORDS[1].to_dict()
    del data["pair_id"]
    for name in ("swapped", "sample"):
        del data["models"]["m"][name]
    for name in ("judge", "entries", "stand_in", "top_k"):
        del data["models"]["m"]["judge"][name]
    pair = types.Pair.from_dict(data)
    assert (pair.pair_id, pair.source_id, pair.models) == (None, "p1", {"m": ANSWER})
    assert RECORDS[1].source_id == "p"


def test_no_recorded_cells_are_not_recorded_cells_without_a_match():
    none, empty = (types.JudgeAnswer(id="j", samples=(), entries=entries) for entries in (None, ()))
    assert [types.JudgeAnswer.from_dict(json.loads(json.dumps(a.to_dict()))) for a in (none, empty)] == [none, empty]
    assert none != empty


def test_a_newer_version_is_refused():
    data = RECORDS[1].to_dict() | {"schema_version": types.SCHEMA_VERSION + 1}
    with pytest.raises(types.SchemaError, match="upgrade rationale-rm"):
        types.Pair.from_dict(data)


def test_a_newer_version_inside_is_refused():
    data = RECORDS[1].to_dict()
    data["models"]["m"]["judge"]["schema_version"] = types.SCHEMA_VERSION + 1
    with pytest.raises(types.SchemaError, match="JudgeAnswer"):
        types.Pair.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": None}, "schema_version"),
        ({"schema_version": True}, "schema_version"),
        ({"schema_version": 0}, "schema_version"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"status": "fine"}, "'fine' is no GenrmStatus"),
    ],
)
def test_what_cannot_be_read_is_named(change, message):
    with pytest.raises(types.SchemaError, match=message):
        types.Critique.from_dict(RECORDS[2].to_dict() | change)


def test_a_missing_field_is_named():
    data = RECORDS[2].to_dict()
    del data["pair_id"]
    with pytest.raises(types.SchemaError, match="pair_id"):
        types.Critique.from_dict(data)


def test_an_answered_result_has_a_sample_that_parsed():
    result = RECORDS[5]
    assert result.answered
    assert not types.MatchResult(id="q", request_id="q", judge="j", statuses=(types.MetaJudgeStatus.EMPTY,)).answered


def reward_batch(**changes):
    columns = {
        "group": np.array([0, 0], dtype=np.int64),
        "verdict": np.array([1, -128], dtype=np.int8),
        "outcome": np.array([1.0, np.nan]),
        "rationale": np.array([0.5, 0.25]),
        "rc": np.array([0.5, np.nan]),
        "reward": np.array([0.5, np.nan]),
        "advantage": np.array([0.0, np.nan]),
        "status": np.array([0, 3], dtype=np.uint8),
        "judged": np.array([True, False]),
        "gated": np.array([False, True]),
        "audit_weight": np.array([1.0, 0.0]),
    }
    return types.RewardBatch(id="b", critique_ids=("c1", "c2"), **(columns | changes))


def test_reward_batch_keeps_nan_and_dtypes_through_json():
    batch = reward_batch()
    again = types.RewardBatch.from_dict(json.loads(json.dumps(batch.to_dict(), allow_nan=False)))
    assert len(again) == 2
    for name in batch.__dataclass_fields__:
        if not isinstance(getattr(batch, name), np.ndarray):
            continue
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))
        assert getattr(again, name).dtype == getattr(batch, name).dtype


def test_reward_batch_refuses_columns_of_another_length():
    with pytest.raises(types.SchemaError, match="reward has shape"):
        reward_batch(reward=np.zeros(3))
