"""The dimensions of a model, and what follows from them: parameters, cache and activations."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rationale_rm._core import RationaleError

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe

DENSE: Final = frozenset({"llama", "mistral", "qwen2", "qwen3"})
MIXTURES: Final = frozenset({"qwen3_moe"})
_LARGEST_HEADER: Final = 100_000_000
"""Bytes, the limit of the safetensors library itself."""
_QK_NORM: Final = frozenset({"qwen3", "qwen3_moe"})
_QKV_BIAS: Final = frozenset({"qwen2"})


class UnknownModelError(RationaleError):
    """The dimensions of a model cannot be had here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A decoder of attention and gated MLP blocks with RMS norms, dense or a mixture of experts."""

    name: str
    source: str
    """Where the dimensions come from."""
    layers: int
    hidden_size: int
    intermediate_size: int
    """Of the MLP; of one expert in a mixture."""
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    """Whether the output projection is the embedding."""
    context: int | None = None
    """Tokens that the model was made for."""
    experts: int = 0
    """Experts a layer; 0 for a dense model."""
    active_experts: int = 0
    """Experts that a token goes through."""
    qk_norm: bool = False
    qkv_bias: bool = False
    exact: bool = True
    """Whether the parameter count is that of the model: its family is known, or it was counted."""
    counted: int | None = None
    """Parameters as its files hold them, of a family that is not known."""

    @property
    def attention_parameters(self) -> int:
        """Of one layer: the four projections, their biases, and norms over heads."""
        width, narrow = self.heads * self.head_dim, self.kv_heads * self.head_dim
        projections = self.hidden_size * (2 * width + 2 * narrow)
        biases = width + 2 * narrow if self.qkv_bias else 0
        return projections + biases + (2 * self.head_dim if self.qk_norm else 0)

    @property
    def expert_parameters(self) -> int:
        """Of one MLP, or of one expert."""
        return 3 * self.hidden_size * self.intermediate_size

    @property
    def layer_parameters(self) -> int:
        """Of one block, all experts included."""
        router = self.hidden_size * self.experts
        mlp = self.expert_parameters * (self.experts or 1) + router
        return self.attention_parameters + mlp + 2 * self.hidden_size

    @property
    def root_parameters(self) -> int:
        """What stands outside the blocks: embedding, output projection, last norm."""
        return self.vocabulary * self.hidden_size * (1 if self.tied else 2) + self.hidden_size

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        return self.counted or self.layers * self.layer_parameters + self.root_parameters

    @property
    def active_parameters(self) -> int:
        """Those that one token meets."""
        idle = (self.experts - self.active_experts) * self.expert_parameters
        return self.parameters - self.layers * idle

    @property
    def kv_values(self) -> int:
        """Numbers that the cache holds for one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim

    def lora_parameters(self, r: int, target_modules: tuple[str, ...]) -> int:
        """Parameters of adapters of rank `r` as peft makes them. Each expert gets its own; the first two projections of
        an expert are one weight, and its adapter has twice the rank.
        """
        width, narrow, hidden = self.heads * self.head_dim, self.kv_heads * self.head_dim, self.hidden_size
        sizes = {
            "q_proj": hidden + width,
            "k_proj": hidden + narrow,
            "v_proj": hidden + narrow,
            "o_proj": width + hidden,
        }
        inner, experts = self.intermediate_size, self.experts
        if experts:
            fused = experts * (hidden + 2 * inner)
            sizes |= {"gate_proj": fused, "up_proj": fused, "down_proj": experts * (inner + hidden)}
            sizes["gate"] = hidden + experts
        else:
            sizes |= {"gate_proj": hidden + inner, "up_proj": hidden + inner, "down_proj": hidden + inner}
        if target_modules == ("all-linear",):
            target_modules = tuple(sizes)
        return r * self.layers * sum(sizes.get(name.rpartition(".")[2], 0) for name in target_modules)


