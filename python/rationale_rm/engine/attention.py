"""Attention of a single new token, without a copy of the cache for each head or each answer that shares it."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from rationale_rm.engine.kv_cache import GroupedCache

_NAME = "rationale_rm_grouped"
# What transformers' own function heeds besides the arguments of `grouped_attention`. One new token is never causal.
_HEEDED = set(inspect.signature(sdpa_attention_forward).parameters) - {"is_causal", "kwargs"}


class _Run(threading.local):
    """The cache that is decoded with in this thread, and the layers that have looked at its shared part."""

    cache: GroupedCache | None = None
    seen: set[int] | None = None


_run = _Run()


@contextlib.contextmanager
def grouped(module: Any, cache: GroupedCache) -> Iterator[bool]:
    """Lets the parts of `module` that use torch's scaled dot products use `grouped_attention`; then takes it back.

    Yields whether the language model is such a part.
    """
    parts = module.modules() if module._supports_attention_backend else ()
    configs = {id(part.config): part.config for part in parts if hasattr(part, "config")}
    changed = [config for config in configs.values() if getattr(config, "_attn_implementation", None) == "sdpa"]
    try:
        _run.cache, _run.seen = cache, set()
        for config in changed:
            config._attn_implementation = _NAME
        yield any(config is module.config.get_text_config(decoder=True) for config in changed)
    finally:
        _run.cache, _run.seen = None, None
        for config in changed:
            config._attn_implementation = "sdpa"


def all_layers_seen() -> bool:
    """Whether every layer of the run's cache was looked at with its shared part, so that sharing is safe."""
    assert _run.cache is not None
    assert _run.seen is not None
    return len(_run.seen) == len(_run.cache.layers)


def grouped_attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """An attention function of transformers: queries [rows, heads, new, size] over keys and values
    [rows, key heads, held, size]; gives [rows, new, heads, size].

    For one new token, the heads that share a key head are seen as queries of it. Everything else goes to
    transformers' own function.
    """
    rows, heads, new, size = query.shape
    n_keys = key.shape[1]
    more = any(kwargs.get(name) is not None for name in _HEEDED)
    if new != 1 or dropout or more or heads % n_keys or (attention_mask is not None and attention_mask.shape[1] != 1):
        done: tuple[Any, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return done
    queries = query.reshape(rows, n_keys, heads // n_keys, size)
    layer = _shared_layer(module, key)
    if layer is None:
        output = torch.nn.functional.scaled_dot_product_attention(
            queries, key, value, attn_mask=attention_mask, scale=scaling
        )
    else:
        output = _over_shared(queries * (size**-0.5 if scaling is None else scaling), layer, attention_mask)
    return output.reshape(rows, 1, heads, value.shape[-1]), None


def _shared_layer(module: Any, key: Any) -> Any:
    """The layer of the run's cache that `key` is the answers' part of, or None where nothing is shared."""
    cache, index = _run.cache, getattr(module, "layer_idx", None)
    if cache is None or _run.seen is None or not cache.shared or index is None:
        return None
    layer = cache.layers[index]
    if key is not layer.keys:  # the model has made something else of it
        return None
    _run.seen.add(index)
    return layer


def _over_shared(queries: Any, layer: Any, mask: Any) -> Any:
    """Attention of scaled queries [rows, key heads, heads each, size] over prompt and answer.

    The queries of all answers to a prompt meet its keys in one product.
    """
    groups = layer.groups

    def by_prompt(of_rows: Any) -> Any:  # [rows, key heads, each, x] as [prompts, key heads, n * each, x]
        return groups.grid(of_rows).transpose(1, 2).flatten(2, 3)

    def by_row(of_prompts: Any) -> Any:
        return groups.rows(of_prompts.unflatten(2, (groups.n, -1)).transpose(1, 2))

    to_prompt = by_prompt(queries) @ layer.prompt_keys.mT
    if groups.bias is not None:
        to_prompt += groups.bias
    to_prompt = by_row(to_prompt)
    scores = torch.cat([to_prompt, queries @ layer.keys.mT], dim=-1)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.float32).to(scores.dtype)
    prompt_weights, own_weights = weights.split([to_prompt.shape[-1], layer.keys.shape[-2]], dim=-1)
    return by_row(by_prompt(prompt_weights) @ layer.prompt_values) + own_weights @ layer.values


AttentionInterface.register(_NAME, grouped_attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
