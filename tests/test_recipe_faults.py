"""Recipes that are wrong: every fault is told with its file, line and key, and what was expected."""

import contextlib
import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.train.recipe import RecipeError, read_recipe
from rationale_rm.train.recipe.document import read_document
from rationale_rm.train.recipe.read import all_keys
from test_recipe import SMALL, write


def told(path, overrides=()):
    """The faults of a recipe as (line, key, text)."""
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, overrides)
    return [(fault.place.line, fault.key, fault.text) for fault in caught.value.faults], str(caught.value)


# The text.

BASE = SMALL.lstrip("\n")  # three lines


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("train: {steps: 6}", 4, "train", "stands twice: first in line 3"),
        ("reward:\n  mode: sum\n  mode: sum", 6, "reward.mode", "stands twice: first in line 5"),
        ("reward:\n\tmode: sum", 5, "", "a tab: indent with spaces"),
        ("reward: {mode: sum", 4, "", "a bracket or quote that begins here is not closed"),
        ("about: a: b", 4, "", "a second colon"),
        ("about: 'mine\n\nseed: 1", 4, "", "a bracket or quote that begins here is not closed"),
        ("reward:\n  mode: sum\nseed 1\nloss: {}", 7, "", "a key without a colon, before this line"),
        ("---\nseed: 1", 5, "", "a second document begins here"),
        ("reward: &r {mode: sum}\nloss: *r", 4, "loss", "an alias (*name): write the value out"),
        ("seed: !!python/object:os.system 1", 4, "seed", "a tag"),
        ("seed: !!int '1'", 4, "seed", "a tag"),
        ("loss: !!omap {a: 1}", 4, "loss", "a tag"),
        ("seed: !mine 1", 4, "seed", "a tag (!mine)"),
        ("1: 2", 4, "", "a key must be a word"),
        ("[1]: 2", 4, "", "a key must be a word"),
        (f"seed: {'[' * 20}{']' * 20}", 4, "seed.0.0.0.0.0.0.0.0", "nested too deeply"),
    ],
)
def test_the_text_is_at_fault(tmp_path, text, line, key, said):
    path = write(tmp_path, f"{BASE}{text}\n")
    ((found_line, found_key, found),), message = told(path)
    assert (found_line, found_key) == (line, key)
    assert found.startswith(said)
    assert message.startswith(f"{path}:{line}: {key}")


def test_thousands_of_brackets_end_in_a_message(tmp_path):
    ((_, _, text),), _ = told(write(tmp_path, "seed: " + "[" * 50_000))
    assert text == "nested too deeply"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "not UTF-8: byte 0"),
        (b"seed: \x00", "special characters are not allowed"),
        (b"- a\n- b\n", "expected sections such as model: and train:, not a list"),
        (b"just words", "not the text 'just words'"),
        (b"# " + b"x" * 1_000_001, "too large for a recipe"),
    ],
)
def test_what_is_no_recipe(tmp_path, content, said):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    _, message = told(path)
    assert str(path) in message
    assert said in message


def test_an_empty_recipe_says_what_is_needed(tmp_path):
    found, _ = told(write(tmp_path, "# nothing yet\n"))
    assert [key for _, key, _ in found] == ["model", "data", "train", "evaluation.every"]


@pytest.mark.parametrize("name", ["nowhere.yaml", "tiny-cp", "."])
def test_a_recipe_that_is_not_there(name):
    with pytest.raises(FileNotFoundError) as caught:
        read_recipe(name)
    assert {"nowhere.yaml": "qwen3-14b", "tiny-cp": "did you mean tiny-cpu?", ".": "is a folder"}[name] in str(
        caught.value
    )


def test_a_base_that_is_not_there(tmp_path):
    ((line, key, text),), _ = told(write(tmp_path, "seed: 1\nextends: qwen3-14\n"))
    assert (line, key) == (2, "extends")
    assert "did you mean qwen3-14b?" in text
    ((line, key, text),), _ = told(write(tmp_path, "extends: [a, b]\n"))
    assert (line, key, text) == (1, "extends", "expected the file or name of a recipe, not a list")


@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>'\"#%@` \n\t0.e\\?~\x00é\ud800"), max_size=40))
def test_no_text_ends_in_anything_but_a_message(text):
    found = None
    with contextlib.suppress(RecipeError):
        found = read_document(text, "a.yaml")
    if found is not None:
        values, places = found
        assert isinstance(values, dict)
        assert all(place.line >= 1 for place in places.values())


