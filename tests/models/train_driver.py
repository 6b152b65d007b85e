"""Runs trainings in processes of their own that start at once: torch and transformers are loaded here, and each
training is a fork, or several, which can be killed as any process can.

Reads lines of JSON: {"recipe": {...}, "resume": bool, "processes": int, "sharded": null or "fsdp2" or "zero3",
"fault": null or "loss" or "gradient", "forgetful": [...], "port": int, "log": PATH}; the forgetful are the processes
that leave vLLM's weights as they are after updates. With vLLM the log says of each call what sampled. Answers each with
the process ids, and with their exit statuses once they have ended.
"""

import json
import math
import os
import signal
import sys
import time
import traceback

import accelerate
import torch
import transformers
import transformers.models.qwen3.modeling_qwen3  # noqa: F401 - loaded for the forks
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from rationale_rm.train import loop, sampler
from rationale_rm.train.recipe import Recipe

Accelerator = accelerate.Accelerator
PATIENCE = 30.0


class Sharded(Accelerator):
    """Accelerate's FSDP2 on the CPU, where Accelerate itself does not offer it."""

    def __init__(self, **options):
        super().__init__(**options)
        AcceleratorState._shared_state["distributed_type"] = DistributedType.FSDP
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            auto_wrap_policy="transformer_based_wrap",
            reshard_after_forward=True,
            state_dict_type="SHARDED_STATE_DICT",
            cpu_ram_efficient_loading=False,
        )


def break_after_first_step(fault):
    """Lets the loss or its gradient be NaN in the steps after the first."""
    real, record = loop.grpo_loss, loop.step_record
    done = []

    def broken(logprobs, *rest, **options):
        if done and fault == "loss":
            logprobs = logprobs * float("nan")
        share, stats = real(logprobs, *rest, **options)
        return (share * float("nan") if done and fault == "gradient" else share), stats

    def recorded(*figures):
        done.append(True)
        return record(*figures)

    loop.grpo_loss, loop.step_record = broken, recorded


class Telling(sampler.VllmBeside):
    """vLLM beside the policy, that says where it samples."""

    def sample(self, prompts, n, **how):
        worker = self._engine._llm.llm_engine.model_executor.driver_worker.worker
        rank = os.environ.get("RANK", 0)
        print(f"process {rank}: worker {worker.rank} on device {worker.local_rank}, {len(prompts)} prompts", flush=True)
        return super().sample(prompts, n, **how)

    def close(self):
        super().close()
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
            print("the launcher's groups are there", flush=True)


class Forgetful(Telling):
    """One that is not told of updates."""

    def sync(self, model):
        pass


def child(order, rank):
    log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order["processes"] > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(order["processes"])}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(order["port"]), "ACCELERATE_USE_CPU": "true"}
    if order["sharded"] == "fsdp2":
        accelerate.Accelerator = Sharded
    if order["sharded"] == "zero3":
        del os.environ["ACCELERATE_USE_CPU"]
        os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if order["fault"] and rank == order["processes"] - 1:
        break_after_first_step(order["fault"])
    if order["recipe"]["rollout"]["engine"] == "vllm":
        sampler.VllmBeside = Forgetful if rank in order["forgetful"] else Telling
    try:
        loop.train(Recipe.model_validate(order["recipe"]), resume=order["resume"])
    except BaseException as error:
        traceback.print_exc()
        return 1 if getattr(error, "started", False) else 2
    return 0


def statuses(pids):
    """How the processes ended. Some seconds after one has failed the others, which may wait for it, are ended too."""
    ended, until = {}, math.inf
    while len(ended) < len(pids):
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            ended[pid] = os.waitstatus_to_exitcode(status)
            until = min(until, time.monotonic() + PATIENCE) if ended[pid] else until
        elif time.monotonic() > until:
            for other in set(pids) - ended.keys():
                os.kill(other, signal.SIGKILL)
            until = math.inf
        else:
            time.sleep(0.01)
    return [ended[pid] for pid in pids]


def main():
    torch.set_num_threads(1)  # threads of OpenMP do not survive a fork
    for line in sys.stdin:
        order = json.loads(line)
        pids = []
        for rank in range(order["processes"]):
            pid = os.fork()
            if pid == 0:
                os._exit(child(order, rank))
            pids.append(pid)
        print(json.dumps(pids), flush=True)
        print(json.dumps(statuses(pids)), flush=True)


if __name__ == "__main__":
    main()
