"""The reward in TRL's own `GRPOTrainer`, on a tiny model on the CPU; its rollouts are the shared cases."""

import asyncio
import inspect
import json
import math
import pickle
import sys
import warnings

import numpy as np
import pytest
import torch
import transformers
import trl_genrm
from critiques import ANSWERS, PAIRS, SETTINGS, expected
from rationale_rm import RationaleError, group_advantages
from rationale_rm.cli.main import app
from rationale_rm.data.write import pair_record
from rationale_rm.integrations.trl import export_row, trl_pairwise_reward, trl_reward
from rationale_rm.pairwise import Compared, PairwiseReward
from rationale_rm.rewards import JudgeFailureError, RewardSettings
from servers import ScriptedServer
from typer.testing import CliRunner

from benches import tiny_model

with warnings.catch_warnings():
    # It says which versions of vLLM it supports; here it samples with none.
    warnings.filterwarnings("ignore", message="TRL currently supports vLLM", category=UserWarning)
    from datasets import Dataset, load_dataset
    from trl import GRPOConfig, GRPOTrainer
    from trl.trainer.utils import get_callable_name, is_async_callable

CHAT, PLAIN = True, False
AWAY = "openai:m@http://127.0.0.1:9/v1"
"""A judge that is down: nothing listens at the discard port."""
SMALL = 4 * ANSWERS
pytestmark = pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny", layers=1)


@pytest.fixture(scope="module")
def tokenizer(model_path):
    return transformers.AutoTokenizer.from_pretrained(model_path)


@pytest.fixture
def trainer(model_path, tokenizer, tmp_path):
    """Makes a trainer whose rollouts are the texts of some cases, in their order, and nothing else but TRL's own."""

    def make(cases, reward_funcs, *, chat=CHAT, steps=1, **settings):
        texts = [case.text for case in cases]
        asked = iter(range(steps))

        def rollout(prompts, trainer):
            next(asked)
            assert len(prompts) == len(texts)
            if chat:
                prompts = [
                    tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
                    for prompt in prompts
                ]
            ids = [[*tokenizer(text).input_ids, tokenizer.eos_token_id] for text in texts]
            return {
                "prompt_ids": [tokenizer(prompt).input_ids for prompt in prompts],
                "completion_ids": ids,
                "logprobs": [[0.0] * len(tokens) for tokens in ids],
            }

        rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases[::ANSWERS]]
        if not chat:
            rows = [{**row, "prompt": row["prompt"][-1]["content"]} for row in rows]
        return GRPOTrainer(
            model=transformers.AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32),
            reward_funcs=reward_funcs,
            args=GRPOConfig(
                output_dir=str(tmp_path / "out"),
                max_steps=steps,
                per_device_train_batch_size=ANSWERS,
                gradient_accumulation_steps=len(cases) // ANSWERS,
                num_generations=ANSWERS,
                shuffle_dataset=False,
                learning_rate=1e-2,
                weight_decay=0.0,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                dataloader_pin_memory=False,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                **settings,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            rollout_func=rollout,
        )

    return make


def logged(trainer, name):
    return np.array(trainer._logs["rewards"][name], dtype=float)


def advantages(trainer):
    return np.array(trainer._logs["advantages"], dtype=float)


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()]).clone()


@pytest.mark.parametrize(("sync", "chat"), [(False, CHAT), (True, PLAIN)], ids=["async-chat", "sync-plain"])
def test_the_trainer_gets_our_rewards(trainer, cases, rewards, sync, chat):
    made = trainer(cases, trl_reward(SETTINGS, sync=sync), chat=chat)
    before = weights(made)
    made.train()
    name = "rationale_reward" + ("_sync" if sync else "")
    assert len(rewards) == PAIRS * ANSWERS
    np.testing.assert_allclose(logged(made, name), rewards, rtol=1e-6)
    # TRL's normalisation is ours, but for the 1e-4 in its denominator.
    wanted = group_advantages(rewards, np.repeat(np.arange(PAIRS), ANSWERS))
    np.testing.assert_allclose(advantages(made), wanted, atol=2e-3)
    assert not torch.equal(before, weights(made))

    found = made.state.log_history[0]
    batch = expected(cases)
    assert found[f"rewards/{name}/mean"] == pytest.approx(rewards.mean(), rel=1e-5)
    assert found["rationale_rm/outcome"] == pytest.approx(batch.outcome.mean(), rel=1e-5)
    assert found["rationale_rm/malformed"] == pytest.approx((batch.status != 0).mean(), rel=1e-5)
    assert found["rationale_rm/unanswered"] == 0
    # Without an audited answer nothing is known of the RC of those that the gate kept from the judge.
    assert found.get("rationale_rm/rc", math.nan) == pytest.approx(batch.mean_rc, rel=1e-5, nan_ok=True)
    extra = made._logs["extra"]
    assert list(extra["rationale_rm/outcome"]) == batch.outcome.tolist()
    assert {len(column) for column in extra.values()} == {len(cases)}
    assert list(extra["rationale_rm/no_judgement"]) == [None] * len(cases)


