"""The present weights of a model that trains, under the names of its checkpoint."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rationale_rm.engine import EngineError
from rationale_rm.rollout.sharded import whole

T = TypeVar("T")


def unwrapped(model: Any) -> Any:
    """The causal model of transformers within `model`: without DDP, DeepSpeed, ``torch.compile`` and peft around it."""
    while True:
        name = type(model).__name__
        if name == "FullyShardedDataParallel":
            raise EngineError(f"the weights are spread by {name}: only FSDP2 (fully_shard) and ZeRO-3 are supported")
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif name in ("DistributedDataParallel", "DataParallel", "DeepSpeedEngine"):
            model = model.module
        elif hasattr(model, "peft_config") and hasattr(model, "get_base_model"):
            if any(getattr(config, "is_prompt_learning", False) for config in model.peft_config.values()):
                raise EngineError("prompts that are learned cannot be sampled with: use LoRA, or train all weights")
            model = model.get_base_model()
        else:
            return model


def checkpoint_weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Names and tensors as a checkpoint of the model has them, one decoder layer after the other.

    A change that LoRA makes is added to its weight, once, and the trainer's own weights stay as they are; modules
    that peft trains whole stand for those they replace. Tied weights come under each of their names: vLLM 0.32 packs
    them apart on a CPU, and would keep the old ones for the name that is left out. Weights that FSDP2 or ZeRO-3 has
    spread are gathered one by one: every process must then iterate to the end. Raises `EngineError` for a change that
    no plain checkpoint can hold.
    """
    import torch
    from transformers.core_model_loading import revert_weight_conversion

    module = unwrapped(model)
    with torch.no_grad():
        for _, layer in itertools.groupby(_merged(module), key=lambda named: _layer(named[0])):
            # transformers holds some weights in another form than checkpoints do, such as all experts in one tensor
            yield from revert_weight_conversion(module, dict(layer)).items()


@contextlib.contextmanager
def to_the_end(weights: Iterator[T]) -> Iterator[Iterator[T]]:
    """Takes what is left of `weights` at the end, also after a failure: processes that gather them together would wait
    for this one.
    """
    try:
        yield weights
    finally:
        for _ in weights:
            pass


def _layer(name: str) -> str:
    """The part of a name up to its first number: the same for all weights of a decoder layer."""
    found = re.match(r".*?\.\d+\.", name)
    return found[0] if found else name


def _merged(module: Any) -> Iterator[tuple[str, Any]]:
    adapted = dict(_adapted(module))
    replaced = {name for name, part in module.named_modules() if type(part).__name__ == "ModulesToSaveWrapper"}
    _check_tied(module, [*adapted, *replaced])
    for name, tensor in module.state_dict(keep_vars=True).items():
        if _is_adapter(name):
            continue
        owner, _, last = name.rpartition(".")
        changed = adapted.get(owner.removesuffix(".base_layer")) if owner.endswith(".base_layer") else None
        if changed is not None and last != _weight_name(changed):
            changed = None
        with whole([tensor, *(() if changed is None else changed.parameters())]) as copied:
            value = tensor.detach().clone() if copied else tensor.detach()
            if changed is not None:
                for delta in _deltas(changed):
                    value = value + delta.to(value.dtype)
        yield _plain(name), _full(value)


def _adapted(module: Any) -> Iterable[tuple[str, Any]]:
    """Parts that LoRA changes, by name."""
    return ((name, part) for name, part in module.named_modules() if hasattr(part, "lora_A"))


def _weight_name(part: Any) -> str:
    return getattr(part, "parameter_name", None) or "weight"


def _deltas(part: Any) -> Iterator[Any]:
    """What LoRA adds to the weight of `part`; nothing where it is off, or in the weight already."""
    if part.disable_adapters or part.merged:
        return
    for adapter in part.active_adapters:
        if adapter not in part.lora_A and adapter not in getattr(part, "lora_embedding_A", ()):
            continue
        if part.use_dora.get(adapter) or part.lora_bias.get(adapter):
            raise EngineError(
                "DoRA and biases of LoRA cannot be given to vLLM: use plain LoRA, or transformers to sample"
            )
        yield part.get_delta_weight(adapter)


def _is_adapter(name: str) -> bool:
    return ".lora_" in name or ".original_module." in name


def _plain(name: str) -> str:
    """The name without what peft puts into it."""
    return re.sub(r"\.modules_to_save\.[^.]+\.", ".", name).replace(".base_layer.", ".")


def _check_tied(module: Any, changed: list[str]) -> None:
    if not getattr(module.config.get_text_config(decoder=True), "tie_word_embeddings", False):
        return
    ends = {id(module.get_input_embeddings()), id(module.get_output_embeddings())}
    for name in changed:
        part = module.get_submodule(name)
        if ends & {id(part), *map(id, part.modules())}:
            raise EngineError(
                f"{name} is trained apart from the embeddings it is tied to, which no checkpoint can hold: "
                "leave it out of LoRA, or untie the embeddings"
            )


def _full(tensor: Any) -> Any:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
