"""The reward under verl's own code: its configuration, reward workers (also as Ray actors), data set and advantages.

What needs a GPU is left to its calling code's contract: the rollout engines and the update of weights.
"""

import asyncio
import math
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import rationale_rm
import torch
from critiques import ANSWERS, SETTINGS, expected
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rationale_rm.integrations import verl as adapter
from rationale_rm.integrations.scoring import FIGURES
from rationale_rm.rewards import RewardSettings

from benches import tiny_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ray
    from rationale_rm.integrations.verl_advantages import UnansweredError, grpo_answered
    from verl import DataProto
    from verl.experimental.reward_loop import RewardLoopManager, RewardLoopWorker, migrate_legacy_reward_impl
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, get_adv_estimator_fn
    from verl.trainer.ppo.ray_trainer import compute_advantage
    from verl.utils.config import validate_config
    from verl.utils.dataset.rl_dataset import RLHFDataset

pytestmark = pytest.mark.filterwarnings("ignore")  # verl's, Ray's and Hydra's own
ROOT = Path(__file__).parents[2]
AWAY = "openai:m@http://127.0.0.1:9/v1"
"""A judge that is down: nothing listens at the discard port."""
MODULE = "pkg://rationale_rm.integrations.verl"
KEYS = {"score", *FIGURES}


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny", layers=1)


def config_of(model_path, *overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", [f"actor_rollout_ref.model.path={model_path}", *overrides])


def newer(settings, path=MODULE, name="compute_score"):
    """Overrides in verl's newer layout."""
    kwargs = [f"+reward.custom_reward_function.reward_kwargs.{key}={value}" for key, value in settings.items()]
    return [f"reward.custom_reward_function.path={path}", f"reward.custom_reward_function.name={name}", *kwargs]


def older(settings, path=MODULE):
    """Overrides in verl's older layout."""
    kwargs = [f"+custom_reward_function.reward_kwargs.{key}={value}" for key, value in settings.items()]
    return [f"custom_reward_function.path={path}", "custom_reward_function.name=compute_score", *kwargs]


@pytest.fixture(scope="module")
def batch_of(model_path):
    """Cases → a batch as verl's rollouts make it: padded tokens, and the columns of the exported rows."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)

    def make(cases):
        rows = [adapter.export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases]
        answers = [
            [*tokenizer(case.text, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for case in cases
        ]
        width = max(map(len, answers))
        responses = torch.tensor([tokens + [tokenizer.pad_token_id] * (width - len(tokens)) for tokens in answers])
        mask = torch.tensor([[1] * len(tokens) + [0] * (width - len(tokens)) for tokens in answers])
        prompts = torch.full((len(cases), 4), 7)
        tensors = {
            "prompts": prompts,
            "responses": responses,
            "attention_mask": torch.cat([torch.ones_like(prompts), mask], dim=1),
            "response_mask": mask,
        }
        columns = {name: np.array([row[name] for row in rows], dtype=object) for name in rows[0]}
        columns["uid"] = np.array([case.pair.id for case in cases], dtype=object)
        return DataProto.from_dict(tensors, columns)

    return make


def scored(config, batch):
    worker = RewardLoopWorker(config)
    found = worker.loop.run_until_complete(worker.compute_score_batch(batch))
    worker.loop.close()  # verl leaves that to the end of the process
    asyncio.set_event_loop(None)
    assert {frozenset(one["reward_extra_info"]) for one in found} == {frozenset(KEYS)}
    return found


@pytest.mark.parametrize("manager", ["naive", "dapo", "gdpo"])
@pytest.mark.parametrize("name", ["compute_score", "compute_score_sync"])
def test_reward_managers_give_the_shared_rewards(model_path, batch_of, cases, rewards, manager, name):
    overrides = newer(SETTINGS.to_mapping(), name=name)
    found = scored(config_of(model_path, f"reward.reward_manager.name={manager}", *overrides), batch_of(cases))
    np.testing.assert_allclose([one["reward_score"] for one in found], rewards, atol=1e-12)
    whole = expected(cases)
    known = ~np.isnan(whole.rc)
    weighted = {
        "outcome": whole.outcome,
        "scored": np.where(known, whole.audit_weight, 0),
        "scored_rationale": np.where(known, whole.rationale * whole.audit_weight, 0),
        "scored_rc": np.where(known, whole.rc * whole.audit_weight, 0),
    }
    for column, values in weighted.items():
        shown = [one["reward_extra_info"][column] for one in found]
        np.testing.assert_allclose(shown, values, atol=1e-12, err_msg=column)


@pytest.mark.parametrize("path", [MODULE, adapter.__file__], ids=["module", "file"])
def test_the_older_layout_is_the_same_function(model_path, batch_of, cases, rewards, path):
    few = cases[:ANSWERS]
    config = migrate_legacy_reward_impl(config_of(model_path, *older(SETTINGS.to_mapping(), path)))
    found = scored(config, batch_of(few))
    np.testing.assert_allclose([one["reward_score"] for one in found], rewards[:ANSWERS], atol=1e-12)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A local Ray cluster whose processes are given what `docs/trainers/verl.md` says."""
    paths = [str(ROOT), str(ROOT / "tests"), *rationale_rm.__path__[0].rsplit("/rationale_rm", 1)[:1]]
    variables = {"VERL_USE_EXTERNAL_MODULES": "rationale_rm.integrations.verl_advantages"}
    variables["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": variables})
    yield
    ray.shutdown()


