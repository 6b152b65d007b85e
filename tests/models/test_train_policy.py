"""The policy's log-probabilities against those of transformers' own logits."""

import pytest
import torch
import transformers
from rationale_rm.engine import EngineError
from rationale_rm.train.packing import Tokens, micro_batch
from rationale_rm.train.policy import Policy

COMMON = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ROWS = [Tokens([5, 9, 11], [3, 4, 2]), Tokens([5, 9, 11], [8, 2]), Tokens([17], [20, 21, 22, 23, 2])]


def model(kind, **changes):
    torch.manual_seed(3)
    config = getattr(transformers, f"{kind}Config")(**{**COMMON, **changes})
    return getattr(transformers, f"{kind}ForCausalLM")(config)


def expected(causal, row, temperature):
    """Log-probabilities and entropies from the logits of the row alone."""
    logits = causal.eval()(input_ids=torch.tensor([[*row.prompt, *row.answer]])).logits[0].double() / temperature
    dense = logits.log_softmax(-1)[len(row.prompt) - 1 : -1]
    chosen = dense.gather(1, torch.tensor(row.answer)[:, None])[:, 0]
    return chosen, -(dense.exp() * dense).sum(-1)


def with_bias(causal):
    head = torch.nn.Linear(32, 97, bias=True)
    torch.nn.init.normal_(head.bias)
    causal.set_output_embeddings(head)
    return causal


MODELS = {
    "qwen3, tied": lambda: model("Qwen3", tie_word_embeddings=True, head_dim=16),
    "llama, untied": lambda: model("Llama", tie_word_embeddings=False),
    "a biased head": lambda: with_bias(model("Llama", tie_word_embeddings=False)),
    "cohere, scaled by 0.25": lambda: model("Cohere", logit_scale=0.25),
    "granite, divided by 3": lambda: model("Granite", logits_scaling=3.0),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("lanes", [[(0,), (1,), (2,)], [(0, 1), (2,)]], ids=["alone", "packed"])
def test_log_probabilities_are_those_of_the_models_logits(make, temperature, lanes):
    causal = make()
    policy = Policy(causal).eval()
    if len(lanes) == 2 and not policy.packs:
        pytest.fail("this model's attention allows packing")
    batch = micro_batch(lanes, ROWS, 0, "cpu")
    logprobs, entropies = policy(batch, temperature)
    for place, row in enumerate(batch.rows):
        chosen, entropy = expected(causal, ROWS[row], temperature)
        n = len(chosen)
        torch.testing.assert_close(batch.table(logprobs)[place, :n].double(), chosen, rtol=0, atol=2e-5)
        torch.testing.assert_close(batch.table(entropies)[place, :n].double(), entropy, rtol=0, atol=1e-4)
        assert (batch.table(logprobs)[place, n:] == 0).all()


def test_the_gradient_is_that_of_the_models_logits():
    causal = model("Qwen3", tie_word_embeddings=True, head_dim=16)
    weights = [torch.randn(len(row.answer)) for row in ROWS]
    sum((expected(causal, row, 0.9)[0] * weight).sum() for row, weight in zip(ROWS, weights, strict=True)).backward()
    wanted = {name: parameter.grad.clone() for name, parameter in causal.named_parameters()}
    causal.zero_grad()
    policy = Policy(causal)
    batch = micro_batch([(0, 1), (2,)], ROWS, 0, "cpu")
    (policy(batch, 0.9)[0] * torch.cat([weights[row] for row in batch.rows])).sum().backward()
    for name, parameter in causal.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-3, atol=1e-4, msg=name)


def test_capped_logits_are_refused_also_where_they_are_small():
    causal = model("Gemma2", head_dim=16, initializer_range=1e-3)  # as if there were no cap
    with pytest.raises(EngineError, match="Gemma2ForCausalLM are no multiple of its output projection"):
        Policy(causal)


def test_bfloat16_computes_in_it_and_trains_in_float32():
    policy = Policy(model("Qwen3", tie_word_embeddings=True, head_dim=16), bfloat16=True)
    batch = micro_batch([(0, 1), (2,)], ROWS, 0, "cpu")
    logprobs, _ = policy(batch)
    logprobs.sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in policy.parameters())
    exact, _ = Policy(policy.model)(batch)
    assert logprobs.dtype == torch.float32
    assert 1e-5 < (logprobs - exact).abs().max() < 0.2
