"""Judge calls and prompt tokens of one training step on a real vLLM server, against the released order.

Ours: `RationaleReward` with its gate and audit, and the MetaJudge prompt with what a group shares in front. Peer: every
answer is judged, with one prompt that has the model list, the human list and then the rubric (the same rubric as
ours, so that the lengths are alike). Calls and tokens are the server's own counts: tokens computed are the prompt
tokens that its prefix cache was asked for, less those it had.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rationale_rm import parse_genrm, prompts
from rationale_rm.engine import Sampling
from rationale_rm.judge import Answer, Caller, Limits, MetaJudge, OpenAIClient, Question
from rationale_rm.rewards import RationaleReward

from benches import judging_inputs
from benches.vllm_server import PYTHON, VllmServer

GROUPS = 256
FEW_GROUPS = 16
CONCURRENCY = 64
REASONING_CHARS = 0  # the answers are random text: only their prompts are measured
MAX_TOKENS = 256
CONTEXT = 6144


@dataclass(frozen=True)
class Counts:
    """What the server counted, and the seconds it took."""

    calls: float
    computed: float
    prompt_tokens: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """Both sides of one run."""

    ours: Counts
    peer: Counts
    n_answers: int
    audited: int


def peer_prompt(references: list[str], reasons: list[str], rubric: str) -> list[dict[str, str]]:
    """The released order: model list, human list, rubric, in one user message."""
    models = "\n".join(f"S{number}: {reason}" for number, reason in enumerate(reasons, 1))
    humans = "\n".join(f"R{number}: {reference}" for number, reference in enumerate(references, 1))
    text = f"The model list:\n{models}\n\nThe human list:\n{humans}\n\n{rubric}"
    return [{"role": "user", "content": text}]


def _peer_question(references: list[str], reasons: list[str], rubric: str) -> Question:
    prompt = prompts.Prompt(template="released order", messages=tuple(peer_prompt(references, reasons, rubric)))
    regex = prompts.metajudge_regex(len(references), len(reasons), reasoning_chars=REASONING_CHARS)
    return Question(
        key={"references": references, "reasons": reasons},
        prompt=lambda call: prompt,
        sampling=Sampling(max_tokens=MAX_TOKENS, regex=regex),
        check=lambda text: None,
    )


def measure(n_groups: int) -> Outcome:
    """Runs ours, then the peer, on a server of their own."""
    rows = judging_inputs.step(n_groups)
    parsed = parse_genrm(rows.texts)
    if parsed.reasons != rows.reasons:
        raise SystemExit("benchmark inputs: the answers are not read as they were written")
    if len({tuple(reasons) for reasons in rows.reasons}) != len(rows.reasons):
        raise SystemExit("benchmark inputs: equal lists would be judged once")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        make = [str(PYTHON), "-m", "benches.tiny_model", str(model), "--layers", "1"]
        subprocess.run(make, check=True, capture_output=True)
        with VllmServer(model, log=Path(folder) / "server.log", max_model_len=CONTEXT) as server:
            client = OpenAIClient(server.model_name, [server.base_url])
            audited = 0

            async def ours() -> None:
                nonlocal audited
                caller = Caller(client, limits=Limits(concurrency=CONCURRENCY))
                judge = MetaJudge(caller, reasoning_chars=REASONING_CHARS, max_tokens=MAX_TOKENS)
                batch = await RationaleReward(judge).score(
                    rows.texts, references=rows.references, labels=rows.labels, groups=rows.groups
                )
                right = np.array(rows.right)
                audited = int((batch.judged & ~right).sum())
                if not batch.judged[right].all() or any(batch.errors):
                    raise SystemExit(f"benchmark: an answer was not judged: {set(batch.errors)}")
                await caller.close()

            async def peer() -> None:
                caller = Caller(client, limits=Limits(concurrency=CONCURRENCY))
                rubric = prompts.metajudge(["r"], ["s"], key=caller.key, call="").messages[0]["content"]
                pairs = zip(rows.references, rows.reasons, strict=True)
                failed: list[str] = []

                def on_answer(_: int, answer: Answer) -> None:
                    failed.extend([answer.error] if answer.error else [])

                await caller.ask((_peer_question(*pair, rubric) for pair in pairs), on_answer)
                if failed:
                    raise SystemExit(f"benchmark: an answer of the peer was not judged: {failed[0]}")
                await caller.close()

            counts = [_counted(server, side()) for side in (ours, peer)]
    return Outcome(*counts, n_answers=len(rows.texts), audited=audited)


def _counted(server: VllmServer, work: Coroutine[Any, Any, None]) -> Counts:
    before, started = server.metrics(), time.perf_counter()
    asyncio.run(work)
    seconds = time.perf_counter() - started
    after = server.metrics()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    queries = grown("vllm:prefix_cache_queries_total")
    return Counts(
        calls=grown("vllm:request_success_total"),
        computed=queries - grown("vllm:prefix_cache_hits_total"),
        prompt_tokens=grown("vllm:prompt_tokens_total"),
        seconds=seconds,
    )