def test_ray_workers_give_the_shared_rewards(cluster, model_path, batch_of, cases, rewards):
    config = config_of(model_path, "reward.num_workers=2", *newer(SETTINGS.to_mapping()))
    batch = batch_of(cases)
    found = RewardLoopManager(config).compute_rm_score(batch)
    np.testing.assert_allclose(found.batch["rm_scores"].sum(-1), rewards, atol=1e-6)
    last = batch.batch["response_mask"].sum(-1) - 1
    np.testing.assert_allclose(found.batch["rm_scores"][torch.arange(len(cases)), last], rewards, atol=1e-6)
    assert set(found.meta_info["reward_extra_keys"]) == KEYS


def test_verl_itself_loads_the_estimator(cluster):
    @ray.remote
    def registered():
        import verl  # noqa: F401  # as its task runner does, before anything else
        from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

        return ADV_ESTIMATOR_REGISTRY["grpo_answered"].__module__

    assert ray.get(registered.remote()) == "rationale_rm.integrations.verl_advantages"


@pytest.fixture(scope="module")
def outage(model_path, batch_of, cases):
    """Two groups under a judge that is down: scores as verl holds them."""
    few = cases[: 2 * ANSWERS]
    settings = {"judge": f"'{AWAY}'", "attempts": 1, "constrain": False, "seed": 3}
    return few, scored(config_of(model_path, *newer(settings)), batch_of(few))


def test_no_answer_is_nan_and_never_raises(outage, cases):
    few, found = outage
    whole = expected(few)
    for one, judged, reward in zip(found, whole.judged, whole.reward, strict=True):
        assert one["reward_extra_info"]["unanswered"] == float(judged)
        # What the gate settles needs no judge: a wrong or malformed answer has its reward, also where it is audited.
        assert math.isnan(one["reward_score"]) == (
            judged and not (reward == 0 and one["reward_extra_info"]["outcome"] == 0)
        )
    assert sum(math.isnan(one["reward_score"]) for one in found) > 8


def tensors(scores, length=5):
    rewards = torch.zeros(len(scores), length)
    rewards[:, -1] = torch.tensor(scores)
    return rewards, torch.ones(len(scores), length)


def test_verl_s_own_grpo_loses_the_group_and_ours_does_not():
    scores = [1.0, 0.0, 0.5, math.nan, 0.25, 0.75, 0.0, 0.5]
    index = np.array(["a"] * 4 + ["b"] * 4, dtype=object)
    rewards, mask = tensors(scores)
    theirs, _ = compute_grpo_outcome_advantage(rewards.clone(), mask, index)
    assert theirs[:4].isnan().all()
    assert not theirs[4:].isnan().any()
    ours, returns = grpo_answered(rewards, mask, index, config={"max_failure_rate": 0.2})
    assert torch.equal(ours, returns)
    torch.testing.assert_close(ours[4:], theirs[4:])
    without, _ = compute_grpo_outcome_advantage(rewards[:3].clone(), mask[:3], index[:3])
    torch.testing.assert_close(ours[:3], without)
    assert (ours[3] == 0).all()