def test_it_is_a_coroutine_function_by_every_test_there_has_been():
    for reward in (trl_reward(SETTINGS), pickle.loads(pickle.dumps(trl_reward(SETTINGS)))):
        assert is_async_callable(reward)
        assert inspect.iscoroutinefunction(reward)
        assert asyncio.iscoroutinefunction(reward)  # TRL 0.29
        assert get_callable_name(reward) == reward.__name__ == "rationale_reward"
    sync = pickle.loads(pickle.dumps(trl_reward(SETTINGS, sync=True)))
    assert not is_async_callable(sync)
    assert not inspect.iscoroutinefunction(sync)


def test_a_judge_that_fails_for_some_leaves_them_out(trainer, cases):
    some = cases[:SMALL]
    with ScriptedServer() as server:
        server.configure(hopeless=0.4)
        settings = RewardSettings(judge=f"openai:m@{server.url}", mode="sum", attempts=1, max_failure_rate=1.0)
        wanted = expected(some, settings).reward
        missing = np.isnan(wanted)
        assert 0.1 < missing.mean() < 0.9
        made = trainer(some, trl_reward(settings))
        made.train()
    np.testing.assert_allclose(logged(made, "rationale_sum_reward"), wanted, rtol=1e-6)
    found = advantages(made)
    assert (found[missing] == 0).all()
    # Not as if they were 0: the others are normalised among themselves.
    known = group_advantages(wanted, np.repeat(np.arange(4), ANSWERS))
    as_zero = group_advantages(np.nan_to_num(wanted), np.repeat(np.arange(4), ANSWERS))
    np.testing.assert_allclose(found[~missing], known[~missing], atol=2e-3)
    assert np.abs(found[~missing] - as_zero[~missing]).max() > 0.1
    assert made.state.log_history[0]["rationale_sum/unanswered"] == pytest.approx(missing.mean())
    reasons = list(made._logs["extra"]["rationale_sum/no_judgement"])
    assert [reason is not None for reason in reasons] == missing.tolist()


def test_a_step_without_a_judge_changes_nothing(trainer, cases):
    right = [case for case, outcome in zip(cases, expected(cases).outcome, strict=True) if outcome == 1]
    some = [case for case in right for _ in range(ANSWERS)][:SMALL]
    settings = RewardSettings(judge=AWAY, attempts=1, max_failure_rate=1.0)
    made = trainer(some, trl_reward(settings))
    before = weights(made)
    made.train()
    assert np.isnan(logged(made, "rationale_reward")).all()
    assert (advantages(made) == 0).all()
    assert torch.equal(before, weights(made))
    assert made.state.log_history[0]["rationale_rm/unanswered"] == 1
    assert made.state.log_history[0]["rewards/rationale_reward/mean"] is None


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_an_outage_stops_the_training(trainer, cases, sync):
    made = trainer(cases[:SMALL], trl_reward(RewardSettings(judge=AWAY, attempts=1), sync=sync))
    before = weights(made)
    with pytest.raises(JudgeFailureError, match=r"max_failure_rate 0\.05"):
        made.train()
    assert torch.equal(before, weights(made))


def test_trl_can_normalise_outcome_and_rationale_by_themselves(trainer, cases):
    """Its multi-objective GRPO over two of our functions is our mode ``gdpo_batch``."""
    some = cases[:SMALL]
    functions = [trl_reward(RewardSettings(mode=mode, seed=3)) for mode in ("outcome", "rationale")]
    made = trainer(some, functions, multi_objective_aggregation="normalize_then_sum")
    made.train()
    parts = [expected(some, RewardSettings(mode=mode, seed=3)).reward for mode in ("outcome", "rationale")]
    names = ("outcome_only_reward", "rationale_only_reward")
    for name, part in zip(names, parts, strict=True):
        np.testing.assert_allclose(logged(made, name), part, rtol=1e-6)
    groups = np.repeat(np.arange(4), ANSWERS)
    wanted = group_advantages(np.stack(parts, axis=1), groups, method="gdpo_batch", weights=[1.0, 1.0])
    np.testing.assert_allclose(advantages(made), wanted, atol=5e-3)
    assert "outcome_only/outcome" in made._logs["extra"]
    assert "rationale_only/rc" in made._logs["extra"]


