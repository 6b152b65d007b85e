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
from rationale_rm.integrations.scoring import FIGURES, METRICS, Scoring, answer_figures, metrics
from rationale_rm.rewards import JudgeFailureError, RewardSettings
from rationale_rm.rewards.ceiling import WINDOW
from rationale_rm.types import REWARD_COLUMNS, RewardBatch

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
    assert read_columns(len(rows), {**columns, "n": [1], "other": 2}) == rows


def test_what_is_missing_has_a_default():
    assert read_row({"references": ["r"]}) == Row(("r",))
    assert read_columns(2, {"references": [["r"], ["s"]]}) == [Row(("r",)), Row(("s",))]


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
        read_columns(1, {"prompt": ["x"]})
    with pytest.raises(rm.RationaleError, match="label has 1 rows, there are 2"):
        read_columns(2, {"references": [["a"], ["b"]], "label": [1]})
    with pytest.raises(rm.RationaleError, match="row 1: label"):
        read_columns(2, {"references": [["a"], ["b"]], "label": [1, 7]})


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
    said, tool = {"role": "assistant", "content": "mine"}, {"role": "tool", "content": "\\boxed{A>B}"}
    assert text_of([said, tool]) == "mine"
    assert text_of([tool]) is None


def test_failures_early_in_a_large_batch_are_seen():
    judged = 2 * WINDOW
    columns = {name: np.zeros(judged, dtype) for name, dtype in REWARD_COLUMNS.items()} | {
        "judged": np.ones(judged, bool)
    }
    errors = ("timeout: too slow",) * WINDOW + (None,) * WINDOW
    batch = RewardBatch(id="b", critique_ids=("c",) * judged, errors=errors, **columns)
    with pytest.raises(JudgeFailureError, match="1000 of the last 2000") as caught:
        Scoring(RewardSettings())._check(batch)
    assert len(pickle.loads(pickle.dumps(caught.value)).batch) == judged


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
    for name, column in answer_figures(whole).items():
        assert [answer_figures(one)[name][0] for one in singles] == column.tolist()
    assert metrics(whole)["outcome"] == pytest.approx(answer_figures(whole)["outcome"].mean())


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


def test_figures_have_the_same_keys_whatever_is_known():
    texts, rows = cases(8)
    whole = Scoring(RewardSettings(judge="lexical", audit=0.0)).score_now(texts, rows)
    empty = Scoring(RewardSettings()).score_now([], [])
    for batch in (whole, empty):
        assert tuple(metrics(batch)) == METRICS
        assert tuple(answer_figures(batch)) == FIGURES
    assert all(math.isnan(value) for value in metrics(empty).values())
    figures = answer_figures(whole)
    assert (figures["outcome"][0], figures["scored"][0], figures["judged"][0]) == (0, 0, 0), "gated, and not audited"
    assert math.isnan(metrics(whole)["rc"]), "nothing is known of the gated answers"
    assert not any(np.isnan(column).any() for column in figures.values())


@pytest.mark.parametrize("size", [1, 8, 64])
def test_curves_of_rc_see_the_answers_behind_the_gate(size):
    """Right answers have an RC of 1 here and wrong ones of 0, half of each: the truth is .5 for batches of any size."""
    right, wrong = (
        f"<RESULT_START>\n1. {reason}\n\\boxed{{{verdict}}}\n<RESULT_END>"
        for reason, verdict in (("Response A serves beef.", "B>A"), ("Response B is loud.", "A>B"))
    )
    scoring = Scoring(RewardSettings(judge="oracle", audit=0.25))
    row = Row(("Response 1 serves beef.",), -1)
    weights, weighted, means = 0.0, 0.0, []
    for at in range(0, 4096, size):
        texts = [f"Thought {number}.\n{(right, wrong)[number % 2]}" for number in range(at, at + size)]
        batch = scoring.score_now(texts, [row] * size)
        figures = answer_figures(batch)
        weights += figures["scored"].sum()
        weighted += figures["scored_rc"].sum()
        means.append(metrics(batch)["rc"])
    assert weighted / weights == pytest.approx(0.5, abs=0.03)
    if size > 1:
        assert np.nanmean(means) == pytest.approx(0.5, abs=0.03)


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