@pytest.mark.parametrize("by_std", [True, False])
def test_full_groups_are_verl_s_grpo(by_std):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(64, generator=generator).tolist()
    index = np.array([f"{number % 9}" for number in range(64)], dtype=object)
    rewards, mask = tensors(scores)
    mask[:, :2] = 0
    theirs, _ = compute_grpo_outcome_advantage(rewards.clone(), mask, index, norm_adv_by_std_in_grpo=by_std)
    ours, _ = grpo_answered(rewards, mask, index, config={"norm_adv_by_std_in_grpo": by_std})
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_trainer_finds_the_estimator_and_its_ceiling(model_path, batch_of, cases):
    """Through verl's `compute_advantage`, under the configuration as Hydra makes it."""
    config = config_of(model_path, "algorithm.adv_estimator=grpo_answered", "+algorithm.max_failure_rate=0.3")
    batch = batch_of(cases[: 2 * ANSWERS])
    rewards = torch.zeros(batch.batch["responses"].shape)
    rewards[:, 0] = torch.linspace(0, 1, len(batch))
    rewards[:4, 0] = math.nan
    batch.batch["token_level_rewards"] = rewards
    done = compute_advantage(batch, adv_estimator=config.algorithm.adv_estimator, config=config.algorithm)
    advantages = done.batch["advantages"]
    assert not advantages.isnan().any()
    assert (advantages[:4] == 0).all()
    assert advantages[4:, 0].abs().min() > 0
    strict = config_of(model_path, "algorithm.adv_estimator=grpo_answered")
    with pytest.raises(UnansweredError, match=r"4 of the 16 answers .* more than max_failure_rate 0.05"):
        compute_advantage(batch, adv_estimator="grpo_answered", config=strict.algorithm)
    assert get_adv_estimator_fn("grpo_answered") is grpo_answered


@pytest.mark.parametrize(("n", "unanswered", "stops"), [(16, 1, False), (16, 2, True), (4, 4, True), (40, 2, False)])
def test_one_unanswered_answer_of_a_small_step_is_no_outage(n, unanswered, stops):
    rewards, mask = tensors([math.nan] * unanswered + [0.5] * (n - unanswered))
    index = np.array(["group"] * n, dtype=object)
    if stops:
        with pytest.raises(UnansweredError, match=f"{unanswered} of the {n} answers"):
            grpo_answered(rewards, mask, index)
    else:
        assert not grpo_answered(rewards, mask, index)[0].isnan().any()


def test_a_judge_that_cannot_be_opened_stops_the_run(model_path, batch_of, cases):
    """What would be an exception in each reward worker is what the estimator raises on."""
    few = cases[: 2 * ANSWERS]
    found = scored(config_of(model_path, *newer({"judge": "lexicall"})), batch_of(few))
    assert all(math.isnan(one["reward_score"]) for one in found)
    rewards, mask = tensors([one["reward_score"] for one in found])
    with pytest.raises(UnansweredError, match="16 of the 16"):
        grpo_answered(rewards, mask, np.array([case.pair.id for case in few], dtype=object))


def test_degenerate_groups_teach_nothing():
    rewards, mask = tensors([math.nan, math.nan, 0.7, 0.5, 0.5])
    index = np.array(["none", "one", "one", "equal", "equal"], dtype=object)
    advantages, _ = grpo_answered(rewards, mask, index, config={"max_failure_rate": 0.5})
    assert (advantages == 0).all()


def test_verl_s_data_set_reads_the_export(model_path, cases, rewards, tmp_path):
    import pyarrow
    import pyarrow.parquet
    import transformers

    firsts = cases[::ANSWERS]
    rows = [adapter.export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in firsts]
    file = tmp_path / "train.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    config = OmegaConf.create({"max_prompt_length": 2048, "cache_dir": str(tmp_path), "filter_overlong_prompts": False})
    data = RLHFDataset(str(file), transformers.AutoTokenizer.from_pretrained(model_path), config)
    assert len(data) == len(firsts)
    for at, case in enumerate(firsts):
        item = data[at]
        assert [dict(message) for message in item["raw_prompt"]] == [dict(message) for message in case.messages]
        score = adapter.compute_score(
            item["data_source"],
            case.text,
            item["reward_model"]["ground_truth"],
            item["extra_info"],
            **SETTINGS.to_mapping(),
        )
        assert asyncio.run(score)["score"] == pytest.approx(rewards[at * ANSWERS], abs=1e-12)


def test_the_example_is_a_configuration_of_verl(model_path, tmp_path):
    """Every key that the script sets exists, and verl's own check takes the result."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    script = ROOT / "examples" / "verl" / "train_genrm.sh"
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODEL": str(model_path)}
    bash = shutil.which("bash")
    run = subprocess.run([bash, script], env=env, capture_output=True, text=True, check=True)
    module, *overrides = run.stdout.split("\n")[1:-1]
    assert module == "verl.trainer.main_ppo"
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides)
    OmegaConf.resolve(config)
    validate_config(config, use_reference_policy=False, use_critic=False)
    assert config.algorithm.adv_estimator == "grpo_answered"
    free = (
        "+data.apply_chat_template_kwargs.",
        "+ray_kwargs.ray_init.runtime_env.env_vars.",
        "+reward.custom_reward_function.reward_kwargs.",
    )
    added = [override for override in overrides if override.startswith("+")]
    assert all(override.startswith(free) for override in added), "verl would not look at another key"
    kwargs = OmegaConf.to_container(config.reward.custom_reward_function.reward_kwargs)
    assert RewardSettings.from_mapping(kwargs).judge.startswith("openai:")
