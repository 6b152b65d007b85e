"""Sampling speed of vLLM in process against this package's transformers sampler, and of that against `generate`.

python -m benches.rollout [--rounds N] [--shape large|groups|small]

64 different prompts of 200 tokens, one answer of 128 tokens each, from a random Qwen3 of 26M parameters, float32 on
the CPU, all cores. groups: 8 such prompts, 8 answers each. small: transformers alone on one thread, about a step of the
demonstration, 8 prompts of 93 or 100 tokens, 8 answers of 60 tokens each, from a model of its size. Each contender
lives in a process of its own under the Python of `make setup-models`, and they take turns; those of this package must
first give the same greedy answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.vllm_server import PYTHON

TARGET = 1.5


@dataclass(frozen=True)
class Shape:
    """What is sampled, from which model, by whom."""

    prompts: int
    samples: int
    prompt_tokens: int
    tokens: int
    layers: int
    hidden: int
    contenders: tuple[str, ...]
    threads: int | None = None
    """None: all cores."""
    uneven: bool = False
    """Every second prompt is a few tokens shorter."""


LARGE = Shape(64, 1, 200, 128, layers=8, hidden=512, contenders=("vllm", "transformers"))
GROUPS = Shape(8, 8, 200, 128, layers=8, hidden=512, contenders=("vllm", "transformers"))
SMALL = Shape(
    8, 8, 100, 60, layers=3, hidden=192, contenders=("transformers", "generate"), threads=1, uneven=True
)  # fmt: skip
SHAPES = {"large": LARGE, "groups": GROUPS, "small": SMALL}
FEW_TOKENS = 32


@dataclass(frozen=True)
class Measured:
    """Tokens sampled a second by each contender, the medians of the rounds."""

    rates: dict[str, float]
    parameters: int
    rounds: int


class Sampler:
    """One contender in its process: `ask` has it work and gives its answer."""

    def __init__(self, contender: str, shape: str, model: Path):
        command = [str(PYTHON), "-m", "benches.rollout", "--child", contender, shape, str(model)]
        threads = SHAPES[shape].threads
        environment = {**os.environ, **({} if threads is None else {"OMP_NUM_THREADS": str(threads)})}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, turn: int, tokens: int, temperature: float) -> Any:
        """Each `turn` has prompts of its own: in training too no prompt is known from before, for new weights empty a
        cache of prefixes.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"turn": turn, "tokens": tokens, "temperature": temperature}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):  # vLLM prints there too
                return json.loads(line)
        raise SystemExit(f"benchmark: a contender ended with {self._process.wait()}")

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=60)


