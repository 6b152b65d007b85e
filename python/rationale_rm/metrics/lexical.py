"""Matches by shared words: the local judge ``lexical``, a rough stand-in for a MetaJudge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rationale_rm.judge.answers import match_results
from rationale_rm.judge.local import LexicalJudge
from rationale_rm.metrics.matches import cut_of, match_requests, scored_matches, status_without_judge
from rationale_rm.metrics.results import Matched, Settings
from rationale_rm.types import Critique, Pair


def match_lexical(pairs: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> Matched:
    """Matches `answers`, one a pair, as `LexicalJudge` does with ``settings.scorer``, computed here.

    Lists are cut before they are judged: the scores of a list depend on all of it.
    """
    by_id = {pair.id: pair for pair in pairs}
    cut = cut_of(settings)
    status = [status_without_judge(critique.reasons, settings) or "ok" for critique in answers]
    rows = [row for row, name in enumerate(status) if name == "ok"]
    judged = [replace(answers[row], reasons=(answers[row].reasons or ())[:cut]) for row in rows]
    requests = match_requests(by_id, judged)
    results = LexicalJudge(settings.scorer).answer(requests)
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
