"""The page to copy: each of its options is a recipe that can be read."""

import argparse
import json

import pytest
from train_genrm import before_and_after, main, recipe_of

DEFAULTS = {
    "model": None,
    "data": None,
    "judge": None,
    "rollout": "transformers",
    "mode": "product",
    "steps": None,
    "hold_out": 200,
    "label_scale": None,
    "set": [],
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
    assert (own.data.hold_out, own.evaluation.pairs) == (200, None)
    assert own.evaluation.judge is None
    assert own.reward.judge == "openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1"
    assert (own.prompt.style, own.rollout.engine, own.reward.mode, own.train.steps) == ("full", "vllm", "sum", 7)
    assert own.output.folder == "runs/null: #1"
    # What a model of two billion parameters needs to fit beside its gradients.
    assert (own.model.dtype, own.model.gradient_checkpointing) == ("bfloat16", True)
    assert own.optimiser.micro_batch_tokens == 8192
    assert own.loss.mask_truncated
    assert (own.evaluation.temperature, own.evaluation.both_orders) == (0.0, True)


def test_settings_of_ones_own_come_last():
    own = recipe(
        model="m", data=["d"], judge="lexical", hold_out=20, label_scale="helpsteer3", set=["optimiser.lr=3e-7"]
    )
    assert (own.data.hold_out, own.evaluation.pairs) == (20, None)
    assert (own.optimiser.lr, own.data.label_scale) == (3e-7, "helpsteer3")


def test_a_model_of_ones_own_is_tried_on_the_world():
    own = recipe(model="Qwen/Qwen3-1.7B")
    assert own.data.world is not None
    assert own.optimiser.lr == 1e-6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "pairs.jsonl"], "--data needs --model, for the tiny one can read the synthetic world alone"),
        (["--data", "pairs.jsonl", "--model", "m"], "and --judge"),
        (["--mode", "products"], "error: --set reward.mode=products: reward.mode: expected"),
        (["--set", "optimiser.lrr=1"], "error: --set optimiser.lrr=1: optimiser.lrr: unknown key"),
        (["--model", "no-such-folder/model", "--output", "nowhere"], "error: cannot read the"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(monkeypatch, tmp_path, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train_genrm.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert said in f"{ended.value.code}{capsys.readouterr().err}"
    assert list(tmp_path.iterdir()) == []


def test_before_and_after_are_of_the_same_pairs(tmp_path):
    """Validation pairs are evaluated more often than test pairs, and before them."""

    def record(step, split, value):
        figure = {"value": value, "low": value - 0.1, "high": value + 0.1}
        return {"phase": "evaluation", "step": step, "split": split, "n_pairs": 7, "oa": figure, "rc": figure}

    records = [record(0, "validation", 0.2), record(0, "test", 0.3), {"phase": "grpo"}, record(4, "validation", 0.4)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    assert [line.partition(":")[0] for line in before_and_after(tmp_path)] == [
        "step    0, 7 validation pairs",
        "step    4, 7 validation pairs",
    ]
    records.append(record(4, "test", 0.5))
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    assert before_and_after(tmp_path) == [
        "step    0, 7 test pairs: OA 0.300 [0.200, 0.400], RC 0.300 [0.200, 0.400]",
        "step    4, 7 test pairs: OA 0.500 [0.400, 0.600], RC 0.500 [0.400, 0.600]",
    ]


@pytest.mark.parametrize("folder", ["null", "1e3", "a, b", json.dumps("quoted")])
def test_the_folder_is_the_one_that_is_named(folder):
    assert recipe(output=folder).output.folder == folder


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_any_number_of_steps_can_be_asked_for(steps):
    few = recipe(steps=steps)
    assert few.train.steps == steps
    assert few.optimiser.warmup_steps <= 10