# Keys and values.


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("reward: {mod: sum}", "reward.mod", "unknown key; did you mean reward.mode?"),
        ("rewards: {mode: sum}", "rewards", "unknown key; did you mean reward?"),
        ("rollout: {temprature: 1}", "rollout.temprature", "unknown key; did you mean rollout.temperature?"),
        ("loss: {lr: 1}", "loss.lr", "unknown key; did you mean warm_start.lr or optimiser.lr?"),
        ("reward: {clip_lo: 1}", "reward.clip_lo", "unknown key; did you mean loss.clip_low?"),
        ("train: {xyz: 1}", "train.xyz", "unknown key; train has steps, epochs"),
        ("reward: {mode: prodct}", "reward.mode", "expected product, sum, "),
        ("reward: {mode: prodct}", "reward.mode", "not the text 'prodct'; did you mean product?"),
        ("seed: '8'", "seed", "expected a whole number, not the text '8'"),
        ("seed: 1.5", "seed", "expected a whole number, not 1.5"),
        ("seed: true", "seed", "expected a whole number, not true"),
        ("seed:", "seed", "expected a whole number, not nothing (null)"),
        ("optimiser: {lr: fast}", "optimiser.lr", "expected a number, not the text 'fast'"),
        ("optimiser: {lr: .inf}", "optimiser.lr", "expected a finite number, not inf"),
        ("optimiser: {lr: .nan}", "optimiser.lr", "expected a finite number, not nan"),
        ("optimiser: {lr: -1e-4}", "optimiser.lr", "expected more than 0, not -0.0001"),
        ("optimiser: {lr: 2}", "optimiser.lr", "expected at most 1, not 2"),
        ("rollout: {samples: 1}", "rollout.samples", "expected at least 2, not 1"),
        ("model: {lora: {dropout: 1}}", "model.lora.dropout", "expected less than 1, not 1"),
        (
            "model: {gradient_checkpointing: yes}",
            "model.gradient_checkpointing",
            "expected true or false, not the text",
        ),
        ("reward: sum", "reward", "expected a section (keys and values), not the text 'sum'"),
        ("reward: [mode]", "reward", "expected a section (keys and values), not a list"),
        ("reward:", "reward", "expected a section (keys and values), not nothing (null)"),
        ("data: {validation: []}", "data.validation", "expected at least one entry, not an empty list"),
        ("data: {validation: 3}", "data.validation", "expected a list, not 3"),
        ("data: {validation: [a, 3]}", "data.validation.1", "expected a text, not 3"),
        ("output: {trackers: [wandb, tensorbord]}", "output.trackers.1", "did you mean tensorboard?"),
        ("optimiser: {betas: [0.9]}", "optimiser.betas", "entries"),
        ("optimiser: {betas: [0.9, 0.9, 0.9]}", "optimiser.betas", "expected 2 entries"),
        ("output: {folder: ''}", "output.folder", "expected a text that is not empty, not the text ''"),
        ("name: a/b", "name", "expected letters, digits, '.', '-' and '_', not the text 'a/b'"),
        ("model: {template_options: 1}", "model.template_options", "expected a section (keys and values), not 1"),
    ],
)
def test_a_key_or_value_is_at_fault(tmp_path, text, key, said):
    base = {"model": "path: m", "data": "train: [a]\n  hold_out: 1", "train": "steps: 5"}
    section, _, value = text.partition(": ")
    base.pop(section if value.startswith("{") else "", None)
    lines = "\n".join(f"{name}:\n  {inner}" for name, inner in base.items())
    path = write(tmp_path, f"{lines}\n{text}\n")
    found, message = told(path)
    line = len(lines.splitlines()) + 1
    mine = [one for one in found if one[1].startswith(key.rpartition(".")[0] if key[-1].isdigit() else key)]
    assert [(number, name) for number, name, _ in mine] == [(line, key if "betas" not in key else mine[0][1])]
    assert said in mine[0][2]
    assert f"{path}:{line}: {key}" in message


