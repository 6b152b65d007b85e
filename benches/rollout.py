"""Sampling speed of vLLM in process against this package's transformers sampler, through `Rollouts.sample`.

python -m benches.rollout [--rounds N]

64 different prompts of 200 tokens, one answer of 128 tokens each, from a random Qwen3 of 26M parameters, float32 on the
CPU, all cores. Each engine lives in a process of its own under the Python of `make setup-models`, and they take
turns; both must first give the same greedy answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.vllm_server import PYTHON

TARGET = 1.5
PROMPTS = 64
PROMPT_TOKENS = 200
TOKENS = 128
FEW_TOKENS = 32
ENGINES = ("vllm", "transformers")


@dataclass(frozen=True)
class Measured:
    """Both engines."""

    vllm: float
    """Tokens sampled a second, the median of the rounds."""
    transformers: float
    parameters: int
    rounds: int


class Sampler:
    """One engine in its process: ``ask`` has it work and gives its answer."""

    def __init__(self, engine: str, model: Path):
        command = [str(PYTHON), "-m", "benches.rollout", "--child", engine, str(model)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):  # vLLM prints there too
                return json.loads(line)
        raise SystemExit(f"benchmark: an engine ended with {self._process.wait()}")

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=60)


def measure(rounds: int, tokens: int = TOKENS) -> Measured:
    """Runs both engines in turns, `rounds` times after a first one that warms them up."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        subprocess.run([str(PYTHON), "-m", "benches.rollout", "--make", str(model)], check=True, capture_output=True)
        with contextlib.ExitStack() as stack:
            samplers = {}
            for name in ENGINES:
                samplers[name] = Sampler(name, model)
                stack.callback(samplers[name].close)
            greedy = [sampler.ask({"tokens": 16, "temperature": 0.0}) for sampler in samplers.values()]
            if greedy[0]["answers"] != greedy[1]["answers"]:
                raise SystemExit("benchmark: the engines' greedy answers differ")
            rates: dict[str, list[float]] = {name: [] for name in ENGINES}
            for round_ in range(-1, rounds):
                for name, sampler in samplers.items():
                    done = sampler.ask({"tokens": tokens, "temperature": 1.0})
                    if done["count"] < 0.9 * PROMPTS * tokens:
                        raise SystemExit("benchmark: answers ended early")
                    if round_ >= 0:
                        rates[name].append(done["count"] / done["seconds"])
    return Measured(
        **{name: statistics.median(found) for name, found in rates.items()},
        parameters=greedy[1]["parameters"],
        rounds=rounds,
    )


def _make(folder: Path) -> None:
    import torch
    import transformers

    from benches import tiny_model

    tiny_model.make(folder)  # for its tokenizer
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.Qwen3Config(
        vocab_size=tiny_model.VOCABULARY, hidden_size=512, intermediate_size=1536, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=4, head_dim=64, max_position_embeddings=512,
        tie_word_embeddings=True, initializer_range=0.05, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def _prompts(tokenizer: Any) -> list[list[dict[str, str]]]:
    """Prompts that begin differently, each of `PROMPT_TOKENS` tokens."""
    found = []
    for number in range(PROMPTS):
        words = 1
        while True:
            messages = [{"role": "user", "content": f"{number}. " + "word" + " word" * words}]
            ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
            if len(ids) >= PROMPT_TOKENS:
                break
            words += 1
        assert len(ids) == PROMPT_TOKENS, "a word is a token"
        found.append(messages)
    return found


def _serve(engine: str, model: Path) -> None:
    import transformers
    from rationale_rm.rollout import HfRollouts, Rollouts, VllmRollouts

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    parameters = 0
    if engine == "vllm":
        rollouts: Rollouts = VllmRollouts(model, max_model_len=512, max_num_seqs=PROMPTS)
    else:
        module = transformers.AutoModelForCausalLM.from_pretrained(model, dtype="float32")
        parameters = module.num_parameters()
        rollouts = HfRollouts(module, tokenizer, batch_size=PROMPTS)
    prompts = _prompts(tokenizer)
    for line in sys.stdin:
        what = json.loads(line)
        started = time.perf_counter()
        groups = rollouts.sample(
            prompts, 1, max_tokens=what["tokens"], temperature=what["temperature"], seeds=range(PROMPTS)
        )
        seconds = time.perf_counter() - started
        answers = [group[0].token_ids for group in groups]
        count = sum(map(len, answers))
        print(
            json.dumps({"count": count, "seconds": seconds, "answers": answers, "parameters": parameters}), flush=True
        )
    rollouts.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.rollout", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        _make(options.make)
    elif options.child:
        _serve(options.child[0], Path(options.child[1]))
    else:
        found = measure(options.rounds)
        ratio = found.vllm / found.transformers
        print(f"vLLM {found.vllm:.0f}, transformers {found.transformers:.0f} tokens/s: {ratio:.2f}x")


if __name__ == "__main__":
    main()
