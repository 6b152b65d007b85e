"""The reward under OpenRLHF's own callers: its agent (module and HTTP form), its samples and its advantages.

Two things are not OpenRLHF's here. vLLM's engine, which needs a GPU, is an object that hands out the shared answers.
The advantages lie in a module that imports flash-attn, which a CPU cannot have: an empty module of that name lets it
load, and nothing of it is called.
"""

import argparse
import ast
import asyncio
import importlib.util
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import types
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from critiques import ANSWERS, SETTINGS, expected
from rationale_rm import RationaleError
from rationale_rm.integrations.openrlhf import (
    export_row,
    openrlhf_reward,
)
from rationale_rm.integrations.scoring import FIGURES
from rationale_rm.rewards import RewardSettings
from rationale_rm.rewards.settings import VARIABLE
from reward_server import TOKEN, RewardServer
from servers import ScriptedServer

from benches import tiny_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ray
    from openrlhf.datasets import PromptDataset
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
    from openrlhf.utils.agent import SingleTurnAgentExecutor
    from openrlhf.utils.config import hierarchize

pytestmark = pytest.mark.filterwarnings("ignore")  # OpenRLHF's and Ray's own
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "openrlhf"
AWAY = "openai:m@http://127.0.0.1:9/v1"
"""A judge that is down: nothing listens at the discard port."""
PARAMETERS = SimpleNamespace(max_tokens=4096, logprobs=None)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    import transformers

    return transformers.AutoTokenizer.from_pretrained(
        tiny_model.make(tmp_path_factory.mktemp("models") / "t", layers=1)
    )


class Engine:
    """Answers in the place of vLLM's engine."""

    def __init__(self, tokenizer, text):
        self._tokens = [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]

    async def generate(self, *_, **__):
        output = SimpleNamespace(token_ids=self._tokens, text="", finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


@pytest.fixture(scope="module")
def prompt_set(tokenizer):
    """Cases → (prompt, label) as OpenRLHF's data set gives them from exported rows."""

    def read(cases):
        rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases]
        rows = [json.loads(json.dumps(row)) for row in rows]
        data = SimpleNamespace(input_key="input", label_key="label", apply_chat_template=True)
        strategy = SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=lambda: False)
        found = PromptDataset(rows, tokenizer, strategy)
        return [found[at][1:3] for at in range(len(found))]

    return read


@pytest.fixture
def rollouts(tokenizer, prompt_set):
    """Answers to the cases with their rewards, by OpenRLHF's agent: many at a time, one a call."""

    def run(executor, cases):
        async def gather():
            return await asyncio.gather(
                *(
                    executor.execute(prompt, label, PARAMETERS, 8192, tokenizer, Engine(tokenizer, case.text))
                    for case, (prompt, label) in zip(cases, prompt_set(cases), strict=True)
                )
            )

        return asyncio.run(gather())

    return run


@pytest.fixture
def from_file(tmp_path, monkeypatch):
    """The module form: an executor that has loaded a user's file."""

    def make(settings=SETTINGS, unanswered="stop"):
        monkeypatch.setenv(VARIABLE, json.dumps(settings.to_mapping()))
        monkeypatch.setenv("UNANSWERED", unanswered)
        return SingleTurnAgentExecutor(str(EXAMPLE / "reward.py"))

    return make


@pytest.fixture
def from_server():
    """The HTTP form: an executor that asks ``rationale-rm serve``; its URL is all that can carry a token."""
    settings = json.dumps({"judge": SETTINGS.judge, **SETTINGS.to_mapping()})
    with RewardServer("--reward", settings, token=TOKEN) as server:
        yield lambda: SingleTurnAgentExecutor(f"http://_:{TOKEN}@127.0.0.1:{server.port}/get_reward")


