"""How fast judge answers come in: ours against the released way, on a server that answers at once.

``python -m benches.judge_client --soak 100000`` runs ours alone for so many requests and follows its memory.
"""

import argparse
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

from rationale_rm.judge import Cache, Caller, Limits, MetaJudge, OpenAIClient, loop
from rationale_rm.types import MatchRequest, MatchResult

from benches import inputs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers.process import ScriptedServer

REQUESTS = 2000
THREADS = 50
CONCURRENCY = 64
TARGET = 1.5
SOAK_STEPS = 10
_LINE = re.compile(r"- R(\d+)@S(\d+): ([\d.]+)")


def requests(n: int, start: int = 0) -> Iterator[MatchRequest]:
    """Questions that all differ: five authored reasons each, and one human reason, as `null` answers for one."""
    sentences = cycle(inputs.REASONS)
    for number in range(start, start + n):
        yield MatchRequest(
            id=f"q{number}",
            critique_id=f"c{number}",
            pair_id=f"p{number}",
            model="m",
            references=(next(sentences),),
            reasons=(f"{number}. {next(sentences)}", *(next(sentences) for _ in range(4))),
        )


def ours(url: str, asked: list[MatchRequest]) -> float:
    """Requests a second of MetaJudge with a cold cache on disk, until the last answer is matched to its request."""
    with tempfile.TemporaryDirectory() as folder:
        caller = Caller(
            OpenAIClient("judge", [url]),
            cache=Cache(Path(folder) / "cache.sqlite"),
            limits=Limits(concurrency=CONCURRENCY),
        )
        began = time.perf_counter()
        results = loop.run(MetaJudge(caller).match(asked))
        seconds = time.perf_counter() - began
        loop.run(caller.close())
    if not all(result.answered for result in results):
        raise SystemExit("benchmark judge_client_throughput: a request was not answered")
    return len(asked) / seconds


def released_way(url: str, prompts: list[str]) -> float:
    """Requests a second of the official synchronous client under 50 threads, each answer read by one regex. No
    cache, no markers, no checks; prompts are ready before the clock starts.
    """
    import openai

    client = openai.OpenAI(base_url=url, api_key="none")

    def ask(prompt: str) -> int:
        answer = client.chat.completions.create(
            model="judge", messages=[{"role": "user", "content": prompt}], temperature=0, max_tokens=2048
        )
        return len(_LINE.findall(answer.choices[0].message.content or ""))

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(ask, prompts))
    seconds = time.perf_counter() - began
    client.close()
    if not all(found):
        raise SystemExit("benchmark judge_client_throughput: the peer read no score")
    return len(prompts) / seconds


def plain_prompts(asked: list[MatchRequest]) -> list[str]:
    """Prompts as long as ours."""
    caller = Caller(OpenAIClient("judge", ["http://127.0.0.1:9/v1"]))
    judge = MetaJudge(caller)
    return ["\n".join(m["content"] for m in judge.question(request).prompt("x").messages) for request in asked]


def measure(rounds: int) -> tuple[float, float]:
    """Median requests a second of ours and of the peer, in turns."""
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    with ScriptedServer(mode="null") as server:
        url = server.url
        assert url is not None
        prompts = plain_prompts(list(requests(REQUESTS)))
        for round_ in range(-1, rounds):  # round -1 warms up
            asked = list(requests(REQUESTS, start=(round_ + 1) * REQUESTS))
            for name, rate in (("ours", ours(url, asked)), ("peer", released_way(url, prompts))):
                if round_ >= 0:
                    rates[name].append(rate)
    return statistics.median(rates["ours"]), statistics.median(rates["peer"])


def soak(n: int) -> list[dict[str, float]]:
    """Memory of one process over `n` requests: resident set now and its peak, in MiB, a line a tenth."""
    steps = []
    ended = 0
    began = time.perf_counter()

    def on_result(result: MatchResult) -> None:
        nonlocal ended
        ended += 1
        if not result.answered:
            raise SystemExit(f"request {result.request_id} was not answered: {result.error}")
        if ended % (n // SOAK_STEPS) == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            step = {
                "requests": ended,
                "rss_mib": round(_resident(), 1),
                "peak_mib": round(peak, 1),
                "per_second": round(ended / (time.perf_counter() - began)),
            }
            print(json.dumps(step), flush=True)
            steps.append(step)

    with ScriptedServer(mode="null") as server, tempfile.TemporaryDirectory() as folder:
        caller = Caller(
            OpenAIClient("judge", [str(server.url)]),
            cache=Cache(Path(folder) / "cache.sqlite"),
            limits=Limits(concurrency=CONCURRENCY),
        )
        loop.run(MetaJudge(caller).match_each(requests(n), on_result))
        loop.run(caller.close())
    return steps


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soak", type=int, default=100_000, help="requests (100000)")
    options = parser.parse_args()
    taken = soak(options.soak)
    grown = taken[-1]["rss_mib"] - taken[0]["rss_mib"]
    print(f"resident memory from a tenth of the run to its end: {grown:+.1f} MiB")
