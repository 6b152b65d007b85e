"""Run as ``python expert_rollouts.py FOLDER RANK N PORT`` in N processes, which share the mixture of experts in the
folder: after its weights have changed, all of them sample with the new ones; prints "close" then.
"""

import os
import sys

import torch
import torch.distributed as dist
import transformers
from rationale_rm.rollout import VllmRollouts

CLOSE = 1e-3
folder, rank, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
if n > 1:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[4]}
    dist.init_process_group("gloo")
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
rollouts = VllmRollouts(folder, max_model_len=256, tensor_parallel_size=n)
prompts = [[{"role": "user", "content": f"Which is better, {rank} or {i}?"}] for i in range(2 - rank)]


def farthest():
    """The largest difference between the sampler's log-probabilities and the model's own."""
    how = {"max_tokens": 8, "temperature": 0.9, "seeds": [10 * rank + i for i in range(len(prompts))]}
    worst = 0.0
    for one in [one for group in rollouts.sample(prompts, 2, **how) for one in group]:
        with torch.no_grad():
            logits = model(torch.tensor([one.prompt_ids + one.token_ids])).logits[0, len(one.prompt_ids) - 1 : -1]
        said = (logits / 0.9).log_softmax(-1).gather(1, torch.tensor(one.token_ids)[:, None])[:, 0]
        worst = max(worst, float((said - torch.tensor(one.logprobs)).abs().max()))
    return worst


assert farthest() < CLOSE
for seed in range(2):
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    assert farthest() > 30 * CLOSE
    rollouts.sync(model)
    assert farthest() < CLOSE, farthest()
rollouts.close()
if n > 1:
    dist.barrier()  # the group is the launcher's, and is there
print("close")
