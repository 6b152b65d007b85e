"""Held-out pairs: sampled, judged, and put into figures with intervals by `rationale_rm.metrics`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm import metrics
from rationale_rm.critique import critique_id
from rationale_rm.judge import Judge, loop
from rationale_rm.metrics.results import Figure, Floats
from rationale_rm.train.judging import retried
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.run import Run
from rationale_rm.types import Critique, JudgeAnswer, MatchResult, ModelAnswer, Pair

MODEL: Final = "policy"
_SHOWN: Final = ("oa", "rc", "ap", "precision", "f1")


def evaluate(run: Run, pairs: Sequence[Pair], step: int, split: str) -> dict[str, Any]:
    """The record of an evaluation on `pairs`, the same in all processes.

    Every pair is shown in both orders (``evaluation.both_orders``), and every answer with reasons is judged; by the
    reward's judge too, where that is another one: what only it sees rise is learnt from its weaknesses. Raises
    `JudgeOutageError` where the judge stays away.
    """
    how = run.recipe.evaluation
    began = time.monotonic()
    shown = [(pair, swapped) for pair in pairs for swapped in ((False, True) if how.both_orders else (False,))]
    mine = shown[run.processes.rank :: run.processes.n]
    messages = [run.prompts.messages(pair, swapped, how.k or run.recipe.prompt.n_reasons) for pair, swapped in mine]
    with run.sampling():
        groups = run.rollouts.sample(
            messages,
            1,
            max_tokens=how.max_tokens or run.recipe.rollout.max_tokens,
            temperature=how.temperature,
            seeds=_seeds(run.recipe.seed, step, len(shown))[run.processes.rank :: run.processes.n],
        )
    sampled = time.monotonic()
    answered = []
    for (pair, swapped), (completion,) in zip(mine, groups, strict=True):
        record_id = critique_id(pair.id, swapped, 0)
        text = None if completion.error is not None else completion.text
        answer = ModelAnswer(id=f"{record_id}/{MODEL}", text=text, swapped=swapped)
        record = replace(pair, id=record_id, pair_id=pair.id, models={MODEL: answer}, line=None, file=None)
        answered.append((record, completion.truncated, len(completion.token_ids)))
    judged = _judged(run, [record for record, _, _ in answered], run.evaluation_judge)
    rows = run.processes.gather(
        [(record, truncated, length) for record, (_, truncated, length) in zip(judged, answered, strict=True)]
    )
    rewarded = None
    if run.evaluation_judge is not run.judge:
        rewarded = run.processes.gather(_judged(run, [record for record, _, _ in answered], run.judge))
    waited = time.monotonic()
    figures = _figures(run, [record for record, _, _ in rows])
    if rewarded is not None:
        figures["rc_by_reward_judge"] = _plain(metrics.evaluate(rewarded, MODEL, _settings(run)).overall["rc"])
    figures["truncated"] = float(np.mean([truncated for _, truncated, _ in rows]))
    figures["tokens"] = float(np.mean([length for _, _, length in rows]))
    return {
        "phase": "evaluation",
        "step": step,
        "split": split,
        "judge": run.evaluation_judge.name,
        **figures,
        "seconds": {
            "sample": sampled - began,
            "judge": waited - sampled,
            "other": time.monotonic() - waited,
            "total": time.monotonic() - began,
        },
    }


def _seeds(seed: int, step: int, n: int) -> list[int]:
    drawn: list[int] = np.random.default_rng([seed, 2, step]).integers(0, 2**62, n).tolist()
    return drawn


def _judged(run: Run, records: Sequence[Pair], judge: Judge) -> list[Pair]:
    """The records with what `judge` says of their reasons. Those without human reasons, which outcomes alone are
    learnt from, have nothing to be matched with.
    """
    k = run.recipe.evaluation.k
    with_references = [record for record in records if record.references]
    critiques = [one for one in _critiques(run, with_references) if one.reasons]
    if k is not None:
        critiques = [replace(one, reasons=(one.reasons or ())[:k]) for one in critiques]
    by_id = {record.id: record for record in records}
    requests = {
        one.pair_id: request for one, request in zip(critiques, metrics.match_requests(by_id, critiques), strict=True)
    }
    results: dict[str, MatchResult] = {}

    def ask() -> str | None:
        """Asks for what there is no answer to; why too many have none."""
        missing = [name for name in requests if name not in results or not results[name].answered]
        found = loop.run(judge.match([requests[name] for name in missing])) if missing else []
        results.update(zip(missing, found, strict=True))
        failed = [result for result in results.values() if not result.answered]
        n_failed, n = map(int, run.processes.total([len(failed), len(results)]))
        if n_failed <= run.recipe.reward.max_failure_rate * n:
            return None
        last = run.processes.gather([result.error for result in failed])[-1]
        return f"the judge {judge.name} failed for {n_failed} of {n} answers of the evaluation; the last: {last}"

    retried(ask, run.processes, run.stop, run.recipe.reward.retry_for, run.note)
    judged = []
    for record in records:
        result = results.get(record.id)
        answer = record.models[MODEL]
        if result is not None:
            said = JudgeAnswer(
                id=f"{record.id}/judge",
                samples=(),
                error=None if result.answered else result.error or "unreadable",
                judge=judge.name,
                entries=result.entries if result.answered else None,
                stand_in=judge.stand_in,
                top_k=k,
            )
            answer = replace(answer, judge=said)
        judged.append(replace(record, models={MODEL: answer}))
    return judged


def _critiques(run: Run, records: Sequence[Pair]) -> list[Critique]:
    return metrics.critiques(records, MODEL, format=run.recipe.reward.format, policy=run.recipe.reward.policy)


def _settings(run: Run) -> metrics.Settings:
    recipe = run.recipe
    return metrics.Settings(
        judge="recorded",
        threshold=recipe.reward.threshold,
        top_k=recipe.evaluation.k,
        exact=recipe.reward.exact,
        format=recipe.reward.format,
        policy=recipe.reward.policy,
        seed=recipe.seed,
    )


def _figures(run: Run, records: Sequence[Pair]) -> dict[str, Any]:
    recipe = run.recipe
    scores = metrics.evaluate(records, MODEL, _settings(run))
    critiques = _critiques(run, records)
    sources = {name: number for number, name in enumerate(dict.fromkeys(record.source_id for record in records))}
    clusters = np.array([sources[record.source_id] for record in records], dtype=np.int64)
    disagrees = metrics.disagreement(critiques, favours=_favours(recipe))
    malformed = np.array([np.nan if one.status is None else float(one.status != 0) for one in critiques])
    reasons = [one.reasons or () for one in critiques]
    words = [len(reason.split()) for items in reasons for reason in items]
    return {
        "n_pairs": scores.n_pairs,
        "n_answers": len(records),
        "reward": _reward(run, scores),
        **{name: _plain(scores.overall[name]) for name in _SHOWN},
        **{name: _plain(figure) for name, figure in scores.orders.items()},
        "disagreement": _mean(disagrees, clusters, recipe.seed),
        "format_errors": _mean(malformed, clusters, recipe.seed),
        "reasons": float(np.mean([len(items) for items in reasons])) if reasons else None,
        "reason_words": float(np.mean(words)) if words else None,
        "judge_failures": sum(count for status, count in scores.judge.items() if status not in _NO_FAILURES),
        "by_domain": {
            domain: {name: figures[name].value for name in ("oa", "rc", "ap")}
            for domain, figures in scores.by_domain.items()
        },
    }


_NO_FAILURES: Final = ("ok", "no_reasons", "not_judged", "left_out")


def _reward(run: Run, scores: metrics.ModelScores) -> float | None:
    """The mean reward that these answers would have in training, but for length."""
    how = run.recipe.reward
    modes: Mapping[str, Any] = {"papo": "product", "gdpo": "sum", "gdpo_batch": "sum"}
    malformed = np.array([status not in ("ok", "unknown") for status in scores.statuses["answer"]], dtype=bool)
    rewards = core.hybrid_reward(
        scores.columns[how.rationale],
        scores.columns["oa"],
        mode=modes.get(how.mode, how.mode),
        weight=how.weight,
        malformed=malformed,
    ) + core.format_reward(malformed, penalty=how.format_penalty)
    known = rewards[~np.isnan(rewards)]
    return float(known.mean()) if known.size else None


def _plain(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n, "n_total": figure.n_total}


def _mean(values: Floats, clusters: Any, seed: int) -> dict[str, Any]:
    """A share with its interval, over the rows where it is known."""
    known = ~np.isnan(values)
    if not known.any():
        return {"value": None, "low": None, "high": None, "n": 0, "n_total": len(values)}
    found = core.bootstrap_ci(values[known], clusters=clusters[known], seed=seed)
    low, high = (None if np.isnan(end) else float(end) for end in (found.low, found.high))
    return {"value": found.mean, "low": low, "high": high, "n": int(known.sum()), "n_total": len(values)}


def _favours(recipe: Recipe) -> metrics.Favours | None:
    """What tells the sides of reasons apart: the world's own sentences are known."""
    if recipe.data.world is None:
        return None
    from rationale_rm.world import favours

    return favours
