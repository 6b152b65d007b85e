"""Log-probabilities in tiles against the dense logits: values, gradients, and that no full logits ever exist."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.grpo import token_logprobs
from torch.utils._python_dispatch import TorchDispatchMode


def dense(hidden, weight, targets, bias, temperature):
    """The definition, in float64."""
    logits = torch.nn.functional.linear(hidden.double(), weight.double(), None if bias is None else bias.double())
    log_p = (logits / temperature).log_softmax(-1)
    return log_p.gather(1, targets[:, None]).squeeze(1), -(log_p.exp() * log_p).sum(-1)


def inputs(n, size, width, *, seed=0, dtype=torch.float32, bias=True, spread=1.0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return (torch.randn(*shape, generator=generator) * spread).to(dtype).requires_grad_()

    made = {"hidden": normal(n, width), "weight": normal(size, width), "bias": normal(size) if bias else None}
    return made, torch.randint(0, size, (n,), generator=generator), torch.randn(2, n, generator=generator)


def gradients(tensors):
    found = {name: tensor.grad for name, tensor in tensors.items() if tensor is not None}
    for tensor in tensors.values():
        if tensor is not None:
            tensor.grad = None
    return found


def both(tensors, targets, upstream, temperature, *, entropy=True, **options):
    """Ours, then the definition: values and gradients."""
    found = []
    for call in (
        lambda: token_logprobs(
            tensors["hidden"], tensors["weight"], targets, bias=tensors["bias"], temperature=temperature, **options
        ),
        lambda: dense(tensors["hidden"], tensors["weight"], targets, tensors["bias"], temperature),
    ):
        logprobs, entropies = call()
        loss = (logprobs * upstream[0]).sum() + ((entropies * upstream[1]).sum() if entropy else 0.0)
        loss.backward()
        found.append({"logprobs": logprobs.detach(), "entropy": entropies.detach(), **gradients(tensors)})
    return found


def assert_equal(ours, truth, *, tolerance):
    """Relative to the largest entry: what is left of a cancellation has no digits of its own."""
    assert ours.keys() == truth.keys()
    for name, expected in truth.items():
        assert torch.isfinite(ours[name]).all(), name
        scale = max(1.0, expected.abs().max().item()) if expected.numel() else 1.0
        torch.testing.assert_close(ours[name].double(), expected.double(), rtol=tolerance, atol=tolerance * scale)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 40),
    size=st.integers(1, 300),
    width=st.integers(1, 20),
    chunk=st.integers(1, 310),
    temperature=st.sampled_from([1.0, 0.3, 2.5]),
    bias=st.booleans(),
    entropy=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_shape_is_as_the_dense_logits_say(n, size, width, chunk, temperature, bias, entropy, seed):
    case = inputs(n, size, width, seed=seed, bias=bias)
    assert_equal(*both(*case, temperature, entropy=entropy, chunk=chunk), tolerance=2e-5)


@pytest.mark.parametrize("accumulate", [False, True])
def test_tokens_and_vocabulary_of_many_tiles(accumulate):
    case = inputs(2100, 4500, 6)
    assert_equal(*both(*case, 1.0, accumulate=accumulate), tolerance=2e-5)


def test_large_logits_neither_overflow_nor_lose_their_sum():
    case = inputs(30, 500, 16, spread=12.0)
    ours, truth = both(*case, 1.0, chunk=64)
    assert truth["logprobs"].min() < -1000
    assert_equal(ours, truth, tolerance=2e-5)


def test_bfloat16_is_computed_from_its_values_in_float32():
    case = inputs(300, 4500, 32, dtype=torch.bfloat16, spread=0.5)
    ours, truth = both(*case, 1.0)
    assert ours["hidden"].dtype == ours["weight"].dtype == torch.bfloat16
    values = ("logprobs", "entropy")
    # The inputs are exact in float64, so values differ by float32's rounding alone; gradients are rounded to bfloat16.
    assert_equal({name: ours[name] for name in values}, {name: truth[name] for name in values}, tolerance=2e-5)
    assert_equal(ours, truth, tolerance=2e-2)


def test_a_float32_weight_is_read_as_the_hidden_states_are():
    tensors, targets, upstream = inputs(20, 90, 8)
    hidden = tensors["hidden"].detach().bfloat16().requires_grad_()
    mixed = {**tensors, "hidden": hidden}
    logprobs, _ = token_logprobs(hidden, tensors["weight"], targets, bias=tensors["bias"])
    (logprobs * upstream[0]).sum().backward()
    ours = gradients(mixed)
    assert ours["weight"].dtype == torch.float32
    rounded = tensors["weight"].detach().bfloat16()
    expected, _ = dense(hidden, rounded, targets, tensors["bias"], 1.0)
    torch.testing.assert_close(logprobs.double(), expected, rtol=2e-5, atol=2e-5)


def test_a_frozen_weight_gets_no_gradient():
    (tensors, targets, upstream) = inputs(20, 90, 8)
    truth = both(tensors, targets, upstream, 1.0)[1]["hidden"]
    frozen = {name: tensors[name].detach() for name in ("weight", "bias")}
    logprobs, entropy = token_logprobs(tensors["hidden"], frozen["weight"], targets, bias=frozen["bias"], chunk=32)
    (logprobs * upstream[0] + entropy * upstream[1]).sum().backward()
    torch.testing.assert_close(tensors["hidden"].grad, truth, rtol=2e-5, atol=2e-5)
    assert frozen["weight"].grad is None


def test_a_trained_weight_under_frozen_states():
    tensors, targets, upstream = inputs(20, 90, 8, bias=False)
    truth = both(tensors, targets, upstream, 1.0, entropy=False)[1]["weight"]
    (token_logprobs(tensors["hidden"].detach(), tensors["weight"], targets)[0] * upstream[0]).sum().backward()
    torch.testing.assert_close(tensors["weight"].grad, truth, rtol=2e-5, atol=2e-5)


def test_accumulate_adds_to_the_gradient_that_is_there():
    tensors, targets, upstream = inputs(20, 90, 8)
    weight = tensors["weight"]
    truth = both(tensors, targets, upstream, 1.0, entropy=False)[1]["weight"]
    weight.grad = torch.full_like(weight, 2.0)
    kept = weight.grad
    for _ in range(2):
        logprobs, _ = token_logprobs(tensors["hidden"], weight, targets, bias=tensors["bias"], accumulate=True)
        (logprobs * upstream[0]).sum().backward()
    assert weight.grad is kept
    torch.testing.assert_close(weight.grad, 2 + 2 * truth, rtol=2e-5, atol=2e-5)


def test_accumulate_with_tied_embeddings_gets_both_gradients():
    tensors, targets, _ = inputs(20, 90, 8, bias=False)
    weight = tensors["weight"]
    found = []
    for accumulate in (False, True):
        weight.grad = None
        logprobs, _ = token_logprobs(torch.tanh(weight[targets]), weight, targets.flip(0), accumulate=accumulate)
        logprobs.sum().backward()
        found.append(weight.grad)
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


class Largest(TorchDispatchMode):
    """Remembers the largest storage that any operation gave."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.elements = max(self.elements, size)
        return result


