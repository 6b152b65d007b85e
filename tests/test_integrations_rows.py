"""Rows as trainers carry them, and rewards as trainers ask for them."""

import asyncio
import json
import math
import pickle
import random
import threading

import numpy as np
import pytest
import rationale_rm as rm
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm import world
from rationale_rm.integrations.rows import Row, read_columns, read_row, row_fields, text_of
from rationale_rm.integrations.scoring import METRICS, Scoring, metrics
from rationale_rm.rewards import JudgeFailureError, RewardSettings

ROWS = st.builds(
    Row,
    references=st.lists(st.text(), min_size=1, max_size=4).map(tuple),
    label=st.integers(-2, 2) | st.none(),
    swapped=st.booleans(),
    pair_id=st.text(min_size=1) | st.none(),
)


def fields(row):
    return {"references": list(row.references), "label": row.label, "swapped": row.swapped, "pair_id": row.pair_id}


@given(ROWS)
def test_a_row_survives_every_form(row):
    plain = fields(row)
    assert read_row(plain) == row
    assert read_row({**plain, "beside": object()}) == row
    assert read_row(json.dumps(plain)) == row
    assert read_row({**plain, "references": json.dumps(plain["references"])}) == row
    as_parquet = {
        "references": np.array(plain["references"], dtype=object),
        "label": np.float64("nan") if row.label is None else np.float64(row.label),
        "swapped": np.bool_(row.swapped),
        "pair_id": row.pair_id,
    }
    assert read_row(as_parquet) == row


@given(st.lists(ROWS, max_size=5))
def test_columns_are_rows(rows):
    columns = {name: [fields(row)[name] for row in rows] for name in ("references", "label", "swapped", "pair_id")}
    assert read_columns(len(rows), **columns, other=[1]) == rows


def test_what_is_missing_has_a_default():
    assert read_row({"references": ["r"]}) == Row(("r",))
    assert read_columns(2, references=[["r"], ["s"]]) == [Row(("r",)), Row(("s",))]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "expected the JSON object"),
        ("[]", "expected an object with references"),
        (None, "expected an object with references"),
        ({}, "there are no references"),
        ({"references": "one text"}, "must be a list of texts"),
        ({"references": []}, "at least one"),
        ({"references": ["a", 1]}, "must be texts"),
        ({"references": ["a"], "label": 3}, "not on the scale"),
        ({"references": ["a"], "label": "better"}, "no verdict"),
        ({"references": ["a"], "label": True}, "label"),
        ({"references": ["a"], "swapped": "yes"}, "swapped must be true or false"),
        ({"references": "[1"}, "references"),
    ],
)
def test_a_bad_row_says_what_is_wrong(value, message):
    with pytest.raises(rm.RationaleError) as caught:
        read_row(value)
    assert message in str(caught.value)


def test_bad_columns_name_row_or_column():
    with pytest.raises(rm.RationaleError, match="no column `references`"):
        read_columns(1, prompt=["x"])
    with pytest.raises(rm.RationaleError, match="label has 1 rows, there are 2"):
        read_columns(2, references=[["a"], ["b"]], label=[1])
    with pytest.raises(rm.RationaleError, match="row 1: label"):
        read_columns(2, references=[["a"], ["b"]], label=[1, 7])


