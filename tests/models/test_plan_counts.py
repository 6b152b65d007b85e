"""The parameter counts of a plan against real models, and the launch configurations against accelerate itself."""

import random
from pathlib import Path

import pytest
import torch
import transformers
from accelerate import DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType
from peft import LoraConfig, get_peft_model
from rationale_rm.grpo import logprobs
from rationale_rm.train import scratch
from rationale_rm.train.plan import architecture, memory
from rationale_rm.train.plan.architecture import from_config, known
from rationale_rm.train.recipe import read_recipe
from rationale_rm.train.zero import check_settings
from torch.distributed.fsdp import CPUOffloadPolicy

LAUNCH = Path(__file__).parents[2] / "recipes" / "accelerate"
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "qwen3_moe")


def config(family, seed):
    """A config of random small dimensions."""
    draw = random.Random(seed)
    kv_heads = draw.choice((1, 2, 3))
    settings = {
        "vocab_size": draw.randint(50, 300),
        "hidden_size": 2 * draw.randint(8, 40),
        "intermediate_size": draw.randint(16, 90),
        "num_hidden_layers": draw.randint(1, 4),
        "num_attention_heads": kv_heads * draw.choice((1, 2, 4)),
        "num_key_value_heads": kv_heads,
        "head_dim": 2 * draw.randint(2, 8),
        "tie_word_embeddings": draw.random() < 0.5,
        "pad_token_id": None,
    }
    if family in ("qwen2", "llama", "mistral"):
        settings["head_dim"] = draw.choice((4, 8))
        settings["hidden_size"] = settings["head_dim"] * settings["num_attention_heads"]
    if family == "qwen3_moe":
        settings |= {"num_experts": draw.randint(2, 9), "num_experts_per_tok": 2}
        settings["moe_intermediate_size"] = draw.randint(8, 40)
    return transformers.AutoConfig.for_model(family, **settings)


def model(settings):
    """The model without its weights."""
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(settings)


def parameters(module, trained=False):
    return sum(one.numel() for one in module.parameters() if one.requires_grad or not trained)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_parameters_are_those_of_the_model(family, seed):
    settings = config(family, seed)
    found = from_config(settings.to_dict(), family, "")
    assert found.exact
    assert found.parameters == parameters(model(settings))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_file_is_read_as_transformers_reads_it(family, tmp_path):
    settings = config(family, 1)
    settings.save_pretrained(tmp_path)
    recipe = read_recipe("tiny-cpu", ["model.scratch=null", f"model.path={tmp_path}"])
    found = architecture(recipe)
    assert (found.parameters, found.context) == (parameters(model(settings)), settings.max_position_embeddings)
    base = model(settings).model
    cut = len(base.layers)
    assert found.layers == cut


@pytest.mark.parametrize("name", ["Qwen/Qwen3-14B", "Qwen/Qwen3-30B-A3B"])
def test_the_published_models_are_as_large_as_transformers_makes_them(name):
    published = dict(known("models")[name])
    settings = transformers.AutoConfig.for_model(published.pop("model_type"), **published)
    assert from_config(known("models")[name], name, "").parameters == parameters(model(settings))


@pytest.mark.parametrize("family", ["qwen3", "qwen3_moe"])
@pytest.mark.parametrize(
    "modules", [("all-linear",), ("q_proj", "v_proj"), ("o_proj", "down_proj"), ("gate_proj", "up_proj", "down_proj")]
)
@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning")  # peft, of fused experts
def test_adapters_are_as_large_as_peft_makes_them(family, modules):
    settings = config(family, 2)
    found = from_config(settings.to_dict(), family, "")
    wanted = "all-linear" if modules == ("all-linear",) else list(modules)
    adapted = get_peft_model(model(settings), LoraConfig(r=3, target_modules=wanted, task_type="CAUSAL_LM"))
    assert found.lora_parameters(3, modules) == parameters(adapted, trained=True)


def test_a_model_from_scratch_is_as_large_as_planned(tmp_path):
    recipe = read_recipe(
        "tiny-cpu", ["model.scratch={vocabulary: 400, layers: 2, hidden_size: 32, intermediate_size: 48}"]
    )
    section = recipe.model.scratch
    texts = [f"word{number} {number * 7919} other{number % 13}" for number in range(400)]
    folder = scratch.make(
        tmp_path / "m",
        texts,
        hidden_size=section.hidden_size,
        layers=section.layers,
        heads=section.heads,
        intermediate_size=section.intermediate_size,
        vocabulary=section.vocabulary,
    )
    made = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert made.config.vocab_size == section.vocabulary
    assert architecture(recipe).parameters == parameters(made)


def test_the_tiles_are_those_of_the_log_probabilities():
    assert {False: logprobs.TILE["cpu"], True: logprobs.LARGE_TILE} == memory.TILE


# The launch configurations.


@pytest.mark.parametrize(
    ("name", "kind", "sharding"),
    [
        ("fsdp2", DistributedType.FSDP, "fsdp2"),
        ("zero3", DistributedType.DEEPSPEED, "zero3"),
        ("cpu", DistributedType.MULTI_CPU, "none"),
    ],
)
def test_accelerate_reads_the_launch_configurations(name, kind, sharding):
    """Unknown keys are refused by accelerate's class."""
    found = load_config_from_file(str(LAUNCH / f"{name}.yaml"))
    assert found.distributed_type == kind
    assert found.num_processes == (2 if name == "cpu" else read_recipe("qwen3-14b").devices.processes)
    assert read_recipe("tiny-cpu", [f"devices.sharding={sharding}"]).devices.sharding == sharding


def test_the_fsdp_settings_make_accelerates_plugin():
    settings = load_config_from_file(str(LAUNCH / "fsdp2.yaml")).fsdp_config
    renamed = {
        "auto_wrap_policy": settings.pop("fsdp_auto_wrap_policy"),
        "cpu_offload": settings.pop("fsdp_offload_params"),
    }
    own = {key.removeprefix("fsdp_"): value for key, value in settings.items()}
    own["fsdp_version"] = own.pop("version")
    plugin = FullyShardedDataParallelPlugin(**own, **renamed)
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert not isinstance(plugin.cpu_offload, CPUOffloadPolicy)


def test_the_deepspeed_settings_make_accelerates_plugin():
    settings = load_config_from_file(str(LAUNCH / "zero3.yaml")).deepspeed_config
    renamed = {"zero3_save_16bit_model": settings.pop("zero3_save_16bit_model")}
    plugin = DeepSpeedPlugin(**settings, **renamed)
    assert plugin.zero_stage == 3
    assert plugin.zero3_init_flag is False
    plugin.set_mixed_precision(load_config_from_file(str(LAUNCH / "zero3.yaml")).mixed_precision)
    check_settings(plugin.deepspeed_config)
