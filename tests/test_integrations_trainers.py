"""What of the adapters for TRL, ms-swift and verifiers needs none of them; the rest is in tests/integrations."""

import asyncio
import math
import pickle
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.integrations import swift
from rationale_rm.integrations.trl import trl_pairwise_reward, trl_reward
from rationale_rm.integrations.verifiers import verifiers_reward
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


class Batch:
    """The columns that `swift.rewards` reads."""

    def __init__(self, rewards):
        self.reward = np.array(rewards, dtype=float)
        self.errors = tuple("away" if math.isnan(reward) else None for reward in rewards)


REWARDS = st.lists(
    st.tuples(st.integers(0, 3), st.just(math.nan) | st.floats(-1, 1, allow_nan=False)), min_size=1, max_size=24
)


@settings(deadline=None)
@given(REWARDS)
def test_swift_gets_the_mean_of_the_group_for_what_is_unknown(rows):
    groups, given_rewards = [f"prompt_{group}" for group, _ in rows], [reward for _, reward in rows]
    found = swift.rewards(Batch(given_rewards), {"prompt_id": groups}, heeds_none=False)
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
    found = swift.rewards(Batch(rewards), {}, heeds_none=True)
    assert found == [None if math.isnan(reward) else reward for reward in rewards]


def test_swift_counts_the_tokens_of_all_turns():
    limited = RewardSettings(max_length=10)
    columns = {"references": [REFERENCES] * 3, "response_token_ids": [[[1, 2], [3]], [1, 2], []]}
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
        assert set(state["rationale_rm"]) >= {"outcome", "rc"}


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
    seen = {}

    class Reward:
        async def score(self, prompts, responses, *, groups=None):
            seen.update(groups=groups, responses=responses)
            return type(
                "Scores", (), {"score": np.array([1.0, np.nan, 0, 0, 0]), "errors": (None, "away", *[None] * 3)}
            )

    prompts = [[{"role": "user", "content": text}] for text in "aabba"]
    metric = {}
    reward = trl_pairwise_reward(Reward())
    found = asyncio.run(reward(prompts=prompts, completions=list("vwxyz"), log_metric=metric.__setitem__))
    assert found == [1.0, None, 0.0, 0.0, 0.0]
    assert seen == {"groups": [0, 0, 1, 1, 2], "responses": list("vwxyz")}
    assert metric == {"pairwise/unanswered": 0.2}