def test_text_of_a_completion():
    class Message:
        content = "m"

    assert text_of("t") == "t"
    assert text_of(None) is None
    assert text_of([]) is None
    assert text_of([{"role": "assistant", "content": "first"}, {"role": "assistant", "content": "last"}]) == "last"
    assert (
        text_of([{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])
        == "ab"
    )
    assert text_of([Message()]) == "m"
    assert text_of([{"role": "assistant", "content": None, "tool_calls": []}]) is None


def cases(n=24):
    rng, how = random.Random(1), world.AnnotatorSettings(careful=0.7, attention=0.7)
    pairs = world.pairs(world.WorldSettings(seed=2), "test", n)
    swapped = [number % 2 == 0 for number in range(n)]
    texts = [world.demonstrate(pair, how, rng, swapped=flag) for pair, flag in zip(pairs, swapped, strict=True)]
    wrong = "A>B" if (pairs[0].label < 0) != swapped[0] else "B>A"
    texts[0] = f"<RESULT_START>\n1. Response A is long.\n\\boxed{{{wrong}}}\n<RESULT_END>"
    texts[-1] = "no block"
    return texts, [read_row(row_fields(pair, flag)) for pair, flag in zip(pairs, swapped, strict=True)]


def test_rewards_are_those_of_the_reward_itself_whole_and_one_by_one():
    texts, rows = cases()
    settings = RewardSettings(judge="lexical", audit=0.5)
    whole = settings.open()(
        texts,
        references=[row.references for row in rows],
        labels=[row.label for row in rows],
        swapped=[row.swapped for row in rows],
    )
    scoring = Scoring(settings)
    assert scoring.score_now(texts, rows).reward.tolist() == whole.reward.tolist()
    singles = [scoring.score_now([text], [row]) for text, row in zip(texts, rows, strict=True)]
    assert [one.reward[0] for one in singles] == whole.reward.tolist()
    assert len(set(whole.reward.tolist())) > 4
    for at, one in enumerate(singles):
        assert metrics(one) == pytest.approx(metrics(whole, at), nan_ok=True)
    assert metrics(whole)["outcome"] == pytest.approx(np.mean([metrics(one)["outcome"] for one in singles]))


def test_it_pickles_and_serves_threads_and_fresh_loops():
    texts, rows = cases(8)
    scoring = pickle.loads(pickle.dumps(Scoring(RewardSettings(judge="lexical"))))
    expected = scoring.score_now(texts, rows).reward.tolist()
    found = []
    threads = [threading.Thread(target=lambda: found.append(scoring.score_now(texts, rows))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += [asyncio.run(scoring.score(texts, rows)) for _ in range(3)]
    assert [batch.reward.tolist() for batch in found] == [expected] * 7


def test_metrics_have_the_same_keys_whatever_is_known():
    texts, rows = cases(8)
    batch = Scoring(RewardSettings(judge="lexical", audit=0.0)).score_now(texts, rows)
    for row in (None, *range(8)):
        assert tuple(metrics(batch, row)) == METRICS
    assert metrics(batch, 0)["outcome"] == 0
    assert math.isnan(metrics(batch, 0)["rationale"]), "the gate kept it from the judge"
    empty = Scoring(RewardSettings()).score_now([], [])
    assert all(math.isnan(value) for value in metrics(empty).values())


@pytest.mark.parametrize("mode", ["papo", "gdpo", "gdpo_batch"])
def test_modes_that_make_advantages_are_refused(mode):
    with pytest.raises(rm.RationaleError, match="takes rewards"):
        Scoring(RewardSettings(mode=mode))


DOWN = RewardSettings(judge="openai:m@http://127.0.0.1:9/v1", attempts=1, timeout=1.0, gate=False)
"""Nothing listens on port 9."""


def test_an_outage_is_nan_with_a_cause_and_stops_one_by_one_too():
    texts, rows = cases(4)
    scoring = Scoring(DOWN)
    first = scoring.score_now(texts[1:2], rows[1:2])
    assert math.isnan(first.reward[0])
    assert first.errors[0].startswith("connection")
    assert metrics(first)["unanswered"] == 1.0
    with pytest.raises(JudgeFailureError, match="failed for 2 of the last 2 answers"):
        scoring.score_now(texts[2:3], rows[2:3])


def test_a_tolerated_share_of_failures_stays_nan():
    texts, rows = cases(4)
    settings = RewardSettings(judge=DOWN.judge, attempts=1, gate=False, max_failure_rate=1.0)
    batch = Scoring(settings).score_now(texts, rows)
    # Of the wrong and the malformed one the judge can say nothing that changes the product.
    assert np.isnan(batch.reward).tolist() == [False, True, True, False]
