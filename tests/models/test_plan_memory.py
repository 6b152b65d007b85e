"""The parts of a plan's memory against real tensors: what is planned is what is there."""

import pytest
import torch
import transformers
from rationale_rm.train import policy
from rationale_rm.train.plan import architecture, make_plan
from rationale_rm.train.plan.memory import GIB, Part, activation_bytes, memory
from rationale_rm.train.recipe import read_recipe

SIZES = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "pad_token_id": None,
}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
TOKENS = 256


@pytest.fixture(scope="module", params=["qwen3", "qwen3_moe"])
def folder(request, tmp_path_factory):
    settings = transformers.AutoConfig.for_model(
        request.param, **SIZES, **(EXPERTS if request.param == "qwen3_moe" else {})
    )
    path = tmp_path_factory.mktemp("plan") / request.param
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(settings).save_pretrained(path)
    return path


RECIPE = """
data: {world: {}}
prompt: {max_tokens: 200}
rollout: {prompts: 8, samples: 2, max_tokens: 56}
train: {steps: 1}
"""


def recipe_of(folder, *settings):
    path = folder.parent / "recipe.yaml"
    path.write_text(RECIPE, "utf-8")
    return read_recipe(path, [f"model.path={folder}", *settings])


def planned(recipe, name):
    found = memory(recipe, architecture(recipe), 8.0 * GIB, "test", is_accelerator=False)
    return next((part for part in found.parts if part.name == name), Part(name, 0, 0, ""))


def size(tensors):
    """Bytes of the storages of tensors, each once."""
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())


@pytest.mark.parametrize("settings", [[], ["model.dtype=bfloat16"], ["model.lora={r: 4}", "model.dtype=bfloat16"]])
@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning")  # peft, of fused experts
def test_weights_gradients_and_optimiser_states(folder, settings):
    """One real update of the policy that training loads."""
    recipe = recipe_of(folder, *settings)
    trainee = policy.load(str(folder), recipe)
    optimiser = torch.optim.AdamW([one for one in trainee.parameters() if one.requires_grad], lr=1e-3)
    ids = torch.randint(0, SIZES["vocab_size"], (2, 8))
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.model.dtype == "bfloat16"):
        trainee(input_ids=ids, labels=ids).loss.backward()
    weights = [one for one in trainee.parameters() if one.requires_grad]
    assert size(weights) == planned(recipe, "weights").updating
    frozen = [one for one in trainee.parameters() if not one.requires_grad]
    assert size(frozen) == planned(recipe, "frozen weights").updating
    optimiser.step()
    states = [value for state in optimiser.state.values() for value in state.values() if value.dim()]
    assert size(states) == pytest.approx(planned(recipe, "optimiser states").updating, rel=1e-3)
    # Experts that no token went to may have none.
    assert size([one.grad for one in weights if one.grad is not None]) <= planned(recipe, "gradients").updating
    if architecture(recipe).experts == 0:
        assert size([one.grad for one in weights]) == planned(recipe, "gradients").updating


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_activations_are_what_autograd_keeps(folder, dtype, attention):
    recipe = recipe_of(folder, f"model.dtype={dtype}", f"model.attention={attention}")
    module = policy.load(str(folder), recipe)
    found = kept_for_backward(module, dtype == "bfloat16")
    model = architecture(recipe)
    expected = model.layers * activation_bytes(model, dtype, attention, TOKENS) * TOKENS
    # Beside the layers: the last norm, rotary tables, ids. On a CPU autocast leaves experts in float32.
    beside = TOKENS * (2 * model.hidden_size * 4 + 4 * model.head_dim * 4 + 64)
    if model.experts and dtype == "bfloat16":
        assert expected <= found <= 1.35 * expected
    else:
        assert found - beside == pytest.approx(expected, rel=0.04)


def test_checkpointing_keeps_the_input_of_each_layer(folder):
    recipe = recipe_of(folder, "model.gradient_checkpointing=true")
    model = architecture(recipe)
    found = kept_for_backward(policy.load(str(folder), recipe), False)
    inputs = TOKENS * model.layers * model.hidden_size * 4
    assert inputs <= found <= inputs + TOKENS * (2 * model.hidden_size * 4 + 8 * model.head_dim * 4)
    one_layer = TOKENS * activation_bytes(model, "float32", None, TOKENS)
    wanted = recipe_of(folder, "model.gradient_checkpointing=true", "optimiser.micro_batch_tokens=256")
    assert planned(wanted, "activations").updating == inputs + one_layer


def kept_for_backward(module, bfloat16):
    """Bytes of the storages that autograd saves in a forward pass of the decoder, weights and copies of them apart."""
    weights = {one.untyped_storage().data_ptr() for one in module.parameters()}
    shapes = {shape for one in module.parameters() for shape in (tuple(one.shape), tuple(one.shape[::-1]))}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        copy = tensor.dtype == torch.bfloat16 and tuple(tensor.shape) in shapes
        if storage.data_ptr() not in weights and not copy:
            saved[storage.data_ptr()] = tensor
        return tensor

    ids = torch.randint(0, SIZES["vocab_size"], (1, TOKENS))
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
    ):
        states = module.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    assert states.requires_grad
    return size(saved.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_samplers_cache_is_as_large_as_a_real_one(folder, dtype):
    recipe = recipe_of(folder, f"model.dtype={dtype}", "rollout.batch_size=4")
    module = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    with torch.no_grad():
        cache = module(input_ids=torch.zeros((4, recipe.context), dtype=torch.int64), use_cache=True).past_key_values
    held = size([one for layer in cache.layers for one in (layer.keys, layer.values)])
    assert planned(recipe, "sampler's cache").sampling == held


def test_a_checkpoint_is_as_large_as_planned(folder, tmp_path):
    recipe = recipe_of(folder)
    plan = make_plan(recipe, look=False)
    module = policy.load(str(folder), recipe)
    module.save_pretrained(tmp_path / "m")
    written = sum(path.stat().st_size for path in (tmp_path / "m").glob("*.safetensors"))
    assert 3 * written == pytest.approx(plan.checkpoint, rel=0.1)  # small files are a good part header
