"""The cases: each checks that ours and the peer agree on its inputs, then times both in turns.

Import only after `RAYON_NUM_THREADS` is set as it is to be: the core reads it once.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import rationale_rm as rr

from benches import inputs, peers
from benches.timing import medians

KB = 1000
US, MS = 1e6, 1e3

# What bounds the cases that have missed their target, found with perf (docs/benchmarks.md).
JUDGE_BOUND = "cache misses of the first, backward pass over each text (almost half), and reading entries byte by byte"
MATCH_BOUND = "the exact search (two fifths) and telling which optimum is the earliest (a fifth, with ties a third)"
STEP_BOUND = "cache misses where each text is first touched (two fifths), and reading reasons and entries"


@dataclass(frozen=True)
class Entry:
    """One entry of build/bench.json, with the ratio to reach and what bounds it where it is missed."""

    name: str
    ours: float
    peer: float | None
    unit: str
    note: str
    target: float | None = None
    bound: str = "see docs/benchmarks.md"

    @property
    def ratio(self) -> float | None:
        return None if self.peer is None else self.peer / self.ours

    @property
    def met(self) -> bool | None:
        return None if self.target is None or self.ratio is None else self.ratio >= self.target

    def as_json(self) -> dict[str, str | float | None]:
        note = self.note
        if self.target is not None:
            note += f"; target ≥{self.target:g}x: {'met' if self.met else f'missed: bounded by {self.bound}'}"
        ratio = None if self.ratio is None else round(self.ratio, 3)
        peer = None if self.peer is None else round(self.peer, 4)
        return {
            "name": self.name,
            "ours": round(self.ours, 4),
            "peer": peer,
            "unit": self.unit,
            "ratio": ratio,
            "note": note,
        }


def threads() -> str:
    return (
        "CPU time, one thread" if os.environ.get("RAYON_NUM_THREADS") == "1" else f"wall time, {os.cpu_count()} threads"
    )


def check(agree: bool, what: str) -> None:
    if not agree:
        raise SystemExit(f"benchmark inputs: ours and the peer differ in {what}")


def parse_metajudge(rounds: int) -> list[Entry]:
    n = 2048
    rows = inputs.judge_answers(n)
    sizes = list(zip(rows.texts, rows.n_references.tolist(), rows.n_reasons.tolist(), strict=True))

    def ours() -> rr.MetaJudgeBatch:
        return rr.parse_metajudge(rows.texts, rows.n_references, rows.n_reasons)

    def peer() -> list[tuple[str, peers.Entries]]:
        return [peers.metajudge(text, *counts) for text, *counts in sizes]

    batch, rows_of_peer = ours(), peer()
    for row, (status, entries) in enumerate(rows_of_peer):
        span = slice(*batch.row_offsets[row : row + 2])
        columns = (batch.reference[span].tolist(), batch.reason[span].tolist(), batch.score[span].tolist())
        check(rr.METAJUDGE_STATUSES[batch.status[row]] == status, f"status of row {row}: {status}")
        check(list(zip(*columns, strict=True)) == entries, f"entries of row {row}")
    statuses = {status for status, _ in rows_of_peer}
    took = medians({"ours": ours, "peer": peer}, rounds=rounds)
    lengths = [len(text) for text in rows.texts]
    note = (
        f"{n} answers, median {int(np.median(lengths))} bytes ({min(lengths)}-{max(lengths)}), 3-7 lines, "
        f"{(batch.status != 0).mean():.0%} broken in {len(statuses) - 1} ways; peer: precompiled regexes, "
        f"same checks but no offsets or lines, exact tags only; results verified equal; {threads()}"
    )
    return [
        Entry(
            "parse_metajudge",
            took["ours"] / n * US,
            took["peer"] / n * US,
            "µs per answer",
            note,
            15,
            JUDGE_BOUND,
        )
    ]


def _genrm_contenders() -> dict[str, Callable[[list[str]], list[str | None]]]:
    def each(find: Callable[[str], str | None]) -> Callable[[list[str]], list[str | None]]:
        return lambda texts: [find(text) for text in texts]

    return {
        "first": each(peers.first_block),
        "rfind": each(peers.first_block_rfind),
        "strip": each(peers.stripped_block),
    }


def _fresh(encoded: list[bytes]) -> Callable[[], tuple[list[str]]]:
    """New str objects for every call: CPython keeps the UTF-8 form of a non-ASCII str it was asked for."""
    return lambda: ([text.decode() for text in encoded],)


def _check_genrm(texts: list[str]) -> None:
    batch = rr.parse_genrm(texts)
    check(bool((batch.status == 0).all()) and bool((batch.n_reasons == 5).all()), "the parsed GenRM answers")
    for text, reasons, verdict in zip(texts, batch.reasons, batch.verdict, strict=True):
        block = peers.first_block(text)
        check(block is not None and peers.REASON.findall(block) == reasons, "the reasons")
        check(block == peers.first_block_rfind(text) == peers.stripped_block(text), "the block")
        check(block is not None and inputs.BOXES[int(verdict)] in block, "the verdict")


def _genrm_note(n: int, what: str) -> str:
    return f"{n} fresh {what}, ours gives 5 reasons, verdict and offset; {threads()}"


def parse_genrm_48kb(rounds: int) -> list[Entry]:
    n = 256
    texts = inputs.completions(n, 48 * KB)
    _check_genrm(texts)
    took = medians(
        {"ours": rr.parse_genrm, **_genrm_contenders()},
        rounds=rounds,
        fresh=_fresh([t.encode() for t in texts]),
    )
    each = {name: seconds / n * US for name, seconds in took.items()}
    note = _genrm_note(n, "ASCII strings of 48 KB")
    unit = "µs per text"
    return [
        Entry(
            "parse_genrm_48kb", each["ours"], each["first"], unit,
            f"{note}; peer does less: precompiled regex for the first block, nothing read in it", 10,
        ),
        Entry(
            "parse_genrm_48kb_rfind", each["ours"], each["rfind"], unit,
            f"{note}; peer does less: str.rfind of both tags and a slice, nothing read in it",
        ),
        Entry(
            "parse_genrm_48kb_strip_regex", each["ours"], each["strip"], unit,
            f"{note}; peer does less: reasoning removed by a regex, then the first block, nothing read in it",
        ),
    ]  # fmt: skip


def parse_genrm_48kb_non_ascii(rounds: int) -> list[Entry]:
    n = 256
    texts = inputs.completions(n, 48 * KB, chinese=True)
    _check_genrm(texts)
    contenders = {
        "ours": rr.parse_genrm,
        "first": _genrm_contenders()["first"],
        "encode": lambda texts: [text.encode() for text in texts],
    }
    took = medians(contenders, rounds=rounds, fresh=_fresh([t.encode() for t in texts]))
    each = {name: seconds / n * US for name, seconds in took.items()}
    size = int(np.median([len(text.encode()) for text in texts]))
    share = each["encode"] / each["ours"]
    note = (
        f"{_genrm_note(n, f'strings with Chinese reasoning, {size} bytes as UTF-8')}; peer does less: "
        f"precompiled regex for the first block, nothing read in it; CPython must encode such a str before "
        f"native code can borrow it: s.encode() alone takes {each['encode']:.1f} µs, {share:.0%} of ours"
    )
    return [Entry("parse_genrm_48kb_non_ascii", each["ours"], each["first"], "µs per text", note)]


def _match(name: str, rounds: int, *, rubric: bool) -> list[Entry]:
    n = 2048
    scores, n_references, n_reasons = inputs.score_tables(n, rubric=rubric)
    problems = [
        np.ascontiguousarray(table[:height, :width])
        for table, height, width in zip(scores, n_references, n_reasons, strict=True)
    ]

    def ours() -> np.ndarray:
        return rr.match(scores, n_references, n_reasons).total

    def peer() -> list[float]:
        return [peers.assigned(problem) for problem in problems]

    check(bool(np.allclose(ours(), peer(), rtol=0, atol=1e-9)), "the totals")
    took = medians({"ours": ours, "peer": peer}, rounds=rounds)
    kind = "scores in {0, .25, .5, .75, 1}" if rubric else "uniform scores"
    note = (
        f"{n} problems of 3-7 x 3-8, {kind}, one padded array; ours also gives the pairs, of tied optima the "
        f"earliest; peer: linear_sum_assignment and the sum, a call for each prebuilt matrix; totals "
        f"verified equal; {threads()}"
    )
    return [Entry(name, took["ours"] / n * US, took["peer"] / n * US, "µs per problem", note, 10, MATCH_BOUND)]


def match_dense(rounds: int) -> list[Entry]:
    return _match("match_dense", rounds, rubric=False)


def match_dense_rubric(rounds: int) -> list[Entry]:
    return _match("match_dense_rubric", rounds, rubric=True)


def similarity_token_set(rounds: int) -> list[Entry]:
    n = 512
    references, reasons = inputs.reason_lists(n)
    batch = rr.similarity(references, reasons)
    for row, exact in enumerate(peers.token_set(references, reasons, np.float64)):
        found = batch.scores[row, : exact.shape[0], : exact.shape[1]]
        check(bool(np.allclose(found, exact / 100, rtol=0, atol=1e-6)), f"similarity of row {row}")
    dtypes = {dtype.__name__: dtype for dtype in (np.uint8, np.float32, np.float64)}
    contenders: dict[str, Callable[[], object]] = {
        name: lambda dtype=dtype: peers.token_set(references, reasons, dtype) for name, dtype in dtypes.items()
    }
    took = medians({"ours": lambda: rr.similarity(references, reasons), **contenders}, rounds=rounds)
    fastest = min(dtypes, key=took.__getitem__)
    cells = sum(len(left) * len(right) for left, right in zip(references, reasons, strict=True))
    note = (
        f"{n} pairs of lists, 3-7 x 3-8 texts of 60-200 characters, {cells} cells; peer: process.cdist "
        f"for each, workers=1, {fastest} (the fastest of {', '.join(dtypes)}); verified "
        f"equal to 1e-6; {threads()}"
    )
    entry = Entry(
        "similarity_token_set", took["ours"] / n * US, took[fastest] / n * US, "µs per pair of lists", note, 2
    )
    return [entry]


@cache
def _step() -> inputs.Step:
    return inputs.step(2048, 48 * KB)


def our_step(rows: inputs.Step) -> np.ndarray:
    critiques = rr.parse_genrm(rows.completions)
    judged = rr.parse_metajudge(rows.answers, rows.n_references, critiques.n_reasons)
    rationale = rr.score(rr.match(judged)).ap
    outcome = rr.outcome_reward(critiques.verdict, rows.labels)
    rewards = rr.hybrid_reward(rationale, outcome, malformed=critiques.status != 0)
    return rr.group_advantages(rewards, rows.groups)


def reward_step(rounds: int) -> list[Entry]:
    rows = _step()
    n_references = rows.n_references.tolist()

    def peer(*, plain: bool) -> np.ndarray:
        return peers.step(rows.completions, rows.answers, n_references, rows.labels, rows.group_size, plain=plain)

    advantages = our_step(rows)
    check(bool(np.abs(advantages[~np.isnan(advantages)]).sum() > 100), "having any signal")
    for plain in (False, True):
        check(
            bool(np.allclose(advantages, peer(plain=plain), rtol=0, atol=1e-9, equal_nan=True)),
            "the advantages",
        )
    encoded = [text.encode() for text in rows.completions + rows.answers]
    contenders = {
        "ours": lambda: our_step(rows),
        "regex": lambda: peer(plain=False),
        "plain": lambda: peer(plain=True),
        "pass": lambda: sum(text.count(b"\xff") for text in encoded),
    }
    took = {name: seconds * MS for name, seconds in medians(contenders, rounds=rounds).items()}
    size = sum(map(len, encoded)) / 1e6
    note = (
        f"{len(rows.completions)} ASCII completions of 48 KB in groups of {rows.group_size}, each with a "
        f"judge answer of 1-2 KB ({size:.0f} MB, built once: nothing is cached for an ASCII str); one pass "
        f"over these bytes (bytes.count) takes {took['pass']:.2f} ms, ours {took['ours']:.2f} ms, as it "
        f"never reads the reasoning; advantages verified equal to 1e-9; {threads()}"
    )
    return [
        Entry(
            "reward_step", took["ours"], took["regex"], "ms per step",
            f"{note}; peer: block regex over the text, regex metajudge, scipy a row, numpy", 15, STEP_BOUND,
        ),
        Entry(
            "reward_step_plain", took["ours"], took["plain"], "ms per step",
            f"{note}; peer: the best plain Python we know: str.rpartition before any regex, and no scipy, "
            "which one S a reference does not need",
        ),
    ]  # fmt: skip


def parse_genrm_48kb_mt(rounds: int) -> list[Entry]:
    first = parse_genrm_48kb(rounds)[0]
    return [Entry("parse_genrm_48kb_mt", first.ours, first.peer, first.unit, first.note)]


def reward_step_mt(rounds: int) -> list[Entry]:
    first = reward_step(rounds)[0]
    return [Entry("reward_step_mt", first.ours, first.peer, first.unit, first.note)]


def bootstrap_ci(rounds: int) -> list[Entry]:
    n, n_resamples = 1000, 10_000
    values = np.random.default_rng(6).beta(2, 3, n)
    ours, peer = rr.bootstrap_ci(values, n_resamples=n_resamples), peers.bootstrap(values, n_resamples)
    width = peer[2] - peer[1]
    check(bool(np.allclose((ours.mean, ours.low, ours.high), peer, rtol=0, atol=width / 10)), "the interval")
    took = medians(
        {
            "ours": lambda: rr.bootstrap_ci(values, n_resamples=n_resamples),
            "peer": lambda: peers.bootstrap(values, n_resamples),
        },
        rounds=rounds,
    )
    note = (
        f"{n} values x {n_resamples} resamples; peer: numpy, indices and means in chunks of 200 resamples; "
        f"intervals agree to a tenth of their width (the draws differ); {threads()}"
    )
    return [Entry("bootstrap_ci", took["ours"] * MS, took["peer"] * MS, "ms per interval", note, 5)]


def import_time(rounds: int) -> list[Entry]:
    def start(module: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    def clock() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    took = medians({module: start(module) for module in ("rationale_rm", "numpy")}, rounds=rounds, clock=clock)
    whole, numpy = took["rationale_rm"] * MS, took["numpy"] * MS
    note = (
        f"median CPU time of `python -c 'import rationale_rm'` ({whole:.1f} ms) less that of `import numpy` "
        f"({numpy:.1f} ms); no peer"
    )
    return [Entry("import_time", whole - numpy, None, "ms beyond numpy", note)]


def judge_client_throughput(rounds: int) -> list[Entry]:
    from benches import judge_client

    mine, peer = judge_client.measure(min(rounds, 7))
    note = (
        f"{judge_client.REQUESTS} distinct requests of about 7 KB a round, a server on loopback that answers at once, "
        "two cores shared with it; ours: MetaJudge with markers, checks and a cold SQLite cache; peer: the official "
        "synchronous client "
        f"under {judge_client.THREADS} threads, the same prompts ready made, one regex an answer (the released way); "
        f"ours {mine:.0f}, peer {peer:.0f} requests/s; wall time"
    )
    return [
        Entry(
            "judge_client_throughput",
            1000 / mine,
            1000 / peer,
            "ms per request",
            note,
            judge_client.TARGET,
            "the official client's own work for each call (headers, URLs, transport: three fifths of ours)",
        )
    ]


def vllm_judging(rounds: int) -> list[Entry]:
    from benches import vllm_judging

    found = vllm_judging.measure(vllm_judging.GROUPS if rounds >= 5 else vllm_judging.FEW_GROUPS)
    ours, peer = found.ours, found.peer
    note = (
        f"{found.n_answers} answers in groups of 8, 75% of the verdicts right, one step on a real vLLM server on CPU "
        f"with a tiny model; ours: RationaleReward with gate and 5% audit ({found.audited} audited); peer: all answers "
        "judged, in one prompt of model list, human list and the same rubric; both constrained and 64 calls at once"
    )
    took = f"one run; ours took {ours.seconds:.0f} s, the peer {peer.seconds:.0f} s"
    computed = (
        f"{note}; prompt tokens less those that vLLM's prefix cache (blocks of 128) had, by its metrics; sent: ours "
        f"{ours.prompt_tokens:.0f}, peer {peer.prompt_tokens:.0f}; {took}"
    )
    return [
        Entry("judge_calls", ours.calls, peer.calls, "calls per step", f"{note}; counted by vLLM; {took}", 1.25),
        Entry("judge_prompt_tokens", ours.computed, peer.computed, "tokens per step", computed, 4),
    ]


def rollout_vllm(rounds: int) -> list[Entry]:
    from benches import rollout

    found = rollout.measure(*((min(rounds, 5),) if rounds >= 5 else (1, rollout.FEW_TOKENS)))
    how, (vllm, peer) = rollout.LARGE, found.rates.values()
    note = (
        f"{how.prompts} different prompts of {how.prompt_tokens} tokens, an answer of {how.tokens} tokens each, random "
        f"Qwen3 of {found.parameters / 1e6:.0f}M parameters, float32, all cores, wall time, {found.rounds} rounds; "
        "ours: vLLM in process; peer: our own transformers sampler, all answers in one batch; greedy answers verified "
        f"equal; vLLM {vllm:.0f}, transformers {peer:.0f} tokens/s"
    )
    return [Entry("rollout_vllm", US / vllm, US / peer, "µs per token", note, rollout.TARGET)]


def logprob_peak_memory(rounds: int) -> list[Entry]:
    from benches import logprob_memory as memory

    sizes = memory.Sizes() if rounds >= 5 else memory.QUICK
    found = {side: memory.measure(side, sizes=sizes) for side in memory.SIDES}
    ours, peer, dense = (found[side] for side in memory.SIDES)
    check(memory.agree(ours, peer) and memory.agree(ours, dense), "the log-probabilities or their gradients")
    note = (
        f"log-probabilities and entropies of {sizes.tokens} tokens, hidden {sizes.hidden}, vocabulary "
        f"{sizes.vocabulary}, float32, projection trained: forward and backward, its gradient "
        f"({sizes.vocabulary * sizes.hidden / 2**18:.0f} MiB) included; peer: TRL's fused head; each in a fresh "
        f"process on one thread; sums and norms of gradients verified equal; dense logits take {dense.growth:.0f} MiB "
        f"and {dense.seconds:.1f} s"
    )
    return [
        Entry("logprob_peak_memory", ours.growth, peer.growth, "MiB of growth", note, memory.TARGET),
        Entry("logprob_seconds", ours.seconds, peer.seconds, "s of CPU time", f"{note}; one run each", 1),
    ]


def grpo_step_vs_trl(rounds: int) -> list[Entry]:
    from benches import grpo_step as grpo

    sizes = grpo.Sizes() if rounds >= 5 else grpo.QUICK
    found = grpo.measure(sizes)
    per_second = {side: found.tokens / value for side, value in (("ours", found.ours), ("trl", found.trl))}
    note = (
        f"whole steps of the loop ({grpo.PROMPTS} prompts of about {found.prompt_tokens // grpo.PROMPTS} tokens, "
        f"{grpo.SAMPLES} answers of {grpo.TOKENS} each, model of recipe tiny-cpu, one AdamW update) and of TRL's "
        "GRPOTrainer: transformers' sampling with its cache, DAPO without KL, one micro-batch of all rows, float32, no "
        "checkpointing of activations, no logs or saves, its fused AdamW and head; rewards verified equal; "
        f"{per_second['ours']:.0f} against {per_second['trl']:.0f} completion tokens a second; CPU time of the process "
        f"on one thread, median of {found.n_timed} steps a side in {sizes.turns} processes each, in turns; wall time "
        f"{found.wall['ours']:.2f} s and {found.wall['trl']:.2f} s a step"
    )
    unit = "ms per 1,000 tokens"
    ours, peer = (value / found.tokens * KB * MS for value in (found.ours, found.trl))
    return [Entry("grpo_step_vs_trl", ours, peer, unit, note, grpo.TARGET, "the model's own passes")]


def reward_overhead(rounds: int) -> list[Entry]:
    from benches import grpo_step as grpo

    sizes = grpo.Sizes() if rounds >= 5 else grpo.QUICK
    found = grpo.overhead(sizes)
    note = (
        "share of a step's wall time beside sampling, judge and model, the time between steps included, and the "
        f"reward's own parsing, matching and scoring ({found.reward:.2f}%), timed by itself; in the loop with recipe "
        f"tiny-cpu after {sizes.warm_start} steps of warm start: {found.step:.2f} s a step, answers of "
        f"{found.answer_tokens:.0f} tokens, {found.readable:.0%} of them readable; by the records' own seconds "
        f"{found.recorded:.2f}%; no peer; target ≤{grpo.OVERHEAD_TARGET:g}%: "
        f"{'met' if found.percent <= grpo.OVERHEAD_TARGET else 'missed'}"
    )
    return [Entry("reward_overhead", found.percent, None, "% of a step", note)]


def ray_score(rounds: int) -> list[Entry]:
    from benches import ray_score

    found = ray_score.measure_apart(ray_score.ROWS if rounds >= 5 else ray_score.FEW_ROWS)
    note = (
        f"{found.rows:,} rows of match ({found.size / 1e6:.0f} MB of Parquet in {found.parts} files) to figures and "
        "rows; ours: --engine ray, 2 workers of one thread, one of them killed (SIGKILL) when "
        f"{found.parts_at_kill} files were done, {found.rows / found.ray:,.0f} rows/s with the start of the cluster; "
        "peer: ours too, the default engine in one process and thread, "
        f"{found.rows / found.alone:,.0f} rows/s; both write the same figures (intervals of {ray_score.RESAMPLES} "
        "resamples) and rows; peak memory "
        f"{found.memory[0]:.1f} GB (Ray's driver) and {found.memory[1]:.1f} GB; wall time, one run each"
    )
    us = US / found.rows
    return [Entry("ray_score", found.ray * us, found.alone * us, "µs per row", note)]


def server_rewards(rounds: int) -> list[Entry]:
    from benches import server

    seconds = server.SECONDS if rounds >= 5 else 2.0
    recorded, judged = server.measure_recorded(seconds), server.measure_judged(seconds)
    met = "met" if recorded.rate >= server.TARGET else "missed"
    how = (
        f"batches of {server.ROWS}, {server.CONNECTIONS} connections, client and server on the same {os.cpu_count()} "
        "cores, JSON and all; peer: the same scoring in process"
    )
    return [
        Entry(
            "server_rewards", US / recorded.rate, US / recorded.in_process, "µs per critique",
            f"/v1/score, answers of {server.SIZE} characters whose MetaJudge transcripts come with them, bodies of "
            f"{recorded.body / KB:.0f} KB, {how}; {recorded.rate:.0f} critiques/s, 99% of requests within "
            f"{recorded.slowest:.0f} ms; scores verified equal; target ≥{server.TARGET} critiques/s: {met}",
        ),
        Entry(
            "server_rewards_lexical", US / judged.rate, US / judged.in_process, "µs per critique",
            f"/v1/rewards, answers of the synthetic world, judged by words, in {judged.body / KB:.0f} KB, {how}; "
            f"{judged.rate:.0f} critiques/s; rewards verified equal",
        ),
    ]  # fmt: skip


def report_10k_samples(rounds: int) -> list[Entry]:
    from benches import report

    found = report.measure(builds=min(rounds, 3))
    note = (
        f"{report.N_SAMPLES:,} samples of {found.sample_bytes / KB:.1f} KB (JSON, drawn words), read, packed and "
        f"written; file {found.file_bytes / 1e6:.1f} MB (limit 40); in Chromium from disk: ready after "
        f"{found.opened:.2f} s (limit 2), slowest of {found.n_filters} filters {found.filtered * MS:.0f} ms until the "
        f"list is drawn (limit 100), first search of all texts {found.searched:.2f} s with the first finds after "
        f"{found.first_find * MS:.0f} ms, the next {found.searched_again:.2f} s; wall time"
    )
    return [Entry("report_10k_samples", found.built, None, "s per build", note)]


CASES: dict[str, Callable[[int], list[Entry]]] = {
    case.__name__: case
    for case in (
        parse_metajudge,
        parse_genrm_48kb,
        parse_genrm_48kb_non_ascii,
        parse_genrm_48kb_mt,
        match_dense,
        match_dense_rubric,
        similarity_token_set,
        reward_step,
        reward_step_mt,
        bootstrap_ci,
        judge_client_throughput,
        vllm_judging,
        rollout_vllm,
        logprob_peak_memory,
        grpo_step_vs_trl,
        reward_overhead,
        ray_score,
        server_rewards,
        report_10k_samples,
        import_time,
    )
}
