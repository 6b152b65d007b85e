"""The model that is trained: loading it, its adapters, and the log-probabilities it gives to tokens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch

from rationale_rm._core import RationaleError
from rationale_rm.engine import EngineError
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.engine.quiet import quiet
from rationale_rm.extras import needs
from rationale_rm.grpo import token_logprobs
from rationale_rm.rollout import unwrapped
from rationale_rm.train import packing
from rationale_rm.train.packing import MicroBatch
from rationale_rm.train.recipe import Recipe

_ANY_LENGTH: Final = 2**31
_PROBE: Final = 8
_WINDOWS: Final = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size", "local_attention")
"""Settings of models whose layers do not all see the whole text."""
_TOLERANCE: Final = {torch.float32: 1e-4, torch.bfloat16: 0.05}


class Policy(torch.nn.Module):  # type: ignore[misc]
    """A causal model of transformers, with adapters or without, that scores given tokens.

    The forward pass goes through this module, so that whatever wraps it for several processes sees it. It runs the
    decoder to its hidden states and projects those alone that are asked for: the full logits never exist. A model
    whose logits are no multiple of that projection, such as one with capped logits, is refused.
    """

    def __init__(self, model: Any, *, bfloat16: bool = False):
        super().__init__()
        self.model = model
        self.bfloat16 = bfloat16
        self.scale = _logit_scale(unwrapped(model))
        self._no_split_modules = unwrapped(model)._no_split_modules  # the layers that FSDP gathers one by one
        self.packs = _packs(unwrapped(model))
        """Whether answers to one prompt may share a sequence."""

    def forward(self, batch: MicroBatch, temperature: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability and entropy of each of ``batch.targets``, float32 (n,).

        Padding stands on the right, where no earlier token of a causal model sees it.
        """
        base = unwrapped(self.model)
        with torch.autocast(batch.input_ids.device.type, torch.bfloat16, enabled=self.bfloat16):
            states = _states(base, batch)
        head = base.get_output_embeddings()
        states = states.flatten(0, 1)[batch.places]
        weight, bias = head.weight, head.bias
        if self.bfloat16:
            states = states.to(torch.bfloat16)  # `token_logprobs` reads the weight in this dtype, a part at a time
        return token_logprobs(states, weight, batch.targets, bias=bias, temperature=temperature / self.scale)

    @contextlib.contextmanager
    def without_adapters(self) -> Iterator[None]:
        """The model as it was before adapters were put on it."""
        with self.model.disable_adapter():
            yield


def read_tokenizer(path: str, recipe: Recipe) -> tuple[Any, ChatTokenizer]:
    """The tokenizer of a model, and what puts chats into its words. Raises `RationaleError` without a chat template."""
    import transformers

    with quiet():
        try:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(path, revision=recipe.model.revision)
        except (OSError, ValueError) as error:
            raise RationaleError(f"cannot read the tokenizer of {path}: {error}") from error
    # Prompts past the limit are counted and said; transformers would warn of the first one besides.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer, ChatTokenizer(tokenizer, path, _ANY_LENGTH, recipe.model.template_options)


def load(path: str, recipe: Recipe, *, adapters: str | os.PathLike[str] | None = None) -> Any:
    """The model at `path` with what the recipe puts on it, in training mode and on the CPU.

    Trained weights are float32, frozen ones are held in the recipe's dtype. `adapters`: the folder of a checkpoint
    with LoRA weights; without it new ones are drawn from torch's generator. Raises `RationaleError` for a model that
    cannot be read or used.
    """
    import transformers
    from safetensors import SafetensorError

    settings = recipe.model
    lora = settings.lora
    with quiet():
        try:
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                path,
                revision=settings.revision,
                dtype=getattr(torch, settings.dtype) if lora is not None else torch.float32,
                **({} if settings.attention is None else {"attn_implementation": settings.attention}),
            )
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise RationaleError(f"cannot read the model {path}: {error}") from error
    limit = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    if limit is not None and recipe.context > limit:
        raise RationaleError(
            f"prompt and answer may have {recipe.context} tokens together, but {path} was made for {limit}: lower "
            "prompt.max_tokens, rollout.max_tokens or model.max_model_len"
        )
    if lora is not None:
        model = _with_adapters(model, recipe, adapters)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def _with_adapters(model: Any, recipe: Recipe, adapters: str | os.PathLike[str] | None) -> Any:
    with needs("train", "peft"):
        import peft
    lora = recipe.model.lora
    assert lora is not None
    if adapters is not None:
        return peft.PeftModel.from_pretrained(model, os.fspath(adapters), is_trainable=True)
    modules = lora.target_modules
    return peft.get_peft_model(
        model,
        peft.LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(modules) if modules != ("all-linear",) else "all-linear",  # one text is a pattern
            task_type="CAUSAL_LM",
        ),
    )


