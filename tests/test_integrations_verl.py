"""verl's reward function without verl: settings, rows, event loops that come and go, and what is asked of a judge.

Under verl itself: tests/integrations/test_verl.py.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from integrations.critiques import ANSWERS, SETTINGS, critiques, expected
from rationale_rm import RationaleError
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
    with pytest.raises(RationaleError, match="verl serves no reward model"):
        asyncio.run(call(few[0], **routed))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"juge": "lexical"}, "did you mean judge"),
        ({"max_length": 100}, "overlong_buffer_cfg"),
        ({"mode": "gdpo"}, "makes advantages"),
        ({"judge": {"name": "m"}}, "the setting judge must be a number, a text"),
    ],
)
def test_bad_settings_are_named(cases, settings, message):
    with pytest.raises(RationaleError, match=message):
        asyncio.run(call(cases[0], **settings))


def test_rows_without_references_are_named(cases):
    with pytest.raises(RationaleError, match="rationale-rm export"):
        asyncio.run(adapter.compute_score("d", cases[0].text, 1, {"swapped": False}, judge="lexical"))


def test_settings_come_from_the_environment_where_verl_gives_none(cases, rewards, monkeypatch):
    monkeypatch.setenv("RATIONALE_RM_REWARD", json.dumps(SETTINGS.to_mapping()))
    adapter._scoring.cache_clear()
    assert asyncio.run(call(cases[0]))["score"] == pytest.approx(rewards[0], abs=1e-12)
    adapter._scoring.cache_clear()
