"""What of the adapters for TRL, ms-swift and verifiers needs none of them; the rest is in tests/integrations."""

import asyncio
import math
import pickle
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.integrations import swift
from rationale_rm.integrations.labels import NO_LABEL
from rationale_rm.integrations.rows import Row
from rationale_rm.integrations.scoring import FIGURES
from rationale_rm.integrations.trl import trl_pairwise_reward, trl_reward
from rationale_rm.integrations.verifiers import verifiers_reward
from rationale_rm.pairwise import Compared, PairwiseReward
from rationale_rm.rewards import JudgeFailureError, RewardSettings
from records import transcript

AWAY = {"judge": "openai:m@http://127.0.0.1:9/v1", "attempts": 1}
REFERENCES = ["Response 2 sorts and does not reverse.", "Response 1 is short."]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
INFO = JSON | st.fixed_dictionaries(
    {}, optional={"references": JSON, "label": JSON, "swapped": JSON, "pair_id": JSON, "other": JSON}
)


EXAMPLES = Path(__file__).parents[1] / "examples"


class Batch:
    """The columns that `swift.rewards` reads."""

    def __init__(self, rewards):
        self.reward = np.array(rewards, dtype=float)
        self.judged = np.ones(len(rewards), dtype=bool)
        self.errors = tuple("away" if math.isnan(reward) else None for reward in rewards)


def given_to_swift(rewards, columns, *, heeds_none=False):
    rows = [Row(tuple(REFERENCES), 1)] * len(rewards)
    return swift.rewards(Batch(rewards), rows, columns, heeds_none=heeds_none)


REWARDS = st.lists(
    st.tuples(st.integers(0, 3), st.just(math.nan) | st.floats(-1, 1, allow_nan=False)), min_size=1, max_size=24
)


@settings(deadline=None)
@given(REWARDS)
def test_swift_gets_the_mean_of_the_group_for_what_is_unknown(rows):
    groups, given_rewards = [f"prompt_{group}" for group, _ in rows], [reward for _, reward in rows]
    found = given_to_swift(given_rewards, {"prompt_id": groups})
    assert given_to_swift(given_rewards, {"pair_id": np.array(groups)}) == found
    known = defaultdict(list)
    for group, reward in zip(groups, given_rewards, strict=True):
        if not math.isnan(reward):
            known[group].append(reward)
    for group, reward, value in zip(groups, given_rewards, found, strict=True):
        if not math.isnan(reward):
            assert value == reward
        elif known[group]:
            assert value == pytest.approx(math.fsum(known[group]) / len(known[group]), abs=1e-12)
        else:
            assert value is None


@settings(deadline=None)
@given(REWARDS)
def test_swift_gets_none_where_it_heeds_it(rows):
    rewards = [reward for _, reward in rows]
    found = given_to_swift(rewards, {}, heeds_none=True)
    assert found == [None if math.isnan(reward) else reward for reward in rewards]


@pytest.mark.parametrize("columns", [{}, {"prompt_id": None, "pair_id": [None] * 3}])
def test_swift_gets_no_mean_over_other_prompts(columns, caplog):
    """Without ids, the mean over a batch of many prompts would be an advantage like any other."""
    assert given_to_swift([1.0, math.nan, 0.0], columns) == [1.0, None, 0.0]
    assert "neither prompt_id nor pair_id" in caplog.text


UNLABELLED = ({}, {"label": None}, {"label": [None, math.nan]}, {"labels": [1, 1]})


@pytest.mark.parametrize("columns", UNLABELLED)
def test_a_batch_without_any_label_is_a_fault_where_the_reward_depends_on_it(columns):
    columns = {"references": [REFERENCES] * 2, **columns}
    texts = [transcript()] * 2
    for mode in ("product", "sum", "outcome"):
        with pytest.raises(RationaleError, match="column `label`"):
            trl_reward(RewardSettings(mode=mode), sync=True)(completions=texts, **columns)
        with pytest.raises(RationaleError, match="column `label`"):
            asyncio.run(trl_reward(RewardSettings(mode=mode))(completions=texts, **columns))
        with pytest.raises(RationaleError, match="column `label`"):
            swift.inputs(RewardSettings(mode=mode), texts, columns)
    alone = RewardSettings(mode="rationale")
    assert None not in trl_reward(alone, sync=True)(completions=texts, **columns)
    assert swift.inputs(alone, texts, columns)[0] == texts


def test_one_row_without_a_label_is_said(caplog):
    columns = {"references": [REFERENCES] * 2, "label": [1, None], "pair_id": ["a", "b"]}
    texts, extra = [transcript()] * 2, {}
    found = trl_reward(RewardSettings(), sync=True)(completions=texts, log_extra=extra.__setitem__, **columns)
    assert [value is None for value in found] == [False, True]
    assert extra["rationale_rm/no_judgement"] == [None, NO_LABEL]
    _, rows, _ = swift.inputs(RewardSettings(), texts, columns)
    batch = RewardSettings().open()(texts, references=columns["references"], labels=columns["label"])
    assert swift.rewards(batch, rows, columns, heeds_none=False) == found
    assert f"1 of 2 answers have no reward; the last: {NO_LABEL}" in caplog.text