def save(model: Any, tokenizer: Any, folder: Path, state: dict[str, Any] | None = None) -> None:
    """Writes weights (those of the adapters alone, where there are any) and tokenizer as transformers reads them.

    `state`: the weights, where they are spread over processes.
    """
    with quiet():
        model.save_pretrained(folder, **({} if state is None else {"state_dict": state}))
        tokenizer.save_pretrained(folder)


def _logit_scale(base: Any) -> float:
    """What the decoder's states times the head must be multiplied by to give the model's logits.

    1 for most; Cohere and Granite have another one, which is held against what the model itself gives.
    """
    head = base.get_output_embeddings()
    if head is None or not isinstance(head, torch.nn.Linear):
        raise EngineError(f"{type(base).__name__} has no output projection that could be trained")
    training = base.training
    base.eval()
    with torch.no_grad():
        ids = torch.arange(_PROBE, device=head.weight.device)[None] % head.weight.shape[0]
        expected = base(input_ids=ids, use_cache=False).logits.float()
        found = head(base.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state).float()
    base.train(training)
    tolerance = _TOLERANCE.get(head.weight.dtype, 0.05)
    config = base.config.get_text_config(decoder=True)
    scales = [1.0]
    scales += [float(config.logit_scale)] if getattr(config, "logit_scale", None) else []
    scales += [1 / config.logits_scaling] if getattr(config, "logits_scaling", None) else []
    # Caps show at large logits alone, which a new model does not have.
    capped = getattr(config, "final_logit_softcapping", None) is not None
    for scale in scales:
        if not capped and torch.allclose(expected, scale * found, tolerance, tolerance * float(expected.abs().max())):
            return scale
    raise EngineError(
        f"the logits of {type(base).__name__} are no multiple of its output projection (capped or otherwise "
        "transformed), and log-probabilities are computed from that: train another model"
    )


def _states(base: Any, batch: MicroBatch) -> Any:
    """Hidden states (lanes, width, d) of the decoder."""
    packed = {}
    if batch.segments is not None:
        mask = packing.attention_mask(batch.segments)
        packed = {"attention_mask": mask, "position_ids": packing.positions(batch.segments)}
    return base.get_decoder()(input_ids=batch.input_ids, use_cache=False, **packed).last_hidden_state


def _packs(base: Any) -> bool:
    """Whether two answers behind one prompt have the hidden states that each has by itself.

    Only scaled-dot-product attention takes such a mask as it is, and some models (recurrent layers) would not heed it;
    so it is tried. A window is longer than what is tried, and transformers forgets it where a mask is given.
    """
    config = base.config.get_text_config(decoder=True)
    if getattr(base.config, "_attn_implementation", None) != "sdpa" or any(getattr(config, w, None) for w in _WINDOWS):
        return False
    size = base.get_output_embeddings().weight.shape[0]
    prompt = [token % size for token in range(1, _PROBE)]
    rows = [packing.Tokens(prompt, [(3 * n + token) % size for token in range(_PROBE)]) for n in (1, 2)]
    device = next(base.parameters()).device
    training = base.training
    base.eval()
    try:
        with torch.no_grad():
            found = []
            for lanes in ([(0, 1)], [(0,), (1,)]):
                batch = packing.micro_batch(lanes, rows, 0, device)
                found.append(_states(base, batch).flatten(0, 1)[batch.places].float())
    except (TypeError, ValueError, RuntimeError):  # a decoder that takes no such mask
        return False
    finally:
        base.train(training)
    tolerance = _TOLERANCE.get(base.get_output_embeddings().weight.dtype, 0.05)
    return bool(torch.allclose(*found, tolerance, tolerance * float(found[1].abs().max())))
