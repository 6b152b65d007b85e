"""Rewards over HTTP against the same scoring in process, in batches as trainers send them.

``python -m benches.server [--soak SECONDS]``: throughput, or memory under load.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import rationale_rm as rr
from rationale_rm import world
from rationale_rm.rewards import RewardSettings

from benches import inputs
from benches.server_load import load, post, resident, server

ROWS = 64
SIZE = 2000
"""Characters of an answer; reasoning that a trainer cuts off is not sent."""
CONNECTIONS = 4
SECONDS = 5.0
TARGET = 10_000
SOAK_STEPS = 10


@dataclass(frozen=True)
class Found:
    """Critiques a second over HTTP and in process, and the 99th percentile of a request in milliseconds."""

    rate: float
    in_process: float
    slowest: float
    body: int


def recorded() -> dict[str, Any]:
    """A batch for ``/v1/score`` whose judge answers come with it, some of them broken as judges break them."""
    step = inputs.step(ROWS, SIZE)
    sentences = inputs.REASONS
    return {
        "texts": step.completions,
        "references": [list(sentences[:count]) for count in step.n_references.tolist()],
        "labels": [None if label == rr.NO_VERDICT else label for label in step.labels.tolist()],
        "judge_answers": [[answer] for answer in step.answers],
    }


def judged() -> dict[str, Any]:
    """A batch for ``/v1/rewards`` of the synthetic world, in groups of eight, for a judge that compares words."""
    rng = random.Random(1)
    settings = world.AnnotatorSettings(careful=0.7)
    pairs = [pair for pair in world.pairs(world.WorldSettings(), "train", ROWS // 8) for _ in range(8)]
    return {
        "texts": [world.demonstrate(pair, settings, rng) for pair in pairs],
        "references": [list(pair.references) for pair in pairs],
        "labels": [pair.label for pair in pairs],
        "groups": [row // 8 for row in range(ROWS)],
    }


def score_in_process(batch: dict[str, Any]) -> list[float]:
    """What ``/v1/score`` does of a batch: AP of each row, and the verdict's outcome beside it."""
    parsed = rr.parse_genrm(batch["texts"])
    answers = [texts[0] for texts in batch["judge_answers"]]
    read = rr.parse_metajudge(answers, [len(texts) for texts in batch["references"]], parsed.n_reasons)
    scores = rr.score(rr.match(read))
    labels = [rr.NO_VERDICT if label is None else label for label in batch["labels"]]
    rr.outcome_reward(parsed.verdict, np.array(labels, dtype=np.int8))
    settled: list[float] = np.where(parsed.n_reasons == 0, 0.0, scores.ap).tolist()  # no reasons: no judge is needed
    return settled


def measure_recorded(seconds: float) -> Found:
    """``/v1/score`` with recorded judge answers."""
    return measure("/v1/score", recorded(), "ap", score_in_process, seconds)


def measure_judged(seconds: float) -> Found:
    """``/v1/rewards`` with the lexical judge."""
    reward = RewardSettings(judge="lexical").open()
    return measure("/v1/rewards", judged(), "reward", lambda batch: reward(**batch).reward.tolist(), seconds)


def measure(path: str, batch: dict[str, Any], column: str, ours: Callable[..., list[float]], seconds: float) -> Found:
    """Both sides; raises where they differ."""
    body = json.dumps(batch).encode()
    with server() as served:
        answer = [math.nan if value is None else value for value in post(served.port, path, body)[column]]
        if not np.array_equal(answer, ours(batch), equal_nan=True):
            raise SystemExit(f"benchmark inputs: {path} and the scoring in process differ in {column}")
        load(served.port, path, body, seconds=1.0, connections=CONNECTIONS)
        taken = load(served.port, path, body, seconds=seconds, connections=CONNECTIONS)
    return Found(
        rate=len(taken) * ROWS / seconds,
        in_process=_in_process(batch, ours, seconds / 2),
        slowest=float(np.percentile(taken, 99)) * 1000,
        body=len(body),
    )


def _in_process(batch: dict[str, Any], ours: Callable[..., list[float]], seconds: float) -> float:
    """Critiques a second."""
    ours(batch)
    taken = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        ours(batch)
        taken.append(time.perf_counter() - began)
    return ROWS / statistics.median(taken)


def soak(seconds: float) -> list[dict[str, float]]:
    """Memory of the server under load, a line a tenth of the time."""
    body = json.dumps(recorded()).encode()
    steps = []
    with server("--quiet") as served:
        load(served.port, "/v1/score", body, seconds=min(10.0, seconds / 10), connections=CONNECTIONS)
        print(json.dumps({"warm_rss_mib": round(resident(served.pid), 1)}), flush=True)
        for _ in range(SOAK_STEPS):
            taken = load(served.port, "/v1/score", body, seconds=seconds / SOAK_STEPS, connections=CONNECTIONS)
            step = {
                "critiques": len(taken) * ROWS,
                "per_second": round(len(taken) * ROWS / (seconds / SOAK_STEPS)),
                "p99_ms": round(float(np.percentile(taken, 99)) * 1000, 1),
                "rss_mib": round(resident(served.pid), 1),
            }
            print(json.dumps(step), flush=True)
            steps.append(step)
    return steps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="follow the server's memory for so long")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of load a figure ({SECONDS:g})")
    options = parser.parse_args()
    if options.soak:
        steps = soak(options.soak)
        grown = steps[-1]["rss_mib"] - steps[0]["rss_mib"]
        print(f"resident memory from a tenth of the run to its end: {grown:+.1f} MiB")
    else:
        print("/v1/score, judge answers in the request:", measure_recorded(options.seconds))
        print("/v1/rewards, lexical judge:", measure_judged(options.seconds))
