"""A small chat model from nothing: a random Qwen3 and a tokenizer made of the texts it will meet.

For recipes that learn on a CPU in minutes. Nothing is fetched; the same seed and texts give the same files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.types import VERDICT_TEXTS

PAD: Final = "<|pad|>"
END: Final = "<|end|>"
"""Ends a message, and so an answer."""
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
FORMAT: Final = (
    "<RESULT_START>\nList of reasons:\n",
    "Final assessment result:\n\\boxed{",
    "}\n<RESULT_END>",
    *VERDICT_TEXTS.values(),
)
"""The fixed text of an answer (`prompts.genrm`): one token a line, so that a small model spends its capacity on the
reasons. They are ordinary tokens, kept when an answer is decoded."""


def make(
    folder: str | os.PathLike[str],
    texts: Iterable[str],
    *,
    hidden_size: int = 128,
    layers: int = 5,
    heads: int = 4,
    intermediate_size: int = 384,
    vocabulary: int = 1024,
    max_model_len: int = 512,
    fixed: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Writes model and tokenizer into `folder`, as transformers reads them, and gives it back.

    The tokenizer is a byte-level BPE trained on `texts`, so any text can be written in it; it has `vocabulary` tokens,
    or fewer where the texts give no more. `fixed` are texts that get a token of their own besides `FORMAT`. The
    model is float32 with tied embeddings. Raises `RationaleError` for sizes that do not fit together.
    """
    import torch
    import transformers

    fixed = tuple(dict.fromkeys((*FORMAT, *fixed)))
    least = 256 + len(_SPECIAL) + len(fixed)
    if vocabulary < least:
        raise RationaleError(f"vocabulary is {vocabulary}: bytes and fixed tokens alone are {least}")
    if hidden_size % heads or hidden_size // heads % 2:
        raise RationaleError(f"hidden_size {hidden_size} over {heads} heads: expected an even whole number a head")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(texts, vocabulary, fixed)
    tokenizer.model_max_length = max_model_len
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=hidden_size // heads,
        max_position_embeddings=max_model_len,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.Qwen3ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


_SPECIAL: Final = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>")


def _tokenizer(texts: Iterable[str], vocabulary: int, fixed: Sequence[str]) -> Any:
    import tokenizers
    import transformers

    core = tokenizers.Tokenizer(tokenizers.models.BPE())
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary - len(fixed),
        special_tokens=list(_SPECIAL),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.add_tokens([tokenizers.AddedToken(text, normalized=False, special=False) for text in fixed])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