def architecture(recipe: Recipe) -> Architecture:
    """The model of a recipe: made from scratch, read from its folder, or known by its name on the hub.

    Raises `UnknownModelError` for a hub model that is neither known nor to be had here, and for a config that is not
    that of a decoder.
    """
    scratch = recipe.model.scratch
    if scratch is not None:
        return Architecture(
            name="from scratch",
            source="model.scratch",
            layers=scratch.layers,
            hidden_size=scratch.hidden_size,
            intermediate_size=scratch.intermediate_size,
            heads=scratch.heads,
            kv_heads=scratch.heads,
            head_dim=scratch.hidden_size // scratch.heads,
            vocabulary=scratch.vocabulary,
            tied=True,
            context=recipe.context,
            qk_norm=True,
        )
    name = recipe.model.path or ""
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = from_config(_read(folder / "config.json"), name, str(folder / "config.json"))
        if not found.exact and (counted := _count(folder)):
            return replace(found, counted=counted, exact=True)
        return found
    published = known("models")
    if name in published:
        return from_config(published[name], name, "published dimensions")
    return from_config(_from_hub(name, recipe.model.revision), name, "the hub's config.json")


@cache
def known(what: str) -> Mapping[str, Any]:
    """Published sizes that come with the package: ``models`` by hub name, ``pairs`` by source."""
    text = resources.files("rationale_rm.train.plan").joinpath("known.json").read_text("utf-8")
    found: Mapping[str, Any] = json.loads(text)[what]
    return found


def from_config(config: Mapping[str, Any], name: str, source: str) -> Architecture:
    """Reads the dimensions out of a model's ``config.json``. Raises `UnknownModelError`."""
    config = config.get("text_config") or config
    kind = str(config.get("model_type", ""))

    def whole(*keys: str, default: int | None = None) -> int:
        for key in keys:
            value = config.get(key)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        if default is None:
            raise UnknownModelError(f"{source} does not say {keys[0]}: no plan for a model of type {kind or '?'}")
        return default

    hidden, heads = whole("hidden_size"), whole("num_attention_heads")
    experts = whole("num_experts", "num_local_experts", default=0)
    dense = whole("intermediate_size", default=0)
    return Architecture(
        name=name,
        source=source,
        layers=whole("num_hidden_layers"),
        hidden_size=hidden,
        intermediate_size=whole("moe_intermediate_size", default=dense) if experts else whole("intermediate_size"),
        heads=heads,
        kv_heads=whole("num_key_value_heads", default=heads),
        head_dim=whole("head_dim", default=hidden // heads),
        vocabulary=whole("vocab_size"),
        tied=config.get("tie_word_embeddings") is True,
        context=whole("max_position_embeddings", default=0) or None,
        experts=experts,
        active_experts=whole("num_experts_per_tok", default=0) if experts else 0,
        qk_norm=kind in _QK_NORM,
        qkv_bias=kind in _QKV_BIAS,
        exact=_is_plain(config, kind),
    )


def _is_plain(config: Mapping[str, Any], kind: str) -> bool:
    """Whether the formulas above are those of the model: a known family, and every layer alike."""
    if kind in DENSE:
        return not config.get("attention_bias") and not config.get("mlp_bias")
    alike = not config.get("mlp_only_layers") and config.get("decoder_sparse_step", 1) == 1
    return kind in MIXTURES and alike and not config.get("attention_bias")


def _count(folder: Path) -> int:
    """Parameters in the safetensors files of a folder, by their headers; 0 where there are none."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = stream.read(min(size, _LARGEST_HEADER))
        try:
            tensors = json.loads(header)
            total += sum(math.prod(one["shape"]) for key, one in tensors.items() if key != "__metadata__")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UnknownModelError(f"{path} is no safetensors file") from None
    return total


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UnknownModelError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UnknownModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise UnknownModelError(f"{path} is no model's config")
    return config


def _from_hub(name: str, revision: str | None) -> Mapping[str, Any]:
    """The config of a hub model, from the cache or the hub."""
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
    except ModuleNotFoundError:
        raise UnknownModelError(
            f"the dimensions of {name} are not known here, and without huggingface_hub they cannot be fetched"
        ) from None
    from rationale_rm.judge.hub import can_be_loaded

    found = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(found, str):
        return _read(Path(found))
    if not can_be_loaded(name):
        raise UnknownModelError(f"the dimensions of {name} are not known here, and the hub cannot be reached")
    try:
        return _read(Path(hf_hub_download(name, "config.json", revision=revision)))
    except Exception as error:  # HTTP libraries, which change with the version, have exceptions of their own
        raise UnknownModelError(f"the hub gives no config.json of {name} ({type(error).__name__})") from None
