"""A mixture of experts in vLLM, in one process and shared by two: its weights follow the trainer's."""

from pathlib import Path

import pytest
import torch
import transformers
from processes import run_together
from training import free_port

SCRIPT = Path(__file__).with_name("expert_rollouts.py")


@pytest.fixture(scope="module")
def folder(tiny_model_path, tmp_path_factory):
    made = tmp_path_factory.mktemp("models") / "experts"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model_path)
    torch.manual_seed(0)
    config = transformers.Qwen3MoeConfig(
        vocab_size=2048, hidden_size=64, intermediate_size=128, moe_intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32, num_experts=4, num_experts_per_tok=2,
        max_position_embeddings=512, tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    transformers.Qwen3MoeForCausalLM(config).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


@pytest.mark.parametrize("n", [1, 2])
def test_after_changes_vllm_samples_with_the_new_weights(folder, n):
    port = free_port()
    run_together(SCRIPT, [(folder, rank, n, port) for rank in range(n)], says="close")