def test_trl_functions_of_several_modes_share_no_name():
    """TRL keeps rewards by the functions' names, and joins columns of one name."""
    rows = {"completions": [transcript()], "references": [REFERENCES], "label": [1]}
    names, columns = [], []
    for mode in ("product", "sum", "outcome", "rationale"):
        for sync in (True, False):
            function = pickle.loads(pickle.dumps(trl_reward(RewardSettings(mode=mode), sync=sync)))
            assert function.__name__ == function.func.__name__
            names.append(function.__name__)
        extra, metric = {}, {}
        asyncio.run(function(**rows, log_extra=extra.__setitem__, log_metric=metric.__setitem__))
        columns += [{name.split("/")[0] for name in logged} for logged in (extra, metric)]
    assert len(set(names)) == 8
    assert columns == [
        {prefix} for prefix in ("rationale_rm", "rationale_sum", "outcome_only", "rationale_only") for _ in "ab"
    ]


def test_swift_counts_the_tokens_of_all_turns():
    limited = RewardSettings(max_length=10)
    columns = {"references": [REFERENCES] * 3, "label": [1] * 3, "response_token_ids": [[[1, 2], [3]], [1, 2], []]}
    assert swift.inputs(limited, ["a"] * 3, columns)[2] == [3, 2, 0]
    assert swift.inputs(RewardSettings(), ["a"] * 3, columns)[2] is None


@settings(deadline=None)
@given(INFO, JSON)
def test_nothing_that_a_rubric_holds_becomes_an_exception_or_a_zero(info, completion):
    """A rubric would make 0.0 of whatever is raised."""
    state = {}
    reward = asyncio.run(verifiers_reward(RewardSettings())(completion=completion, info=info, state=state))
    assert math.isnan(reward) == ("error" in state)
    if "error" not in state:
        assert tuple(state["rationale_rm"]) == FIGURES


def test_a_rubric_hears_why_there_is_no_judgement():
    reward = verifiers_reward(RewardSettings(**AWAY, max_failure_rate=1.0))
    state = {}
    info = {"references": REFERENCES, "label": 1}
    assert math.isnan(asyncio.run(reward(completion=transcript(), info=info, state=state)))
    assert "connection" in str(state["error"]).lower()
    wrong = {}
    assert asyncio.run(reward(completion=transcript("B>A"), info=info, state=wrong)) == 0
    assert "error" not in wrong


def test_trl_gets_none_and_the_reason_without_a_judgement():
    function = pickle.loads(pickle.dumps(trl_reward(RewardSettings(**AWAY, max_failure_rate=1.0), sync=True)))
    texts = [transcript(), transcript("B>A"), transcript("C>D")]
    extra, metric = {}, {}
    found = function(
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        references=[REFERENCES] * 3,
        label=[1] * 3,
        log_extra=extra.__setitem__,
        log_metric=metric.__setitem__,
        trainer_state=None,
    )
    assert found == [None, 0.0, 0.0]
    assert [reason is None for reason in extra["rationale_rm/no_judgement"]] == [False, True, True]
    assert extra["rationale_rm/outcome"] == [1.0, 0.0, 0.0]
    assert extra["rationale_rm/status"][:2] == ["ok", "ok"]
    assert metric["rationale_rm/unanswered"] == pytest.approx(1 / 3)
    assert "rationale_rm/rc" not in metric  # nothing is known of it, and NaN would hide what other processes know


@pytest.mark.parametrize("sync", [False, True])
def test_trl_is_stopped_by_an_outage(sync):
    function = trl_reward(RewardSettings(**AWAY), sync=sync)
    columns = {"completions": [transcript()] * 4, "references": [REFERENCES] * 4, "label": [1] * 4}
    with pytest.raises(JudgeFailureError, match="max_failure_rate"):
        function(**columns) if sync else asyncio.run(function(**columns))


def test_a_pairwise_group_is_a_run_of_equal_prompts():
    async def longer_wins(pairs):
        assert all(pair.context[0]["content"] in "ab" for pair in pairs)
        return [
            Compared(error="away: x") if "!" in pair.a + pair.b else Compared(verdict=longer(pair)) for pair in pairs
        ]

    def longer(pair):
        return (len(pair.a) > len(pair.b)) - (len(pair.a) < len(pair.b))

    prompts = [[{"role": "user", "content": text}] for text in "aabbbaa"]
    metric = {}
    reward = trl_pairwise_reward(
        PairwiseReward(longer_wins, schedule="round_robin", aggregation="mean_win", max_failure_rate=1)
    )
    completions = ["v", "vv", "w", "ww", "!", "x", "xx"]
    found = asyncio.run(reward(prompts=prompts, completions=completions, log_metric=metric.__setitem__))
    assert found == [0.0, 1.0, 0.0, 1.0, None, 0.0, 1.0]
    assert metric["pairwise/unanswered"] == pytest.approx(1 / 7)
    assert (metric["pairwise/n_asked"], metric["pairwise/n_missing"], metric["pairwise/order_consistency"]) == (5, 2, 1)


@pytest.mark.parametrize(
    "name",
    [
        "openrlhf/reward.json",
        "swift/train_genrm.sh",
        "verifiers/rationale_genrm.py",
        "verifiers/rationale_genrm_legacy.py",
    ],
)
def test_the_examples_bound_the_time_of_a_step(name):
    """A judge that hangs would be waited for until a collective operation of the other processes is given up."""
    text = (EXAMPLES / name).read_text("utf-8")
    if not name.endswith(".json"):
        text = re.search(r"RATIONALE_RM_REWARD=.*?(\{\\?\"judge.*?\})", text, re.DOTALL).group(1).replace("\\", "")
    assert RewardSettings.from_text(text).time_budget == 300