def test_a_pairwise_reward_compares_the_responses_of_each_group(trainer, cases):
    some = cases[:SMALL]

    async def compare(shown):
        return [Compared(verdict=int(np.sign(len(pair.a) - len(pair.b)))) for pair in shown]

    made = trainer(some, trl_pairwise_reward(PairwiseReward(compare, schedule="round_robin", aggregation="mean_win")))
    made.train()
    wanted = []
    for at in range(0, SMALL, ANSWERS):
        texts = [case.text for case in some[at : at + ANSWERS]]
        for text in texts:  # its share of wins over the other texts of its own group
            others = [(np.sign(len(text) - len(other)) + 1) / 2 for other in set(texts) - {text}]
            wanted.append(np.mean(others))
    np.testing.assert_allclose(logged(made, "pairwise_reward"), wanted, rtol=1e-6)
    groups = np.repeat(np.arange(4), ANSWERS)
    np.testing.assert_allclose(advantages(made), group_advantages(np.array(wanted), groups), atol=2e-3)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_what_export_writes_is_scored_alike(cases, tmp_path, suffix):
    source, out = tmp_path / "pairs.jsonl", tmp_path / f"train.{suffix}"
    pairs = [case.pair for case in cases[::ANSWERS]]
    source.write_text("".join(json.dumps(pair_record(pair)) + "\n" for pair in pairs))
    done = CliRunner().invoke(app, ["export", "--for", "trl", str(source), str(out), "--style", "brief", "--seed", "1"])
    assert done.exit_code == 0, done.output
    data = load_dataset("json" if suffix == "jsonl" else "parquet", data_files=str(out), split="train")
    assert data["pair_id"] == [pair.source_id for pair in pairs]
    assert 0 < sum(data["swapped"]) < PAIRS
    texts = [case.text for case in cases[::ANSWERS]]
    columns = {name: list(data[name]) for name in data.column_names if name != "prompt"}
    found = asyncio.run(trl_reward(SETTINGS)(prompts=list(data["prompt"]), completions=texts, **columns))
    wanted = SETTINGS.open()(
        texts,
        references=[pair.references for pair in pairs],
        labels=[pair.label for pair in pairs],
        swapped=columns["swapped"],
    )
    assert found == wanted.reward.tolist()
    assert len(set(found)) > 5


def test_the_example_trains(cases, model_path, tmp_path, monkeypatch):
    data, out = tmp_path / "train.jsonl", tmp_path / "out"
    rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases[::ANSWERS]]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--model", model_path, "--data", data, "--output", out, "--steps", 1, "--answers", 2, "--max-tokens", 8]
    monkeypatch.setattr(sys, "argv", ["trl_genrm.py", *map(str, options), "--cpu"])
    trl_genrm.main()
    assert (out / "model.safetensors").is_file()


def test_lengths_are_those_of_the_tokens(cases):
    settings = RewardSettings(max_length=100, length_buffer=50, mode="outcome")
    columns = {name: [case.fields[name] for case in cases] for name in cases[0].fields}
    ids = [[0] * number for number in range(len(cases))]
    texts = [case.text for case in cases]
    found = trl_reward(settings, sync=True)(completions=texts, completion_ids=ids, **columns)
    plain = trl_reward(RewardSettings(mode="outcome"), sync=True)(completions=texts, **columns)
    off = np.array(found) - np.array(plain)
    assert (off[:50] == 0).all()
    assert (off[101:] == -1).all()
    assert off[75] == pytest.approx(-0.5)


def test_what_it_cannot_do_is_said(cases):
    with pytest.raises(RationaleError, match="mode gdpo makes advantages"):
        trl_reward(RewardSettings(mode="gdpo"))
    with pytest.raises(RationaleError, match="no column `references`"):
        trl_reward(SETTINGS, sync=True)(completions=["x"], label=[1])
    references = [list(cases[0].pair.references)]
    with pytest.raises(RationaleError, match="column `label`"):
        trl_reward(SETTINGS, sync=True)(completions=[cases[0].text], references=references, label=[math.nan])
