"""Makes a tiny random chat model in a folder: a stand-in for an LLM wherever only the machinery is under test.

python -m benches.tiny_model FOLDER [--layers N]

A byte-level BPE tokenizer trained on the project's own texts (3-4 characters a token) and a random
Qwen3 of 0.4M parameters. Nothing is fetched; the same seed gives the same weights. Needs the environment
of `make setup-models`.
"""

import argparse
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TEXTS = ("python/rationale_rm/prompts/**/*.j2", "benches/*inputs.py")
VOCABULARY = 2048
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make(
    folder: Path, *, seed: int = 0, chat_template: str | None = CHAT_TEMPLATE, context: int = 8192, layers: int = 4
) -> Path:
    """Writes model and tokenizer into `folder` and gives it back; `context` is its length limit in tokens."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.chat_template = chat_template
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=0.1,  # wide enough that greedy answers do not hang on rounding
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


def _tokenizer() -> Any:
    import tokenizers
    import transformers

    core = tokenizers.Tokenizer(tokenizers.models.BPE())
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [path.read_text("utf-8") for pattern in TEXTS for path in sorted(ROOT.glob(pattern))]
    core.train_from_iterator(texts, trainer)
    assert core.get_vocab_size() == VOCABULARY, "too little text for the vocabulary"
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.tiny_model", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=4)
    options = parser.parse_args()
    make(options.folder, layers=options.layers)


if __name__ == "__main__":
    main()