CONTRADICTIONS = {
    "model.path=m|model.scratch={}": "model.scratch",
    "model={}": "model",
    "model={scratch: {}, lora: {}}": "model.lora",
    "model={scratch: {hidden_size: 100, heads: 8}}": "model.scratch.heads",
    "model={scratch: {}, revision: main}": "model.revision",
    "model.max_model_len=100": "model.max_model_len",
    "data={hold_out: 1}": "data",
    "data={train: [a], world: {}}": "data.train",
    "data={world: {}, hold_out: 3}": "data.hold_out",
    "data={world: {vocabulary: 0.2}}": "data.world",
    "data.validation=v.jsonl": "data.hold_out",
    "data.hold_out=0": "evaluation.every",
    "data={world: {validation_pairs: 0}}": "evaluation.every",
    "data={world: {validation_pairs: 10}}|evaluation.pairs=20": "evaluation.pairs",
    "data={world: {test_pairs: 10}}|evaluation.test_pairs=20": "evaluation.test_pairs",
    "warm_start={}": "warm_start.data",
    "data={world: {}}|warm_start={answers_of: m}": "warm_start.answers_of",
    "data={world: {}}|warm_start={steps: 10, warmup_steps: 10}": "warm_start.warmup_steps",
    "model.lora={}|loss.beta=0.1|warm_start={data: a.jsonl}": "loss.beta",
    "reward.judge=oracle": "reward.judge",
    "evaluation.judge=oracle": "evaluation.judge",
    "reward.judge=opnai:m": "reward.judge",
    "evaluation.judge=openai:m@127.0.0.1": "evaluation.judge",
    "reward={judge_samples: 2, judge_temperature: 0}": "reward.judge_temperature",
    "rollout={engine: vllm, vllm: {tensor_parallel_size: 2}}|reward.judge=vllm:m": "rollout.vllm.tensor_parallel_size",
    "rollout={engine: vllm, vllm: {options: {dtype: half}}}": "rollout.vllm.options",
    "rollout={engine: vllm_server}": "rollout.server.url",
    "rollout.server.url=127.0.0.1:8000": "rollout.server.url",
    "rollout.server.url=http://me:word@127.0.0.1:8000/v1": "rollout.server.url",
    "optimiser.mini_batch=500": "optimiser.mini_batch",
    "optimiser.mini_batch=100": "optimiser.mini_batch",
    "optimiser.warmup_steps=5": "optimiser.warmup_steps",
    "optimiser.betas=[0.9, 1.0]": "optimiser.betas",
    "reward={max_length: 10, length_buffer: 11}": "reward.length_buffer",
    "reward.length_buffer=11": "reward.length_buffer",
    "reward.max_length=100000": "reward.max_length",
    "train={}": "train",
}


@pytest.mark.parametrize("settings", CONTRADICTIONS)
def test_settings_that_cannot_hold_together(tmp_path, settings):
    path = write(tmp_path, SMALL)
    read_recipe(path)
    overrides = settings.split("|")
    found, message = told(path, overrides)
    assert [key for _, key, _ in found] == [CONTRADICTIONS[settings]]
    assert message.count("\n") == 0
    assert found[0][2]
    where = [one for one in overrides if found[0][1].startswith(one.partition("=")[0])]
    assert message.startswith(f"--set {where[-1]}: " if where else str(path))


def test_all_faults_are_told_at_once(tmp_path):
    found, message = told(write(tmp_path, f"{SMALL}seed: x\nloss: {{clip_low: 0, clip_hi: 1}}\n"))
    assert {key for _, key, _ in found} == {"seed", "loss.clip_low", "loss.clip_hi"}
    assert len(message.splitlines()) == 3


def test_very_many_faults_are_counted(tmp_path):
    _, message = told(write(tmp_path, SMALL + "".join(f"k{number}: 1\n" for number in range(30))))
    assert message.splitlines()[-1] == "… and 18 more"


# Each key of the schema.

PATHS = [key for key in all_keys() if not key.endswith("options")]


@pytest.mark.parametrize("key", PATHS)
def test_each_setting_refuses_what_it_is_not(tmp_path, key):
    """A section where a value belongs, as an override and in the file."""
    path = write(tmp_path, SMALL)
    found, message = told(path, [f"{key}={{zz: 1}}"])
    assert key in [name for _, name, _ in found]
    assert f"--set {key}={{zz: 1}}: {key}: expected " in message


@pytest.mark.parametrize("key", all_keys())
def test_a_misspelt_setting_is_recognised(tmp_path, key):
    path = write(tmp_path, SMALL)
    section, dot, name = key.rpartition(".")
    wrong = name[:-1] if len(name) > 2 else f"{name}x"
    siblings = [one.rpartition(".")[2] for one in all_keys() if one.rpartition(".")[0] == section]
    if wrong in siblings:  # sample for samples
        return
    _, message = told(path, [f"{section}{dot}{wrong}=1"])
    assert f"{section}{dot}{wrong}: unknown key; did you mean" in message
    near = difflib.get_close_matches(wrong, siblings, 1)
    assert near
    assert f"did you mean {section}{dot}{near[0]}?" in message


# Overrides.


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("reward", "expected KEY=VALUE, such as reward.mode=outcome"),
        ("=1", "expected KEY=VALUE"),
        ("reward..mode=sum", "expected KEY=VALUE"),
        ("train.steps.more=1", "train.steps is 5, which has no key more"),
        ("reward={mode: [}", "not closed"),
        ("seed=\t1", "a tab"),
        ("loss={a: 1, a: 2}", "stands twice"),
        ("nothing.here=1", "nothing: unknown key"),
        ("model.path.x=1", "model.path is the text 'some/model', which has no key x"),
    ],
)
def test_an_override_is_at_fault(tmp_path, override, said):
    _, message = told(write(tmp_path, SMALL), [override])
    assert message.startswith(f"--set {override}: ")
    assert said in message