@pytest.mark.parametrize("form", ["from_file", "from_server"])
def test_the_agent_gets_the_shared_rewards(request, rollouts, cases, rewards, form):
    found = rollouts(request.getfixturevalue(form)(), cases)
    samples = [sample(one) for one in found]
    np.testing.assert_allclose([one.rewards.item() for one in samples], rewards, atol=1e-6)
    np.testing.assert_allclose([one.scores.item() for one in samples], rewards, atol=1e-6)
    whole = expected(cases)
    logs = {name: np.array([one.info[name].item() for one in samples]) for name in FIGURES}
    np.testing.assert_array_equal(logs["outcome"], whole.outcome)
    assert logs["scored_rc"].mean() / logs["scored"].mean() == pytest.approx(
        np.nansum(whole.rc * whole.audit_weight) / whole.audit_weight[~np.isnan(whole.rc)].sum()
    )


def sample(response):
    """What OpenRLHF makes of an agent's answer."""
    return SamplesGenerator._process_response_into_experience(None, response, max_len=8192)


@pytest.fixture(scope="module")
def maker_class():
    """OpenRLHF's `RemoteExperienceMaker`, whose module wants flash-attn to be there."""
    names = ["flash_attn", "flash_attn.bert_padding", "flash_attn.utils", "flash_attn.utils.distributed"]
    modules = {name: types.ModuleType(name) for name in names}
    for function in ("index_first_axis", "pad_input", "rearrange", "unpad_input"):
        setattr(modules["flash_attn.bert_padding"], function, None)
    modules["flash_attn.utils.distributed"].all_gather = None
    modules["flash_attn"].__spec__ = importlib.util.spec_from_loader("flash_attn", None)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
    return RemoteExperienceMaker


def arguments(*more):
    """OpenRLHF's arguments, by the parser of its training script."""
    source = Path(importlib.util.find_spec("openrlhf.cli.train_ppo_ray").origin).read_text("utf-8")
    main = next(node for node in reversed(ast.parse(source).body) if isinstance(node, ast.If))
    last = next(at for at, node in enumerate(main.body) if "parse_args" in ast.unparse(node))
    scope = {"argparse": argparse, "datetime": __import__("datetime").datetime, "os": os}
    exec(compile(ast.Module(main.body[:last], type_ignores=[]), "train_ppo_ray", "exec"), scope)
    return hierarchize(scope["parser"].parse_args([str(one) for one in more]))


def advantages(maker_class, samples, estimator="group_norm"):
    """OpenRLHF's advantages, (n,), of samples in micro batches of 4."""
    args = arguments("--rollout.n_samples_per_prompt", ANSWERS, "--algo.advantage.estimator", estimator)
    args.rollout.micro_batch_size = 4
    tokenizer = SimpleNamespace(pad_token_id=0)
    maker = maker_class(None, None, None, None, SimpleNamespace(value=0.0), SimpleNamespace(args=args), tokenizer)
    parts = maker.split_rollout_samples(samples)
    for part in parts:
        part.kl = torch.zeros(part.action_mask.shape)
    done = maker.compute_advantages_and_returns(parts)
    firsts = [part.action_mask.int().argmax(dim=-1, keepdim=True) for part in done]
    return torch.cat([part.advantages.gather(1, first)[:, 0] for part, first in zip(done, firsts, strict=True)])


@pytest.mark.parametrize("form", ["from_file", "from_server"])
def test_the_advantages_are_those_of_the_groups(request, maker_class, rollouts, cases, rewards, form):
    answers = rollouts(request.getfixturevalue(form)(), cases)
    found = advantages(maker_class, [sample(one) for one in answers])
    grouped = torch.tensor(rewards, dtype=torch.float32).reshape(-1, ANSWERS)
    by_hand = (grouped - grouped.mean(-1, keepdim=True)) / (grouped.std(-1, keepdim=True) + 1e-9)
    torch.testing.assert_close(found, by_hand.reshape(-1), atol=1e-4, rtol=1e-4)


HOPELESS = {"attempts": 1, "max_failure_rate": 1.0, "audit": 0.0, "constrain": False}


