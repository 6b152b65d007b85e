"""One of two processes that train a sharded model (test_rollout_sharded.py): FOLDER RANK PORT fsdp2|zero3.

Samples, syncs and updates a model that is spread, beside the same model in one piece, and fails where the two differ.
"""

import os
import sys
from itertools import chain

import peft
import torch
import torch.distributed as dist
import transformers
from rationale_rm.rollout import HfRollouts, checkpoint_weights
from torch.distributed.fsdp import FSDPModule, fully_shard

folder, rank, port, by = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
if by == "zero3":
    os.environ |= {"LOCAL_RANK": str(rank), "DS_ACCELERATOR": "cpu"}
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # it would be compiled first
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)


def load(lora):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    if lora:
        torch.manual_seed(5)
        config = peft.LoraConfig(r=8, lora_alpha=32, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
        model = peft.get_peft_model(model, config)
    return model


def sgd(model):
    return torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.5)


def step(model):
    """The same update in both processes."""
    ids = torch.arange(3, 60)[None]
    model.train()
    if by == "zero3" and hasattr(model, "optimizer"):
        model.backward(model(input_ids=ids, labels=ids).loss)
        model.step()
        return
    optimiser = sgd(model)
    model(input_ids=ids, labels=ids).loss.backward()
    optimiser.step()
    optimiser.zero_grad()


def spread_out(model, lora):
    if by == "zero3":
        config = {
            "train_batch_size": 2,
            "gradient_clipping": 0.0,  # else 1.0
            "zero_allow_untested_optimizer": True,
            "zero_optimization": {"stage": 3},
        }
        return deepspeed.initialize(model=model, optimizer=sgd(model), config=config)[0]
    mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
    inner = model.get_base_model() if lora else model
    for layer in inner.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    assert isinstance(model, FSDPModule)
    return model


def compare(lora):
    whole, spread = load(lora), spread_out(load(lora), lora)

    # Another number of prompts, at first none, and other lengths in each process: steps that all processes had to make
    # would never end.
    for n_prompts in (3 * rank, 2 + 3 * rank):
        prompts = [[{"role": "user", "content": f"Response {number} names the year."}] for number in range(n_prompts)]
        how = {"max_tokens": 8 + 30 * rank, "temperature": 1.0, "seeds": range(n_prompts)}
        expected = HfRollouts(whole, tokenizer).sample(prompts, 3, **how)
        found = HfRollouts(spread, tokenizer).sample(prompts, 3, **how)
        for one, other in zip(chain(*expected), chain(*found), strict=True):
            assert one.token_ids == other.token_ids
            assert torch.allclose(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4)
        left, right = dict(checkpoint_weights(whole)), dict(checkpoint_weights(spread))
        assert left.keys() == right.keys()
        for name, weight in left.items():
            assert type(right[name]) is torch.Tensor, "whole, and not a shard"
            assert torch.allclose(weight, right[name], atol=1e-5), name
        for model in (whole, spread):
            step(model)


for lora in (False, True):
    compare(lora)
dist.barrier()
dist.destroy_process_group()
print("equal")
