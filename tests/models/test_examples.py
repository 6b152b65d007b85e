"""The page to copy: each of its options is a recipe that can be read."""

import argparse
import json

import pytest
from rationale_rm.train.recipe import RecipeError
from train_genrm import recipe_of

DEFAULTS = {
    "model": None,
    "data": None,
    "judge": None,
    "rollout": "transformers",
    "mode": "product",
    "steps": None,
    "output": "runs/genrm",
}


def recipe(**options):
    return recipe_of(argparse.Namespace(**(DEFAULTS | options)))


def test_without_options_it_is_the_tiny_recipe_in_a_folder_of_its_own():
    plain = recipe()
    assert plain.model.scratch is not None
    assert plain.data.world is not None
    assert plain.warm_start is not None
    assert (plain.reward.judge, plain.reward.mode) == ("lexical", "product")
    assert (plain.evaluation.judge, plain.output.folder) == ("oracle", "runs/genrm")


def test_a_model_data_and_a_judge_of_ones_own(tmp_path):
    files = [tmp_path / "pairs: 1.jsonl", tmp_path / "1e3"]
    own = recipe(
        model="Qwen/Qwen3-1.7B",
        data=[str(file) for file in files],
        judge="openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1",
        rollout="vllm",
        mode="sum",
        steps=7,
        output="runs/null: #1",
    )
    assert (own.model.path, own.model.scratch, own.warm_start) == ("Qwen/Qwen3-1.7B", None, None)
    assert list(own.data.train) == [str(file) for file in files]
    assert own.data.world is None
    assert own.data.hold_out >= own.evaluation.pairs
    assert own.evaluation.judge is None
    assert own.reward.judge == "openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1"
    assert (own.prompt.style, own.rollout.engine, own.reward.mode, own.train.steps) == ("full", "vllm", "sum", 7)
    assert own.output.folder == "runs/null: #1"


def test_a_model_of_ones_own_is_tried_on_the_world():
    own = recipe(model="Qwen/Qwen3-1.7B")
    assert own.data.world is not None
    assert own.optimiser.lr == 1e-6


def test_data_without_a_model_that_can_chat_say_what_is_missing():
    with pytest.raises(RecipeError, match=r"warm_start\.data"):
        recipe(data=["pairs.jsonl"])


@pytest.mark.parametrize("folder", ["null", "1e3", "a, b", json.dumps("quoted")])
def test_the_folder_is_the_one_that_is_named(folder):
    assert recipe(output=folder).output.folder == folder


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_any_number_of_steps_can_be_asked_for(steps):
    few = recipe(steps=steps)
    assert few.train.steps == steps
    assert few.optimiser.warmup_steps <= 10