@pytest.fixture
def flaky():
    """A judge that never gives a readable answer to a tenth of the questions."""
    with ScriptedServer(hopeless=0.1, seed=2) as server:
        yield RewardSettings(judge=f"openai:m@{server.url}", **HOPELESS)


def test_dropped_answers_are_nan(from_file, rollouts, cases, flaky):
    few = cases[: 8 * ANSWERS]
    whole = expected(few, flaky).reward
    assert 2 < np.isnan(whole).sum() < len(few) // 4
    found = [sample(one) for one in rollouts(from_file(flaky, "drop"), few)]
    np.testing.assert_allclose([one.rewards.item() for one in found], whole, atol=1e-6)
    assert all(one.info.keys() == found[0].info.keys() for one in found)


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def filtered(responses_by_group, options):
    """OpenRLHF's own sampling loop, with groups that are there already."""
    args = arguments("--algo.dynamic_filtering_enable", "--algo.dynamic_filtering_range", *options)
    generator = SamplesGenerator.__new__(SamplesGenerator)
    generator.args = args
    waiting = iter(responses_by_group)
    generator._dispatch_prompts_to_vllm = lambda prompts, *_, **__: [ray.put(next(waiting)) for _ in prompts]
    loader = iter([(None, [f"{at}"], [""], [None]) for at in range(len(responses_by_group))])
    return generator._generate_vllm(loader, len(responses_by_group), True, max_len=8192)[0]


def test_dynamic_filtering_drops_the_groups_without_all_rewards(cluster, from_file, rollouts, cases, flaky):
    few = cases[: 8 * ANSWERS]
    answers = rollouts(from_file(flaky, "drop"), few)
    groups = [answers[at : at + ANSWERS] for at in range(0, len(few), ANSWERS)]
    rewards = expected(few, flaky).reward.reshape(-1, ANSWERS)
    full = ~np.isnan(rewards).any(axis=1)
    assert 0 < full.sum() < len(full)
    kept = filtered(groups, (-1000, 1000))
    found = np.array([one.rewards.item() for one in kept]).reshape(-1, ANSWERS)  # groups in the order of their arrival
    np.testing.assert_allclose(sorted(found.tolist()), sorted(rewards[full].tolist()), atol=1e-6)


@pytest.mark.parametrize(("estimator", "spoilt"), [("group_norm", ANSWERS), ("reinforce_baseline", 2 * ANSWERS)])
def test_without_filtering_nan_spreads(maker_class, from_file, rollouts, cases, estimator, spoilt):
    """Why ``drop`` needs dynamic filtering: the group is lost, and with a batch's normalisation the step."""
    answers = rollouts(from_file(), cases[: 2 * ANSWERS])
    answers[0]["reward"] = answers[0]["scores"] = math.nan
    found = advantages(maker_class, [sample(one) for one in answers], estimator)
    assert found.isnan().sum() == spoilt


@pytest.mark.parametrize("first", [0, 1])
def test_stopping_stops_the_trainer(maker_class, from_file, rollouts, cases, first):
    """An answer without a reward, be it the first of a micro batch or a later one, ends in an exception."""
    answers = rollouts(from_file(), cases[:ANSWERS])
    assert not advantages(maker_class, [sample(one) for one in answers]).isnan().any()
    away = from_file(RewardSettings(judge=AWAY, attempts=1, max_failure_rate=1.0, gate=False, mode="rationale"))
    answers[first] = rollouts(away, cases[:1])[0]
    stopped(maker_class, answers, first)


def stopped(maker_class, answers, at):
    """Checks that the trainer ends because answer `at` has no reward."""
    assert answers[at]["reward"] is None
    assert answers[at]["scores"] is None
    with pytest.raises(AttributeError, match=r"'NoneType' object has no attribute '(to|size)'"):
        advantages(maker_class, [sample(one) for one in answers])


