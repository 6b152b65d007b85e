"""Recipes: what is read, what the shipped ones hold, inheritance, overrides, and what a resumed run may change."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import rationale_rm
from rationale_rm.train.recipe import (
    Recipe,
    RecipeError,
    fixed_settings,
    read_recipe,
    recipe_text,
    remarks,
    resume_conflicts,
    resume_digest,
    shipped_recipes,
)
from rationale_rm.train.recipe.explain import as_markdown, as_text, sections
from rationale_rm.train.recipe.read import all_keys

ROOT = Path(__file__).parents[1]
SHIPPED = ("qwen3-14b", "qwen3-14b-outcome", "qwen3-30b-a3b", "qwen3-30b-a3b-outcome", "tiny-cpu", "tiny-cpu-outcome")
SMALL = """
model: {path: some/model}
data: {train: pairs.jsonl, hold_out: 10}
train: {steps: 5}
"""


def write(folder, text, name="mine.yaml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def small(tmp_path):
    return write(tmp_path, SMALL)


def flat(value, above=""):
    """Dotted key → value."""
    for key, below in value.items():
        if isinstance(below, dict) and below:
            yield from flat(below, f"{above}{key}.")
        else:
            yield f"{above}{key}", below


# The shipped recipes.


def test_the_shipped_recipes_are_those_of_the_folder():
    assert tuple(shipped_recipes()) == SHIPPED
    assert set(shipped_recipes().values()) == set((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_reads_by_name_and_by_file_and_survives_being_written(name, tmp_path):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.about
    assert read_recipe(ROOT / "recipes" / f"{name}.yaml") == recipe
    assert read_recipe(write(tmp_path, recipe_text(recipe), "other.yaml")) == recipe
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe


@pytest.mark.parametrize("name", SHIPPED)
def test_an_outcome_twin_differs_in_the_reward_alone(name):
    if name.endswith("-outcome"):
        mine, other = (dict(flat(read_recipe(one).model_dump())) for one in (name, name.removesuffix("-outcome")))
        assert {key for key in mine if mine[key] != other[key]} == {"name", "about", "reward.mode"}
        assert mine["reward.mode"] == "outcome"


@pytest.mark.parametrize("name", ["qwen3-14b", "qwen3-30b-a3b"])
def test_the_papers_settings(name):
    """App. D."""
    recipe = read_recipe(name)
    assert recipe.model.path == {"qwen3-14b": "Qwen/Qwen3-14B", "qwen3-30b-a3b": "Qwen/Qwen3-30B-A3B"}[name]
    assert recipe.optimiser.lr == 2e-6
    assert (recipe.rollout.prompts, recipe.mini_batch, recipe.rollout.samples) == (256, 128, 8)
    assert (recipe.prompt.max_tokens, recipe.rollout.max_tokens) == (8 * 1024, 12 * 1024)
    assert (recipe.loss.clip_low, recipe.loss.clip_high, recipe.loss.ratio) == (2e-4, 2e-4, "sequence")
    assert recipe.train.epochs == 2
    assert recipe.train.steps is None
    assert (recipe.reward.mode, recipe.reward.rationale) == ("product", "ap")
    assert recipe.reward.judge.startswith("openai:Qwen/Qwen3-30B-A3B-Instruct-2507@")
    assert "hub:Qwen/RationaleRM/data/helpsteer3_human_checklist.jsonl" in recipe.data.train
    assert recipe.updates == 2
    assert remarks(recipe) == []


# What is read.


def test_what_is_not_written_is_the_default(small):
    recipe = read_recipe(small)
    assert recipe.name == "mine"
    assert recipe.folder == "runs/mine"
    assert recipe.data.train == ("pairs.jsonl",)
    bare = {
        "name": "mine",
        "model": {"path": "some/model"},
        "data": {"train": ["pairs.jsonl"], "hold_out": 10},
        "train": {"steps": 5},
    }
    assert recipe == Recipe.model_validate(bare)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-4", 1e-4),  # a text to YAML 1.1
        ("1E-4", 1e-4),
        ("2.5e-05", 2.5e-5),
        (".001", 1e-3),
        ("1", 1.0),
        ("+0.5", 0.5),
    ],
)
def test_numbers_are_numbers(small, written, read):
    lr = read_recipe(small, [f"optimiser.lr={written}"]).optimiser.lr
    assert lr == read
    assert type(lr) is float


@pytest.mark.parametrize("word", ["no", "off", "yes", "1:30", "2026-01-01", "08", "0x10"])
def test_words_that_yaml_1_1_takes_for_something_else_are_texts(small, word):
    if word == "08":  # a whole number in YAML 1.2
        return
    assert read_recipe(small, [f"about={word}"]).about == word


def test_a_byte_order_mark_comments_and_windows_line_ends_do_no_harm(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\n" + SMALL.replace("\n", "\r\n").encode())
    assert read_recipe(path).train.steps == 5


def test_what_follows_from_the_settings(small):
    recipe = read_recipe(
        small,
        [
            "rollout={prompts: 12, samples: 3, max_tokens: 100}",
            "prompt.max_tokens=50",
            "optimiser={mini_batch: 4, epochs: 2}",
            "train={steps: null, epochs: 2}",
        ],
    )
    assert (recipe.completions, recipe.updates, recipe.mini_batch, recipe.context) == (36, 6, 4, 150)
    assert recipe.steps(100) == 17  # 200 prompts, 12 a step
    assert recipe.steps(1) == 1
    assert read_recipe(small).steps(10**6) == 5


# Inheritance.


def test_what_a_recipe_does_not_say_stands_in_the_one_it_extends(tmp_path, small):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "extends: mine.yaml\nreward: {mode: sum, weight: 0.25}\noptimiser: {lr: 1e-3}\n", "second.yaml")
    third = write(tmp_path / "sub", "extends: ../second.yaml\nreward:\n  weight: 0.75\ndata:\n  hold_out: 3\n")
    recipe = read_recipe(third)
    assert (recipe.reward.mode, recipe.reward.weight, recipe.optimiser.lr) == ("sum", 0.75, 1e-3)
    assert (recipe.data.train, recipe.data.hold_out, recipe.name) == (("pairs.jsonl",), 3, "mine")


def test_a_shipped_recipe_can_be_extended_by_name(tmp_path):
    path = write(tmp_path, "extends: tiny-cpu\nmodel: {scratch: null, path: x}\nwarm_start: null\n")
    recipe = read_recipe(path)
    assert recipe.model.scratch is None
    assert recipe.warm_start is None
    assert recipe.rollout == read_recipe("tiny-cpu").rollout


def test_a_file_beside_goes_before_a_shipped_recipe_of_the_name(tmp_path):
    write(tmp_path, SMALL, "tiny-cpu")
    assert read_recipe(write(tmp_path, "extends: tiny-cpu")).model.path == "some/model"


def test_a_fault_in_an_inherited_line_names_the_file_of_that_line(tmp_path):
    write(tmp_path, f"{SMALL}seed: -1\noptimiser: {{lr: 5, eps: 0}}\n", "base.yaml")
    path = write(tmp_path, "extends: base.yaml\n\noptimiser:\n  lr: 7\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    found = {fault.key: str(fault.place) for fault in caught.value.faults}
    assert found == {
        "seed": f"{tmp_path / 'base.yaml'}:5",
        "optimiser.eps": f"{tmp_path / 'base.yaml'}:6",
        "optimiser.lr": f"{path}:4",
    }


def test_recipes_that_extend_each_other_are_refused(tmp_path):
    write(tmp_path, "extends: b.yaml\n", "a.yaml")
    write(tmp_path, "extends: a.yaml\n", "b.yaml")
    with pytest.raises(RecipeError, match=r"b\.yaml:1: extends: a\.yaml extends this recipe in turn"):
        read_recipe(tmp_path / "a.yaml")


# Overrides.


def test_overrides_are_typed_and_the_last_one_wins(small):
    recipe = read_recipe(
        small,
        [
            "reward.mode=outcome",
            "data.train=[a.jsonl, 'b c.jsonl']",
            "model.lora.r=4",
            "model.gradient_checkpointing=true",
            "train.steps=7",
            "train.steps=9",
            "output.trackers=tensorboard",
            "about=a = b, c",
        ],
    )
    assert recipe.reward.mode == "outcome"
    assert recipe.data.train == ("a.jsonl", "b c.jsonl")
    assert recipe.model.lora.r == 4
    assert recipe.model.gradient_checkpointing is True
    assert recipe.train.steps == 9
    assert recipe.output.trackers == ("tensorboard",)


# Resuming.

MAY_CHANGE = {
    "name": "other",
    "train.steps": 99,
    "evaluation.every": 3,
    "output.folder": "there",
    "reward.concurrency": 3,
    "reward.judge": "openai:m@http://127.0.0.1:2/v1,http://127.0.0.1:3/v1",
    "optimiser.micro_batch_tokens": 77,
    "rollout.batch_size": 5,
    "devices.processes": 4,
}
MAY_NOT = {
    "seed": 1,
    "optimiser.lr": 1e-3,
    "rollout.samples": 4,
    "reward.mode": "sum",
    "reward.judge": "openai:n@http://127.0.0.1:1/v1",
    "loss.clip_high": 0.3,
    "prompt.style": "brief",
    "evaluation.k": 5,
    "data.train": "[pairs.jsonl, more.jsonl]",
    "model.template_options": "{enable_thinking: false}",
    "warm_start": "{data: a.jsonl}",
}
JUDGED = ["reward.judge=openai:m@http://127.0.0.1:1/v1"]


@pytest.mark.parametrize("key", MAY_CHANGE)
def test_a_resumed_run_may_change(small, key):
    before, after = read_recipe(small, JUDGED), read_recipe(small, [*JUDGED, f"{key}={MAY_CHANGE[key]}"])
    assert before != after
    assert resume_digest(before) == resume_digest(after)
    assert resume_conflicts(after, fixed_settings(before)) == []


@pytest.mark.parametrize("key", MAY_NOT)
def test_a_resumed_run_may_not_change(small, key):
    before, after = read_recipe(small, JUDGED), read_recipe(small, [*JUDGED, f"{key}={MAY_NOT[key]}"])
    assert resume_digest(before) != resume_digest(after)
    conflicts = resume_conflicts(after, json.loads(json.dumps(fixed_settings(before))))
    assert conflicts
    assert all(line.startswith(key) for line in conflicts)


def test_a_conflict_says_both_values(small):
    before, after = read_recipe(small), read_recipe(small, ["optimiser.lr=0.001"])
    assert resume_conflicts(after, fixed_settings(before)) == ["optimiser.lr: 2e-06 in the checkpoint, 0.001 now"]


def test_a_setting_that_a_checkpoint_does_not_know_is_a_conflict(small):
    recipe = read_recipe(small)
    old = fixed_settings(recipe)
    del old["loss.ratio"]
    old["loss.gone"] = 1
    assert resume_conflicts(recipe, old) == [
        "loss.gone: 1 in the checkpoint, not there now",
        'loss.ratio: not there in the checkpoint, "token" now',
    ]


# Remarks.


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["loss.clip_low=2e-4", "loss.clip_high=2e-4"], "loss.clip_high"),
        (["rollout.prompts=8"], "optimiser.mini_batch"),
        (["loss.kl_ratio_correction=true"], "loss.kl_ratio_correction"),
        (["loss.sampler_cap=2"], "loss.sampler_cap"),
        (["reward.weight=0.3"], "reward.weight"),
        (["rollout.vllm.sleep=true"], "rollout.vllm"),
        (["rollout.server.concurrency=8"], "rollout.server"),
        (["evaluation.every=6"], "evaluation.every"),
        (["reward.judge=vllm:m"], "reward.judge"),
        (["prompt.style=brief", "prompt.n_reasons=5"], "prompt.n_reasons"),
    ],
)
def test_what_is_probably_not_meant_is_remarked_on(small, settings, key):
    quiet = ["reward.judge=openai:m@http://127.0.0.1:1/v1", "optimiser.mini_batch=4", "rollout.prompts=8"]
    quiet.append("evaluation.every=5")
    assert remarks(read_recipe(small, quiet)) == []
    if key == "optimiser.mini_batch":
        quiet.remove("optimiser.mini_batch=4")
    assert [line.split(":")[0] for line in remarks(read_recipe(small, [*quiet, *settings]))] == [key]


# Explanations.


def test_every_setting_is_explained():
    said = {one.key: one for section in sections() for one in section.settings}
    assert list(said) == [key for section in sections() for key in [one.key for one in section.settings]]
    assert set(said) == set(all_keys())
    assert all(one.text.endswith(".") or one.text.endswith(")") for one in said.values())
    text = "\n".join(as_text())
    assert all(f"  {key}: " in text for key in said)


def test_the_defaults_shown_are_the_defaults(small):
    """Each is read back as the value that it stands for."""
    plain = dict(flat(read_recipe(small).model_dump(mode="json")))
    for section in sections():
        for one in section.settings:
            if one.key in plain and one.key not in ("name", "model.path", "data.train", "data.hold_out", "train.steps"):
                assert json.loads(one.default) == plain[one.key], one.key


DOCS = ROOT / "docs" / "recipes.md"
TABLES = "### At the top\n"


def test_the_tables_of_the_docs_are_those_of_the_schema():
    """After a change of the schema `python tests/test_recipe.py` writes them anew."""
    assert DOCS.read_text("utf-8").partition(TABLES)[2] == as_markdown().partition(TABLES)[2]


# What it takes.


def test_without_pydantic_or_yaml_the_extra_is_named():
    code = (
        "import sys\n"
        "sys.modules['yaml'] = None\n"
        "try:\n"
        "    import rationale_rm.train.recipe\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'this needs PyYAML: pip install "rationale-rm[train]"'


def test_the_command_line_loads_no_recipe_before_it_is_needed():
    code = "import sys, rationale_rm.cli.main\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pydantic", "yaml", "torch", "rationale_rm.train"}.isdisjoint(done.stdout.split())
    assert "rationale_rm.cli.train" in done.stdout.split()
    assert Path(rationale_rm.__file__).is_relative_to(ROOT)


if __name__ == "__main__":
    DOCS.write_text(DOCS.read_text("utf-8").partition(TABLES)[0] + as_markdown(), "utf-8")
