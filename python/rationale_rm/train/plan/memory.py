"""What a run holds in the memory of each device, part by part, while it samples and while it updates.

Reckoned from the dimensions of the model; `tests/models/test_plan_memory.py` holds the parts against real tensors.
Fragmentation, kernels' workspaces and the CUDA context come on top: leave a tenth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rationale_rm.train.plan.architecture import Architecture

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe

GIB: Final = 1 << 30
FLOAT32: Final = 4
BYTES: Final = {"float32": 4, "bfloat16": 2}
TILE: Final = {False: (1024, 2048), True: (2048, 8192)}
"""Tokens and vocabulary entries whose logits `grpo.token_logprobs` holds at once; on an accelerator more of them."""
LOGIT_COPIES: Final = 2
"""The logits of a tile, and what is made of them."""
ZERO_LIVE: Final = 10**9
"""Weights that ZeRO-3 leaves whole until it needs the room (``stage3_max_live_parameters``)."""
ZERO_BUCKET: Final = 5 * 10**8
"""Numbers in the buffer by which it exchanges gradients (``reduce_bucket_size``)."""
VLLM_OWN: Final = 1.5 * GIB
"""What vLLM takes beside weights and cache: activations of its own, graphs."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the memory of a device, in bytes."""

    name: str
    sampling: int
    """Held while answers are sampled."""
    updating: int
    """Held while the policy is updated."""
    how: str
    """How it was reckoned."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The key–value cache of the sampler on one device."""

    tokens: int
    """Tokens that it holds."""
    answers: int
    """Answers of the longest prompt and completion that it holds at once; 0: not even one."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one device."""

    parts: tuple[Part, ...]
    device: float | None
    """Bytes that a device has; None where that is not known."""
    device_source: str
    cache: Cache | None

    @property
    def sampling(self) -> int:
        """Bytes held while sampling."""
        return sum(part.sampling for part in self.parts)

    @property
    def updating(self) -> int:
        """Bytes held while updating."""
        return sum(part.updating for part in self.parts)

    @property
    def peak(self) -> int:
        """The larger of the two."""
        return max(self.sampling, self.updating)

    @property
    def fits(self) -> bool | None:
        """Whether a device has that much, and its sampler room for an answer; None where it is not known."""
        if self.device is None:
            return None
        return self.peak <= self.device and (self.cache is None or self.cache.answers > 0)


def memory(
    recipe: Recipe, model: Architecture, device: float | None, device_source: str, *, is_accelerator: bool = True
) -> Memory:
    """The parts for one device with `device` bytes, of which vLLM takes its share where that is an accelerator."""
    plan = _Plan(recipe, model, device if is_accelerator else None, is_accelerator)
    return Memory(tuple(plan.parts()), device, device_source, plan.cache())


def activation_bytes(model: Architecture, dtype: str, attention: str | None, context: int) -> int:
    """Bytes that one layer keeps of one token for the backward pass.

    The tensors that autograd saves in transformers' decoder layers: in the type computed in what the projections and
    the attention take, in float32 what the norms do. Attention other than eager keeps no scores.
    """
    hidden, inner = model.hidden_size, model.intermediate_size
    wide, narrow = model.heads * model.head_dim, model.kv_heads * model.head_dim
    mixed = dtype != "float32"
    computed = (5 if mixed else 6) * hidden + (3 if mixed else 4) * (wide + narrow)
    norms = (4 * hidden + wide + narrow) if mixed else 0
    if model.experts:
        computed += model.active_experts * (4 * inner + 2 * hidden) - (hidden if mixed else 0)
    else:
        computed += 4 * inner
    statistics = 2 + 2 * model.heads + model.kv_heads
    scores = 0
    if attention == "eager":
        scores = model.heads * context * (FLOAT32 + (BYTES[dtype] if mixed else 0))
        computed += 2 * (wide - narrow)  # keys and values, repeated for the heads that share them
    return computed * BYTES[dtype] + (norms + statistics) * FLOAT32 + scores


