"""verl's reward function without verl: settings, rows, event loops that come and go, and what is asked of a judge.

Under verl itself: tests/integrations/test_verl.py.
"""

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from integrations.critiques import ANSWERS, SETTINGS, critiques, expected
from rationale_rm.integrations import verl as adapter
from rationale_rm.rewards import RewardSettings
from servers import ScriptedServer


@pytest.fixture(scope="module")
def cases():
    return critiques()[: 4 * ANSWERS]


@pytest.fixture(scope="module")
def rewards(cases):
    return expected(cases).reward


def call(case, **settings):
    row = adapter.export_row(case.pair, swapped=case.swapped, messages=case.messages)
    return adapter.compute_score(
        row["data_source"], case.text, row["reward_model"]["ground_truth"], row["extra_info"], **settings
    )


def test_loops_that_come_and_go(cases, rewards):
    """Agent loops, validation and older trainers each bring a loop of their own."""
    few = cases[: 3 * ANSWERS]

    def on_a_new_loop(part):
        async def gather():
            return await asyncio.gather(*(call(case, **SETTINGS.to_mapping()) for case in part))

        return [one["score"] for one in asyncio.run(gather())]

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(on_a_new_loop, [few[at::3] for at in range(3)]))
    for at in range(3):
        np.testing.assert_allclose(found[at], rewards[: len(few)][at::3], atol=1e-12)


def test_equal_questions_are_asked_once(cases):
    """One answer a call, and what is under way is shared all the same."""
    case = max(cases[:4], key=lambda case: len(case.text))
    with ScriptedServer(latency=0.3) as server:
        settings = {"judge": f"openai:m@{server.url}", "gate": False, "constrain": False}

        async def gather():
            return await asyncio.gather(*(call(case, **settings) for _ in range(16)))

        found = asyncio.run(gather())
        asked = server.stats()["requests"]
    assert len({json.dumps(one) for one in found}) == 1
    assert asked == 1


def test_a_judge_that_verl_serves(cases):
    with ScriptedServer() as server:
        address = server.url.removeprefix("http://").removesuffix("/v1")
        routed = {"judge": "openai:m@http://{reward_router_address}/v1", "constrain": False}
        direct = RewardSettings(judge=f"openai:m@{server.url}", constrain=False)
        few = cases[:ANSWERS]

        async def gather():
            return await asyncio.gather(*(call(case, **routed, reward_router_address=address) for case in few))

        found = [one["score"] for one in asyncio.run(gather())]
        np.testing.assert_allclose(found, expected(few, direct).reward, atol=1e-12)


@pytest.fixture
def unscored(caplog):
    """Checks that an answer has NaN, all figures and an error in the log, from either function."""

    def check(case, message, truth=1, info=None, **settings):
        info = case.fields if info is None else info
        found = [
            asyncio.run(adapter.compute_score("d", case.text, truth, info, **settings)),
            adapter.compute_score_sync("d", case.text, truth, info, **settings),
        ]
        scored = asyncio.run(call(case, **SETTINGS.to_mapping()))
        for one in found:
            assert math.isnan(one["score"])
            assert list(one) == list(scored)
        records = [record for record in caplog.records if record.levelname == "ERROR"]
        assert len(records) == 2
        assert all(message in record.getMessage() for record in records)

    return check


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"juge": "lexical"}, "did you mean judge"),
        ({"max_length": 100}, "overlong_buffer_cfg"),
        ({"mode": "gdpo"}, "makes advantages"),
        ({"judge": {"name": "m"}}, "the setting judge must be a number, a text"),
        ({"judge": "lexicall"}, "lexicall"),
        ({"judge": "openai:m@http://{reward_router_address}/v1"}, "verl serves no reward model"),
        ({"judge": "openai:m@http://127.0.0.1:9/v1", "cache": "/dev/null/cache"}, "cache"),
        ({"judge": "openai:m@http://127.0.0.1:9/v1", "key_env": "A_KEY_THAT_IS_NOT_SET"}, "A_KEY_THAT_IS_NOT_SET"),
    ],
)
def test_bad_settings_and_judges_are_no_reward_and_named(cases, unscored, settings, message):
    """What raises is passed over by verl; NaN is what the estimator stops on."""
    unscored(cases[0], message, **settings)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"swapped": False}, "rationale-rm export"),
        ({"references": ["a"], "swapped": "perhaps"}, "swapped must be true or false"),
        ({"references": [1]}, "references must be texts"),
    ],
)
def test_rows_that_cannot_be_read_are_no_reward_and_named(cases, unscored, info, message):
    unscored(cases[0], message, info=info, judge="lexical")


@pytest.mark.parametrize("mode", ["product", "sum", "outcome"])
def test_a_row_without_a_label_is_no_failure_of_the_judge(cases, unscored, mode):
    with ScriptedServer() as server:
        judge = {"judge": f"openai:m@{server.url}", "constrain": False}
        unscored(cases[0], f"no label, which mode {mode} needs", truth=None, mode=mode, **judge)
        assert server.stats()["requests"] == 0


def test_rationales_are_scored_without_a_label(cases):
    found = asyncio.run(
        adapter.compute_score("d", cases[0].text, None, cases[0].fields, judge="lexical", mode="rationale")
    )
    assert found["score"] > 0


def test_a_worker_without_settings_gives_no_reward(cases, unscored, monkeypatch):
    monkeypatch.delenv("RATIONALE_RM_REWARD", raising=False)
    adapter._scoring.cache_clear()
    unscored(cases[0], "$RATIONALE_RM_REWARD is not set in this process")


def test_settings_come_from_the_environment_where_verl_gives_none(cases, rewards, monkeypatch):
    monkeypatch.setenv("RATIONALE_RM_REWARD", json.dumps(SETTINGS.to_mapping()))
    adapter._scoring.cache_clear()
    assert asyncio.run(call(cases[0]))["score"] == pytest.approx(rewards[0], abs=1e-12)
    adapter._scoring.cache_clear()