def largest(run):
    with Largest() as seen:
        logprobs, entropy = run()
        (logprobs.sum() + entropy.sum()).backward()
    return seen.elements


def test_no_step_holds_the_logits():
    n, size, width = 1500, 4000, 4
    tensors, targets, _ = inputs(n, size, width)
    logits = n * size
    weight, hidden, bias = tensors["weight"], tensors["hidden"], tensors["bias"]
    # The yardstick sees the dense path's logits.
    assert largest(lambda: dense(hidden, weight, targets, bias, 1.0)) >= logits
    found = largest(lambda: token_logprobs(hidden, weight, targets, bias=bias, chunk=256))
    assert found <= max(1024 * 256, size * width)


def test_the_graph_keeps_nothing_of_the_size_of_the_logits():
    n, size, width = 200, 3000, 4
    tensors, targets, _ = inputs(n, size, width)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        token_logprobs(tensors["hidden"], tensors["weight"], targets)[0].sum()
    assert kept
    assert max(kept) <= size * width < n * size


def test_without_gradients_there_is_no_graph():
    tensors, targets, _ = inputs(8, 30, 4)
    with torch.no_grad():
        logprobs, entropy = token_logprobs(tensors["hidden"], tensors["weight"], targets)
    assert not logprobs.requires_grad
    assert (entropy <= math.log(30) + 1e-6).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": torch.zeros(3, 5)}, "hidden must be"),
        ({"targets": torch.zeros(4, dtype=torch.int64)}, "targets are"),
        ({"targets": torch.tensor([0, 7, 1])}, "targets reach from 0 to 7"),
        ({"targets": torch.tensor([0, -100, 1])}, "targets reach from -100 to 1"),
        ({"bias": torch.zeros(6)}, "bias is"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"chunk": 0}, "chunk is 0"),
        ({"weight": torch.zeros(7, 4, requires_grad=True) * 1, "accumulate": True}, "accumulate needs"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    call = {"hidden": torch.zeros(3, 4), "weight": torch.zeros(7, 4), "targets": torch.zeros(3, dtype=torch.int64)}
    call |= change
    with pytest.raises(RationaleError, match=message):
        token_logprobs(call.pop("hidden"), call.pop("weight"), call.pop("targets"), **call)
