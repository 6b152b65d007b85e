"""The reward in ms-swift: its registry, its data loading, its reward and advantage code, and a GRPO run on the CPU."""

import collections
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from critiques import ANSWERS, PAIRS, SETTINGS, expected
from rationale_rm import RationaleError, group_advantages
from rationale_rm.cli.main import app
from rationale_rm.data.write import pair_record
from rationale_rm.integrations.swift import export_row, register
from rationale_rm.rewards import JudgeFailureError, RewardSettings
from servers import ScriptedServer
from swift.dataset import load_dataset
from swift.infer_engine import TransformersEngine
from swift.infer_engine.protocol import ChatCompletionResponse, ChatCompletionResponseChoice, ChatMessage, UsageInfo
from swift.pipelines import rlhf_main
from swift.rewards import orms
from swift.rl_core.advantage import compute_advantages
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import _is_async_reward, compute_rewards_per_func
from typer.testing import CliRunner

from benches import tiny_model

PLUGIN = Path(__file__).parents[2] / "examples" / "swift" / "plugin.py"
AWAY = "openai:m@http://127.0.0.1:9/v1"
NAMES = ("rationale", "rationale_async")
GRPO_CASES = slice(ANSWERS, 4 * ANSWERS)
"""None of them is empty: ms-swift fails where a completion has no token, which no sampler gives it."""
NOISE = pytest.mark.filterwarnings("ignore")  # what ms-swift, TRL and their models say to themselves in a whole run


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """ms-swift's caches in a folder of the test, its registry as it was, no network."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("USE_HF", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("NPROC_PER_NODE", "1")
    before = dict(orms)
    yield
    orms.clear()
    orms.update(before)


def functions(settings, args=None):
    register(settings)
    return [orms[name](args=args) for name in NAMES]


def samples(cases):
    """What a rollout leaves: the row of the data set with the answer as its last message."""
    made = []
    for number, case in enumerate(cases):
        row = export_row(case.pair, swapped=case.swapped, messages=case.messages)
        sample = GRPOSample.from_row(row)
        sample.messages.append({"role": "assistant", "content": case.text})
        sample.prompt_id = f"prompt_{number // ANSWERS}"
        made.append(sample)
    return made


def scored(cases, reward_funcs):
    found = compute_rewards_per_func(samples(cases), reward_funcs, [None] * len(reward_funcs), torch.device("cpu"))
    return found.double()


def test_swift_gets_our_rewards_by_both_functions(cases, rewards):
    both = functions(SETTINGS)
    assert [_is_async_reward(function) for function in both] == [False, True]
    for _ in range(2):  # each call of the second has an event loop of its own
        found = scored(cases, both)
        assert found.shape == (PAIRS * ANSWERS, 2)
        for column in found.T:
            np.testing.assert_allclose(column.numpy(), rewards, rtol=1e-6)


def test_connections_to_a_judge_outlive_the_loop_of_a_step(cases):
    some = cases[: 4 * ANSWERS]
    with ScriptedServer() as server:
        settings = RewardSettings(judge=f"openai:m@{server.url}", seed=3)
        wanted = expected(some, settings).reward
        both = functions(settings)
        for _ in range(3):
            np.testing.assert_allclose(scored(some, both).numpy(), np.stack([wanted, wanted], axis=1), rtol=1e-6)


@pytest.fixture
def exported(cases, tmp_path):
    source, out = tmp_path / "pairs.jsonl", tmp_path / "train.jsonl"
    source.write_text("".join(json.dumps(pair_record(case.pair)) + "\n" for case in cases[::ANSWERS]))
    done = CliRunner().invoke(
        app, ["export", "--for", "swift", str(source), str(out), "--style", "brief", "--seed", "1"]
    )
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize("streaming", [False, True])
def test_the_columns_survive_swifts_loading(cases, exported, streaming):
    """`label` is one of the names that ms-swift has a use of its own for."""
    written = [json.loads(line) for line in exported.read_text().splitlines()]
    data, _ = load_dataset(
        [str(exported)], split_dataset_ratio=0, remove_unused_columns=False, strict=True, streaming=streaming
    )
    loaded = list(data)
    assert [{name: row[name] for name in written[0]} for row in loaded] == written
    assert {row["label"] for row in written} == {-2, -1, 1, 2}

    texts = [case.text for case in cases[::ANSWERS]]
    rolled = []
    for row, text in zip(loaded, texts, strict=True):
        sample = GRPOSample.from_row(row)
        sample.messages.append({"role": "assistant", "content": text})
        rolled.append(sample)
    found = compute_rewards_per_func(rolled, functions(SETTINGS), [None, None], torch.device("cpu"))
    wanted = SETTINGS.open()(
        texts,
        references=[row["references"] for row in written],
        labels=[row["label"] for row in written],
        swapped=[row["swapped"] for row in written],
    ).reward
    assert len(set(wanted)) > 5
    np.testing.assert_allclose(found.numpy(), np.stack([wanted, wanted], axis=1), rtol=1e-6)


@pytest.fixture(scope="module")
def outage(cases):
    """Some answers, a judge that fails for part of them for good, and the rewards that are known."""
    some = cases[: 6 * ANSWERS]
    with ScriptedServer() as server:
        server.configure(hopeless=0.4)
        settings = RewardSettings(judge=f"openai:m@{server.url}", mode="sum", attempts=1, max_failure_rate=1.0)
        wanted = expected(some, settings).reward
        missing = np.isnan(wanted)
        assert 0.1 < missing.mean() < 0.9
        yield some, settings, wanted


ESTIMATORS = [(how, scale) for how in ("grpo", "rloo", "reinforce_plus_plus") for scale in ("group", "batch", "none")]


@pytest.mark.parametrize(("estimator", "scale"), [*ESTIMATORS, ("grpo", "gdpo")])
def test_what_no_judge_answered_gets_no_advantage(outage, estimator, scale):
    some, settings, wanted = outage
    missing = np.isnan(wanted)
    args = type("Args", (), {"scale_rewards": scale})()
    found = scored(some, functions(settings, args)[:1])
    advantages, _ = compute_advantages(found, torch.ones(1), ANSWERS, estimator, scale)
    np.testing.assert_allclose(advantages.numpy()[missing], 0, atol=1e-5)
    assert np.abs(advantages.numpy()[~missing]).max() > 0.1
    np.testing.assert_allclose(found.numpy()[~missing, 0], wanted[~missing], rtol=1e-6)
    if (estimator, scale) == ("grpo", "none"):  # the others are compared among themselves
        groups = np.repeat(np.arange(6), ANSWERS)
        known = group_advantages(wanted, groups, method="center")
        several = ~missing & np.isin(groups, [group for group in range(6) if (~missing[groups == group]).sum() > 1])
        np.testing.assert_allclose(advantages.numpy()[several], known[several], atol=1e-5)
        assert several.sum() > ANSWERS


def test_none_alone_would_be_a_reward_of_zero(outage):
    """Why `integrations.swift.rewards` does not leave it at None: should this fail, ms-swift has learnt to heed it."""
    _, _, wanted = outage
    advantages, rewards = compute_advantages(torch.tensor(wanted)[:, None], torch.ones(1), ANSWERS)
    missing = np.isnan(wanted)
    assert (rewards.numpy()[missing] == 0).all()
    assert np.abs(advantages.numpy()[missing]).max() > 0.1


def test_a_group_without_any_judgement_gets_no_advantage(cases):
    right = [case for case, outcome in zip(cases, expected(cases).outcome, strict=True) if outcome == 1][:ANSWERS]
    settings = RewardSettings(judge=AWAY, attempts=1, max_failure_rate=1.0)
    found = scored(right, functions(settings))
    assert torch.isnan(found).all()
    advantages, _ = compute_advantages(found, torch.ones(2), ANSWERS)
    assert (advantages == 0).all()


@pytest.fixture
def grpo(monkeypatch, tmp_path, cases):
    """Runs ``swift rlhf --rlhf_type grpo`` on a tiny model whose answers are those of the cases."""
    some = cases[GRPO_CASES]
    data = tmp_path / "train.jsonl"
    rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in some[::ANSWERS]]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = collections.defaultdict(list)
    for case in some:
        texts[case.messages[-1]["content"]].append(case.text)

    def infer(engine, requests, *_, **__):
        answers = {prompt: iter(of_prompt) for prompt, of_prompt in texts.items()}
        responses = []
        for request in requests:
            text = next(answers[request.messages[-1]["content"]])
            choice = ChatCompletionResponseChoice(0, ChatMessage("assistant", text), "stop")
            responses.append(ChatCompletionResponse("tiny", [choice], UsageInfo(0, 0, 0)))
        return responses

    monkeypatch.setattr(TransformersEngine, "infer", infer)

    def run(settings):
        monkeypatch.setenv("RATIONALE_RM_REWARD", json.dumps(settings))
        plugin = shutil.copy(PLUGIN, tmp_path / "plugin.py")  # a file is a plugin once in a process
        model = tiny_model.make(tmp_path / "model", layers=1)
        return rlhf_main(
            [
                *("--rlhf_type", "grpo", "--model", str(model), "--model_type", "qwen3", "--template", "qwen3"),
                *("--tuner_type", "full", "--torch_dtype", "float32", "--use_cpu", "true", "--bf16", "false"),
                *("--dataset", str(data), "--split_dataset_ratio", "0", "--load_from_cache_file", "false"),
                *("--external_plugins", str(plugin), "--reward_funcs", *NAMES),
                *("--num_generations", str(ANSWERS), "--per_device_train_batch_size", str(ANSWERS)),
                *("--gradient_accumulation_steps", "3", "--max_steps", "1", "--beta", "0"),
                *("--max_completion_length", "1024", "--logging_steps", "1", "--save_strategy", "no"),
                *("--eval_strategy", "no", "--report_to", "none", "--gradient_checkpointing", "false"),
                *("--attn_impl", "eager", "--output_dir", str(tmp_path / "out"), "--dataloader_num_workers", "0"),
            ]
        )

    return run


@NOISE
def test_a_grpo_run_logs_our_rewards(grpo, rewards):
    first = grpo(SETTINGS.to_mapping())["log_history"][0]
    wanted = rewards[GRPO_CASES].mean()
    assert wanted > 0.1
    assert first["rewards/RationaleORM/mean"] == pytest.approx(wanted, rel=1e-5)
    assert first["rewards/AsyncRationaleORM/mean"] == pytest.approx(wanted, rel=1e-5)
    assert first["reward"] == pytest.approx(2 * wanted, rel=1e-5)
    assert first["grad_norm"] > 0


@NOISE
def test_an_outage_stops_a_grpo_run(grpo):
    with pytest.raises(JudgeFailureError, match="max_failure_rate"):
        grpo({"judge": AWAY, "attempts": 1})


def test_bad_settings_are_said_when_the_plugin_is_loaded(monkeypatch):
    monkeypatch.setenv("RATIONALE_RM_REWARD", '{"mode": "papo"}')
    with pytest.raises(RationaleError, match="mode papo makes advantages"):
        register()
    assert not set(NAMES) & orms.keys()