def test_the_server_s_form_stops_where_its_judge_is_down(maker_class, rollouts, from_server, cases, monkeypatch):
    answers = rollouts(from_server(), cases[:ANSWERS])
    assert not advantages(maker_class, [sample(one) for one in answers]).isnan().any()
    settings = json.dumps({"judge": AWAY, "attempts": 1, "gate": False, "mode": "rationale"})
    with RewardServer("--reward", settings, token=TOKEN) as server:
        away = SingleTurnAgentExecutor(f"http://_:{TOKEN}@127.0.0.1:{server.port}/get_reward")
        answers[1] = rollouts(away, cases[1:2])[0]
        assert [line["status"] for line in server.events("request")] == [503] * 5
    stopped(maker_class, answers, 1)


def test_a_text_that_names_a_picture_stays_a_text(prompt_set, cases):
    """In OpenRLHF's data set, whose chat template would get a picture for the tag."""
    case = cases[0]
    named = replace(case, messages=({"role": "user", "content": "before <image> after"},))
    ((prompt, _),) = prompt_set([named])
    assert "before ‹image› after" in prompt


def test_a_file_without_settings_is_refused_when_it_is_loaded(monkeypatch):
    """OpenRLHF loads it in each rollout process, which ends there."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(RationaleError, match=VARIABLE):
        SingleTurnAgentExecutor(str(EXAMPLE / "reward.py"))


def test_an_outage_is_no_reward_in_either_case(cases, caplog):
    """Past the ceiling NaN would only make the filter run through the data."""
    settings = RewardSettings(judge=AWAY, attempts=1, gate=False, mode="rationale")
    reward_func = openrlhf_reward(settings, unanswered="drop")
    label = json.dumps(cases[0].fields)
    found = [reward_func([f"p{case.text}"], ["p"], [label])["rewards"] for case in cases[:4]]
    assert found[0].isnan().all()
    assert found[-1] is None
    assert "more than max_failure_rate" in caplog.text


def test_it_never_raises(cases, caplog):
    reward_func = openrlhf_reward(SETTINGS)
    label = json.dumps(cases[0].fields)
    for query, prompt, wrong in (
        ("p", "p", "{"),
        ("p", "p", '{"label": 1}'),
        ("p", "p", None),
        ("p", None, label),
        ("p", "p", "[" * 100_000),
    ):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            found = reward_func([query], [prompt], [wrong])
        assert found["rewards"] is None
        assert found["scores"] is None
        assert set(found["extra_logs"]) == set(FIGURES)
        assert "no reward, on which OpenRLHF stops" in caplog.text
    found = reward_func(["a prompt and more"], ["another"], [label])
    assert found["rewards"] is None
    assert "an answer has no reward: a query does not begin with its prompt" in caplog.text


def test_a_prompt_s_form_is_not_taken_for_an_answer(cases):
    """The prompt shows the form of an answer, which decides where the model gives none."""
    case = cases[0]
    label = json.dumps(case.fields)
    reward_func = openrlhf_reward(SETTINGS)
    found = reward_func([case.text + "<|im_end|>"], [case.text], [label])
    assert found["rewards"].item() == 0
    assert found["extra_logs"]["malformed"].item() == 1


def test_the_example_s_arguments_are_openrlhf_s(tmp_path):
    fake = tmp_path / "ray"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = [shutil.which("bash"), EXAMPLE / "train_genrm.sh"]
    submitted = subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    at = submitted.index("openrlhf.cli.train_ppo_ray")
    args = arguments(*submitted[at + 1 :])
    assert Path(args.reward.remote_url).samefile(EXAMPLE / "reward.py")
    assert args.algo.dynamic_filtering_enable
    assert args.train.batch_size == args.rollout.batch_size * args.rollout.n_samples_per_prompt // 2
    variables = json.loads(submitted[submitted.index("--runtime-env-json") + 1])["env_vars"]
    assert variables["UNANSWERED"] == "drop"
    settings = RewardSettings.from_mapping(json.loads(Path(variables[VARIABLE]).read_text("utf-8")))
    assert settings.judge.startswith("openai:")