def measure(rounds: int, tokens: int | None = None, shape: str = "large") -> Measured:
    """Runs the contenders in turns, `rounds` times after a first one that warms them up."""
    how = SHAPES[shape]
    tokens = tokens or how.tokens
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        model = Path(folder) / "model"
        make = [str(PYTHON), "-m", "benches.rollout", "--make", shape, str(model)]
        parameters = int(subprocess.run(make, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        samplers = {}
        for name in how.contenders:
            samplers[name] = Sampler(name, shape, model)
            stack.callback(samplers[name].close)
        greedy = [samplers[name].ask(0, 16, 0.0)["answers"] for name in how.contenders if name != "generate"]
        if any(answers != greedy[0] for answers in greedy):
            raise SystemExit("benchmark: greedy answers differ")
        rates: dict[str, list[float]] = {name: [] for name in how.contenders}
        for turn in range(1, rounds + 2):
            for name, sampler in samplers.items():
                done = sampler.ask(turn, tokens, 1.0)
                if done["count"] < 0.9 * how.prompts * how.samples * tokens:
                    raise SystemExit("benchmark: answers ended early")
                if turn > 1:
                    rates[name].append(done["count"] / done["seconds"])
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return Measured(medians, parameters, rounds)


def _make(how: Shape, folder: Path) -> None:
    import torch
    import transformers

    from benches import tiny_model

    tiny_model.make(folder)  # for its tokenizer
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    size = 64 if how.hidden >= 512 else 32
    config = transformers.Qwen3Config(
        vocab_size=tiny_model.VOCABULARY, hidden_size=how.hidden, intermediate_size=3 * how.hidden,
        num_hidden_layers=how.layers, num_attention_heads=how.hidden // size,
        num_key_value_heads=how.hidden // size // 2, head_dim=size, max_position_embeddings=512,
        tie_word_embeddings=True, initializer_range=0.05, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    print(model.num_parameters())


Prompts = list[list[dict[str, str]]]


def _prompts(how: Shape, tokenizer: Any, turn: int) -> Prompts:
    """The prompts of a turn, which all begin differently."""
    found = []
    for number in range(turn * how.prompts, (turn + 1) * how.prompts):
        wanted = how.prompt_tokens - (7 * (number % 2) if how.uneven else 0)
        words = 1
        while True:
            messages = [{"role": "user", "content": f"{number}. " + "word" + " word" * words}]
            ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
            if len(ids) >= wanted:
                break
            words += 1
        assert len(ids) == wanted, "a word is a token"
        found.append(messages)
    return found


Draw = Callable[[Prompts, int, float], list[tuple[int, ...]]]


def _contender(name: str, how: Shape, model: Path, tokenizer: Any) -> Draw:
    """What gives the answers to prompts, of so many tokens at such a temperature."""
    import transformers
    from rationale_rm.rollout import HfRollouts, Rollouts, VllmRollouts

    rows = how.prompts * how.samples
    if name == "vllm":
        rollouts: Rollouts = VllmRollouts(model, max_model_len=512, max_num_seqs=rows)
    else:
        module = transformers.AutoModelForCausalLM.from_pretrained(model, dtype="float32")
        rollouts = HfRollouts(module, tokenizer, batch_size=rows)

    def ours(prompts: Prompts, tokens: int, temperature: float) -> list[tuple[int, ...]]:
        groups = rollouts.sample(
            prompts, how.samples, max_tokens=tokens, temperature=temperature, seeds=range(how.prompts)
        )
        return [one.token_ids for group in groups for one in group]

    def generate(prompts: Prompts, tokens: int, temperature: float) -> list[tuple[int, ...]]:
        """The same with `generate`: no log-probabilities, one seed for all."""
        tokenizer.padding_side = "left"
        batch = tokenizer.apply_chat_template(
            prompts, add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True
        )
        config = transformers.GenerationConfig(
            do_sample=True, top_k=0, top_p=1.0, temperature=temperature, max_new_tokens=tokens,
            num_return_sequences=how.samples, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        answers = module.generate(**batch, generation_config=config)[:, batch["input_ids"].shape[1] :]
        return [tuple(token for token in answer if token != tokenizer.pad_token_id) for answer in answers.tolist()]

    return generate if name == "generate" else ours


def _serve(name: str, how: Shape, model: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    draw = _contender(name, how, model, tokenizer)
    for line in sys.stdin:
        asked = json.loads(line)
        prompts = _prompts(how, tokenizer, asked["turn"])
        started = time.perf_counter()
        answers = draw(prompts, asked["tokens"], asked["temperature"])
        seconds = time.perf_counter() - started
        print(json.dumps({"count": sum(map(len, answers)), "seconds": seconds, "answers": answers}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.rollout", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=SHAPES, default="large")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        _make(SHAPES[options.make[0]], Path(options.make[1]))
    elif options.child:
        name, shape, model = options.child
        _serve(name, SHAPES[shape], Path(model))
    else:
        found = measure(options.rounds, shape=options.shape)
        first, second = found.rates
        print(f"{found.parameters / 1e6:.1f}M parameters; tokens/s: {first} {found.rates[first]:.0f}, "
              f"{second} {found.rates[second]:.0f}: {found.rates[first] / found.rates[second]:.2f}x")  # fmt: skip


if __name__ == "__main__":
    main()
