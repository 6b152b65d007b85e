"""Matches that a judge is asked for while scoring; the local judge ``lexical``, a rough stand-in for a MetaJudge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rationale_rm.judge.answers import match_results
from rationale_rm.judge.local import LexicalJudge
from rationale_rm.metrics.matches import cut_of, match_requests, scored_matches, status_without_judge
from rationale_rm.metrics.results import Matched, Settings
from rationale_rm.types import Critique, MatchRequest, MatchResult, Pair

Ask = Callable[[Sequence[MatchRequest]], Sequence[MatchResult]]
"""A judge: one result for each request, in their order."""


def match_lexical(pairs: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> Matched:
    """Matches `answers`, one a pair, as `LexicalJudge` does with ``settings.scorer``, computed here."""
    return match_asked(LexicalJudge(settings.scorer).answer, pairs, answers, settings)


def match_asked(ask: Ask, pairs: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> Matched:
    """Matches `answers`, one a pair, by what a judge says now.

    Lists are cut before they are judged: the scores of a list depend on all of it. An answer that the judge could
    not be had for is NaN.
    """
    by_id = {pair.id: pair for pair in pairs}
    cut = cut_of(settings)
    status = [status_without_judge(critique.reasons, settings) or "ok" for critique in answers]
    rows = [row for row, name in enumerate(status) if name == "ok"]
    judged = [replace(answers[row], reasons=(answers[row].reasons or ())[:cut]) for row in rows]
    requests = match_requests(by_id, judged)
    results = ask(requests)
    failed = [0] * len(answers)
    for row, result in zip(rows, results, strict=True):
        if not result.answered:
            failed[row] = 1
            status[row] = result.statuses[0].name.lower() if result.statuses else "judge_error"
    answered = [at for at, result in enumerate(results) if result.answered]
    batch = match_results(
        [results[at] for at in answered],
        [len(requests[at].references) for at in answered],
        [len(requests[at].reasons) for at in answered],
        policy="reference" if settings.mode == "reference" else "one_to_one",
    )
    return scored_matches(batch, [rows[at] for at in answered], status, failed, settings)