class _Plan:
    def __init__(self, recipe: Recipe, model: Architecture, device: float | None, is_accelerator: bool):
        self.recipe = recipe
        self.model = model
        self.device = device
        self.is_accelerator = is_accelerator
        self.dtype = recipe.model.dtype
        self.width = BYTES[self.dtype]
        self.sharded = recipe.devices.sharding != "none"
        self.shares = recipe.devices.processes if self.sharded else 1
        lora = recipe.model.lora
        self.trained = model.parameters if lora is None else model.lora_parameters(lora.r, lora.target_modules)
        self.frozen = 0 if lora is None else model.parameters

    def parts(self) -> Iterator[Part]:
        yield from self._weights()
        yield from self._states()
        yield from self._update()
        yield from self._sampler()

    def _share(self, size: float) -> int:
        return round(size / self.shares)

    def _over(self) -> str:
        return f", over {self.shares} devices" if self.shares > 1 else ""

    def _weights(self) -> Iterator[Part]:
        zero3 = self.recipe.devices.sharding == "zero3"
        own = self._share(self.trained * FLOAT32)
        yield Part("weights", own, own, f"{_count(self.trained)} × {FLOAT32} bytes{self._over()}")
        if self.frozen:
            kept = self._share(self.frozen * self.width)
            yield Part("frozen weights", kept, kept, f"{_count(self.frozen)} × {self.width} bytes{self._over()}")
        if self.sharded:
            # FSDP2 gathers weights in the type computed in, ZeRO-3 in the one they are held in.
            width = FLOAT32 if zero3 and not self.frozen else self.width
            layer, root = self.model.layer_parameters, self.model.root_parameters
            gathered = (2 * layer + root) * width + max(layer, root) * width
            what = "two layers, embeddings and a gradient, whole"
            if zero3:
                gathered = min(self.model.parameters, ZERO_LIVE) * width + ZERO_BUCKET * FLOAT32
                what = "what DeepSpeed keeps whole for a while, and its buffer for gradients"
            yield Part("gathered layers", 0, gathered, what)
            if self.recipe.rollout.engine == "transformers":
                whole = self.model.parameters * width
                yield Part("weights made whole", whole, 0, f"{_count(self.model.parameters)} × {width} bytes")
        elif self.width < FLOAT32 and not self.frozen:
            copy = self.trained * self.width
            sampling = copy if self.recipe.rollout.engine == "transformers" else 0
            yield Part("weights as computed with", sampling, copy, f"{_count(self.trained)} × {self.width} bytes")

    def _states(self) -> Iterator[Part]:
        share = self._share(self.trained * FLOAT32)
        yield Part("gradients", 0, share, f"{_count(self.trained)} × {FLOAT32} bytes{self._over()}")
        what = f"both moments, {_count(self.trained)} × {2 * FLOAT32} bytes{self._over()}"
        kept = self._share(self.trained * 2 * FLOAT32)
        yield Part("optimiser states", kept, kept, what)
        if self.recipe.loss.beta > 0:
            if self.frozen:
                yield Part("reference policy", 0, 0, "the model without its adapters")
            else:
                size = self.model.parameters * FLOAT32
                yield Part("reference policy", size, size, f"{_count(self.model.parameters)} × {FLOAT32} bytes, whole")

    def _update(self) -> Iterator[Part]:
        answers = -(-self.recipe.mini_batch * self.recipe.rollout.samples // self.recipe.devices.processes)
        longest = self.recipe.context
        tokens = max(longest, min(self.recipe.optimiser.micro_batch_tokens, answers * longest))
        layer = activation_bytes(self.model, self.dtype, self.recipe.model.attention, self.recipe.context)
        if self.recipe.model.gradient_checkpointing:
            kept = self.model.layers * self.model.hidden_size * FLOAT32 + layer
            how = f"{tokens:,} tokens: the input of each layer, and one layer whole"
        else:
            kept = self.model.layers * layer
            how = f"{tokens:,} tokens through {self.model.layers} layers"
        yield Part("activations", 0, tokens * kept, how)
        yield Part("output projection", 0, self._projection(tokens), "tiles of logits, states and gradient")

    def _projection(self, tokens: int) -> int:
        """What `grpo.token_logprobs` holds: a tile of logits twice, the states and their gradient, and, unless it is
        frozen, the gradient of the projection beside the one that it is added to.
        """
        vocabulary, hidden = self.model.vocabulary, self.model.hidden_size
        rows, columns = TILE[self.is_accelerator]
        tiles = min(tokens, rows) * min(vocabulary, columns) * FLOAT32 * LOGIT_COPIES
        cast = self.width if self.width < FLOAT32 else 0
        gradient = 0 if self.frozen else vocabulary * hidden * (FLOAT32 + cast)
        return tiles + tokens * hidden * (self.width + FLOAT32) + gradient

    @property
    def _cache_width(self) -> float:
        """Bytes of the cache a token on one device."""
        parallel = self.recipe.rollout.vllm.tensor_parallel_size if self.recipe.rollout.engine == "vllm" else 1
        return self.model.kv_values * self.width / min(parallel, self.model.kv_heads)

    def _sampler(self) -> Iterator[Part]:
        rollout = self.recipe.rollout
        answers = -(-self.recipe.completions // self.recipe.devices.processes)
        if rollout.engine == "transformers":
            rows = min(rollout.batch_size, answers)
            cache = round(rows * self.recipe.context * self._cache_width)
            yield Part("sampler's cache", cache, 0, f"{rows} answers × {self.recipe.context:,} tokens at the most")
            yield Part(
                "sampler's logits",
                rows * self.model.vocabulary * FLOAT32 * LOGIT_COPIES,
                0,
                f"{rows} answers × {self.model.vocabulary:,} entries",
            )
            return
        if rollout.engine == "vllm_server":
            if self.sharded:
                yield Part("a tensor on its way to vLLM", self._largest_tensor() * FLOAT32, 0, "the largest, gathered")
            return
        weights = round(self.model.parameters * self.width / rollout.vllm.tensor_parallel_size)
        parallel = f", over {rollout.vllm.tensor_parallel_size}" if rollout.vllm.tensor_parallel_size > 1 else ""
        stays = 0 if rollout.vllm.sleep else 1
        yield Part(
            "vLLM's weights",
            weights,
            weights * stays,
            f"{_count(self.model.parameters)} × {self.width} bytes{parallel}",
        )
        if self.device is not None:
            cache = max(0, round(rollout.vllm.gpu_memory_utilization * self.device) - weights)
            how = f"the rest of {rollout.vllm.gpu_memory_utilization:.0%} of the device"
        else:
            rows = min(rollout.vllm.max_num_seqs, answers * rollout.vllm.tensor_parallel_size)
            cache = round(rows * self.recipe.context * self._cache_width)
            how = f"{rows} answers × {self.recipe.context:,} tokens at the most"
        yield Part("vLLM's cache", cache, cache * stays, how)
        if self.sharded:
            largest = self._largest_tensor() * FLOAT32
            yield Part("a tensor on its way to vLLM", largest, 0, "the largest one, gathered")

    def _largest_tensor(self) -> int:
        stacked = self.model.experts * 2 * self.model.hidden_size * self.model.intermediate_size
        return max(self.model.vocabulary * self.model.hidden_size, stacked)

    def cache(self) -> Cache | None:
        """What vLLM's cache holds where its size is known."""
        rollout = self.recipe.rollout
        if rollout.engine != "vllm" or self.device is None:
            return None
        weights = self.model.parameters * self.width / rollout.vllm.tensor_parallel_size
        left = rollout.vllm.gpu_memory_utilization * self.device - weights - VLLM_OWN
        tokens = max(0, int(left / self._cache_width))
        return Cache(tokens, min(tokens // self.recipe.context, rollout.vllm.max_num_seqs))


def _count(number: int) -> str:
    """``14.8B``, ``1.2M``."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)
