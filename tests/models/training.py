"""What the tests of training share: a recipe of seconds, and trainings in processes of their own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from rationale_rm.train.recipe import Recipe
from rationale_rm.train.tracking import read_metrics

DRIVER = Path(__file__).with_name("train_driver.py")


CLOSE = 1e-3
"""So far may a sampler's log-probabilities be from the trainer's."""
WITH_VLLM = {
    "train": {"steps": 2},
    "rollout": {"engine": "vllm", "prompts": 3, "samples": 4, "max_tokens": 48},
    "reward": {"mode": "sum", "format_penalty": 0.5},
    "optimiser": {"mini_batch": 3, "lr": 3e-3},
    "output": {"save_every": None, "samples_every": None},
}
"""Sections of a recipe whose every step changes the weights that vLLM samples with."""


def gaps_of(folder):
    """The largest distance of the sampler's log-probabilities from the trainer's, in each step of a run, all of which
    have changed the weights.
    """
    records = read_metrics(folder, "grpo")
    assert [record["step"] for record in records] == list(range(1, len(records) + 1))
    assert all(record["grad_norm"] > 0 for record in records)
    return [record["sampler_gap_max"] for record in records]


def recipe(folder, **sections):
    """A run of seconds, from nothing: a warm start until some answers have the form, 5 steps, a checkpoint every other
    one. `sections` change keys of the recipe's sections.
    """
    settings = {
        "name": "test",
        "model": {"scratch": {"hidden_size": 32, "layers": 2, "heads": 2, "intermediate_size": 64, "vocabulary": 512}},
        "data": {"world": {"pairs": 40, "validation_pairs": 6, "test_pairs": 4, "vocabulary": 0.5}},
        "prompt": {"style": "brief", "max_tokens": 320},
        "warm_start": {"steps": 40, "batch_size": 16, "warmup_steps": 2, "lr": 0.02},
        "rollout": {"prompts": 4, "samples": 4, "max_tokens": 48},
        "reward": {"judge": "oracle", "mode": "product", "format_penalty": 0.5},
        "optimiser": {"lr": 1e-3, "mini_batch": 2},
        "train": {"steps": 5},
        "evaluation": {"every": 2, "pairs": 4},
        "output": {"folder": str(folder), "save_every": 2, "samples_every": 2, "progress": False},
    }
    for name, section in sections.items():
        old = settings.get(name)
        settings[name] = {**old, **section} if isinstance(old, dict) and isinstance(section, dict) else section
    return Recipe.model_validate(settings)


def recipe_from(start, folder, **sections):
    """As `recipe`, from the model in the folder `start`, without a warm start and without evaluations."""
    quiet = {"every": None, "start": False}
    world = {"pairs": 40, "validation_pairs": 6, "test_pairs": 0, "vocabulary": 0.5}
    settings = {
        "model": {"scratch": None, "path": str(start)},
        "data": {"world": world},
        "warm_start": None,
        "evaluation": quiet,
    }
    for name, section in sections.items():
        old = settings.get(name)
        settings[name] = {**old, **section} if isinstance(old, dict) and isinstance(section, dict) else section
    return recipe(folder, **settings)


def with_wider_heads(start, folder):
    """Writes the Qwen3 model in the folder `start` with heads of twice as many dimensions, which says the same."""
    import torch
    import transformers

    narrow = transformers.AutoModelForCausalLM.from_pretrained(start, dtype="float32")
    size, n = narrow.config.head_dim, narrow.config.num_attention_heads
    config = transformers.AutoConfig.from_pretrained(start, head_dim=2 * size)
    wide = transformers.AutoModelForCausalLM.from_config(config, dtype="float32")
    # The rotation of dimension i of the narrow heads is that of dimension 2i of the wide ones, in both halves.
    places = torch.cat([torch.arange(0, size, 2), torch.arange(0, size, 2) + size])
    rows = torch.cat([places + head * 2 * size for head in range(n)])
    found = wide.state_dict()
    for name, weight in narrow.state_dict().items():
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            found[name].zero_()[rows] = weight
        elif name.endswith("o_proj.weight"):
            found[name].zero_()[:, rows] = weight
        elif name.endswith(("q_norm.weight", "k_norm.weight")):  # a mean over twice as many; softmax's scale for q
            found[name].zero_()[places] = weight / (2**0.5 if "k_norm" in name else 1.0)
        else:
            found[name].copy_(weight)
    wide.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(start).save_pretrained(folder)
    return folder


@contextlib.contextmanager
def one_thread():
    """Torch on one thread: the machine may be busy, and small matrices gain nothing by more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def without_times(records):
    """The records of a run but for what differs from one time to the next."""
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Trainings:
    """The forks of train_driver.py."""

    def __init__(self, log):
        self._log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            [sys.executable, str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, recipe, *, resume=False):
        """Begins a training in one process and gives its id."""
        (pid,) = self.start_several(recipe, 1, resume=resume)
        return pid

    def start_several(self, recipe, n, *, resume=False, sharded=None, fault=None, forgetful=()):
        """Begins a training in `n` processes and gives their ids. `sharded`: what spreads the weights over them, fsdp2
        or zero3; `fault`: whether the last process's loss or gradient becomes NaN after the first step; `forgetful`:
        the processes that do not tell vLLM of updates.
        """
        order = {
            "recipe": recipe.model_dump(mode="json"),
            "resume": resume,
            "processes": n,
            "sharded": sharded,
            "fault": fault,
            "forgetful": list(forgetful),
            "port": free_port(),
            "log": str(self._log),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def wait(self):
        """The exit status of the training, -9 where it was killed; of several processes the greatest that is not 0."""
        statuses = json.loads(self._process.stdout.readline())
        return max((status for status in statuses if status), default=0)

    def log(self):
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
