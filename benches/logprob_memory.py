"""Peak memory of token log-probabilities, forward and backward: ours, TRL's fused head, and the dense logits.

python -m benches.logprob_memory [--quick]

Each side runs in a process of its own under the Python of `make setup-models`, on one thread, on the same seeded hidden
states, projection and targets. After a first small run that loads kernels, the process resets its high-water mark
(Linux, ``/proc/self/clear_refs``) and runs once at full size: growth is the mark less what was resident before. It
holds all that the run allocates, so the gradients of hidden states and weight too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benches.vllm_server import PYTHON

TARGET = 2.0
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Sizes:
    """2 completions of 1,024 tokens under Qwen3-0.6B's projection."""

    vocabulary: int = 151_936
    hidden: int = 1024
    tokens: int = 2048


QUICK = Sizes(vocabulary=20_000, tokens=512)
SIDES = ("ours", "trl", "dense")
VARIANTS = ("trained", "frozen", "kept", "bfloat16")
"""float32, projection trained; frozen (LoRA); its gradient there already, from an earlier micro-batch; bfloat16."""


@dataclass(frozen=True)
class Measured:
    """One side's run."""

    growth: float
    """MiB."""
    seconds: float
    """CPU time of forward and backward pass."""
    logprobs: float
    """Sum of the log-probabilities, and norms of the gradients, by which the sides are compared."""
    entropy: float
    hidden_norm: float
    weight_norm: float


def measure(side: str, variant: str = "trained", sizes: Sizes | None = None) -> Measured:
    """Runs one side in a fresh process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [
        str(PYTHON),
        "-m",
        "benches.logprob_memory",
        "--child",
        side,
        variant,
        json.dumps(asdict(sizes or Sizes())),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def agree(left: Measured, right: Measured) -> bool:
    """Whether two sides computed the same."""
    names = ("logprobs", "entropy", "hidden_norm", "weight_norm")
    return all(math.isclose(getattr(left, name), getattr(right, name), rel_tol=TOLERANCE) for name in names)


def _sides() -> dict[str, Callable[..., Any]]:
    import torch
    from rationale_rm.grpo import token_logprobs
    from trl.trainer.utils import (
        _CHUNKED_LOGPROB_CHUNK_SIZE,
        _ChunkedLogProbFunction,
        selective_log_softmax_and_entropy,
    )

    def ours(hidden: Any, weight: Any, targets: Any, *, kept: bool) -> Any:
        return token_logprobs(hidden, weight, targets, accumulate=kept)

    def trl(hidden: Any, weight: Any, targets: Any, *, kept: bool) -> Any:
        # As `add_fused_lm_head` calls it for GRPO, with its size of chunks.
        outputs = ("log_probs", "entropy")
        found = _ChunkedLogProbFunction.apply(
            hidden, weight, None, targets, 1.0, _CHUNKED_LOGPROB_CHUNK_SIZE, None, 1.0, outputs
        )
        return found[:2]

    def dense(hidden: Any, weight: Any, targets: Any, *, kept: bool) -> Any:
        logits = torch.nn.functional.linear(hidden, weight)
        return selective_log_softmax_and_entropy(logits, targets, entropy_requires_grad=False)

    return {"ours": ours, "trl": trl, "dense": dense}


def _resident(line: str) -> float:
    """A line of /proc/self/status in MiB."""
    (found,) = (text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith(line))
    return int(found.split()[1]) / 1024


def _run(side: str, variant: str, sizes: Sizes) -> Measured:
    import torch

    torch.set_num_threads(1)
    run = _sides()[side]
    dtype = torch.bfloat16 if variant == "bfloat16" else torch.float32
    trained, kept = variant != "frozen", variant == "kept"
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, std: float = 1.0) -> Any:
        return torch.empty(*shape, dtype=dtype).normal_(0, std, generator=generator)

    weight = normal(sizes.vocabulary, sizes.hidden, std=sizes.hidden**-0.5).requires_grad_(trained)
    hidden = normal(sizes.tokens, sizes.hidden).requires_grad_()
    targets = torch.randint(0, sizes.vocabulary, (sizes.tokens,), generator=generator)
    upstream = torch.randn(sizes.tokens, generator=generator)

    few = hidden.detach()[:4].clone().requires_grad_(), weight.detach()[:64].clone().requires_grad_(trained)
    run(*few, targets[:4] % 64, kept=False)[0].sum().backward()
    if kept:
        weight.grad = torch.ones_like(weight)
    Path("/proc/self/clear_refs").write_text("5")
    before, started = _resident("VmRSS"), time.process_time()
    logprobs, entropy = run(hidden, weight, targets, kept=kept)
    (logprobs * upstream).sum().backward()
    seconds, growth = time.process_time() - started, _resident("VmHWM") - before
    return Measured(
        growth=growth,
        seconds=seconds,
        logprobs=float(logprobs.detach().double().sum()),
        entropy=float(entropy.detach().double().sum()),
        hidden_norm=float(hidden.grad.float().norm()),
        weight_norm=float(weight.grad.float().norm()) if trained else 0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.logprob_memory", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"a small case: {QUICK}")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        side, variant, sizes = options.child
        print(json.dumps(asdict(_run(side, variant, Sizes(**json.loads(sizes))))))
        return
    sizes = QUICK if options.quick else Sizes()
    print(f"{sizes}\n{'variant':<10} {'side':<6} {'peak growth':>16} {'CPU time':>12}")
    for variant in VARIANTS:
        for side in SIDES:
            found = measure(side, variant, sizes)
            print(f"{variant:<10} {side:<6} {found.growth:>12.0f} MiB {found.seconds:>10.1f} s", flush=True)


if __name__ == "__main__":
    main()
