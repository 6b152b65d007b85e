"""OpenRLHF's own executor asks a reward server, a process of its own, about the 200 critiques of all adapters.

Its environment needs requirements/serve.txt beside openrlhf.
"""

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from critiques import SETTINGS
from openrlhf.utils import agent

sys.path.append(str(Path(__file__).parents[1]))
from reward_server import TOKEN, RewardServer

PROMPT = "Which response is better?\n"
SAMPLING = SimpleNamespace(max_tokens=20_000, logprobs=None)


class Characters:
    """A tokenizer whose tokens are characters."""

    def __call__(self, text, **_):
        return {"input_ids": [np.array([ord(character) for character in text])]}

    def decode(self, tokens, **_):
        return "".join(map(chr, tokens))


class Says:
    """An engine that generates one text."""

    def __init__(self, text):
        self.text = text

    async def generate(self, *_, **__):
        tokens = [ord(character) for character in self.text]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)])


def experiences(url, texts, labels):
    """What OpenRLHF's executor makes of each answer."""
    executor = agent.SingleTurnAgentExecutor(url)

    async def all_of_them():
        return [
            await executor.execute(PROMPT, label, SAMPLING, 40_000, Characters(), Says(text))
            for text, label in zip(texts, labels, strict=True)
        ]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("token", [None, TOKEN], ids=["loopback", "token"])
def test_the_rewards_of_all_critiques(cases, rewards, token):
    settings = json.dumps(SETTINGS.to_mapping() or {"judge": SETTINGS.judge})
    with RewardServer("--reward", settings, token=token) as server:
        shown = "" if token is None else f"_:{token}@"
        url = f"http://{shown}127.0.0.1:{server.port}/get_reward"
        found = experiences(url, [case.text for case in cases], [json.dumps(case.fields) for case in cases])
    assert [one["reward"] for one in found] == [[reward] for reward in rewards.tolist()]
    assert all(one["scores"] == one["reward"] for one in found)
    assert all(np.isfinite(value).all() for one in found for value in one["extra_logs"].values())


def test_an_answer_without_a_reward_has_none(cases):
    """What the trainer stops on: no number is made up for an answer that the server refuses."""
    label = json.dumps({"references": ["a"], "label": None})
    with RewardServer() as server:
        (found,) = experiences(f"http://127.0.0.1:{server.port}/get_reward", [cases[0].text], [label])
    assert found["reward"] is None
    assert found["scores"] is None
