"""Recorded judge answers into matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rationale_rm import _core as core
from rationale_rm.judge.answers import Cells, match_results, read_samples
from rationale_rm.metrics.results import (
    METRICS,
    REFERENCE_LIMIT,
    REFERENCE_MAX_REASONS,
    Floats,
    Matched,
    Mode,
    Settings,
)
from rationale_rm.types import Critique, Entry, JudgeAnswer, MatchRequest, MatchResult, MetaJudgeStatus, Pair


def match_requests(pairs: Mapping[str, Pair], answers: Sequence[Critique]) -> list[MatchRequest]:
    """One question to a judge for each critique; `pairs` by id."""
    return [
        MatchRequest(
            id=f"{critique.id}/match",
            critique_id=critique.id,
            pair_id=critique.pair_id,
            model=critique.model,
            references=pairs[critique.pair_id].references,
            reasons=critique.reasons or (),
            swapped=critique.swapped,
        )
        for critique in answers
    ]


def read_judge(
    requests: Sequence[MatchRequest], pairs: Mapping[str, Pair], *, mode: Mode = "paper"
) -> list[MatchResult]:
    """The recorded judge answers to `requests`: cells as a local judge wrote them down, else parsed from the samples
    of a MetaJudge.

    The score of a cell is its mean over the samples that parsed, a sample that does not name it counting 0.
    ``reference`` reads the first sample only, as the release does.
    """
    judges = [pairs[request.pair_id].models[request.model].judge for request in requests]
    samples = [() if judge is None or judge.entries is not None else judge.samples for judge in judges]
    if mode == "reference":
        samples = [texts[:1] for texts in samples]
    read = read_samples(
        samples,
        [len(request.references) for request in requests],
        [len(request.reasons) for request in requests],
        policy="reference" if mode == "reference" else "strict",
    )
    results = []
    for request, judge, texts, (entries, statuses) in zip(requests, judges, samples, read, strict=True):
        if judge is not None and judge.entries is not None:
            entries, statuses = _recorded_cells(judge.entries, request)
        results.append(
            MatchResult(
                id=f"{request.id}/recorded",
                request_id=request.id,
                judge="recorded" if judge is None or judge.judge is None else judge.judge,
                entries=entries,
                statuses=statuses,
                samples=texts,
                error=None if judge is None else (judge.error or (None if statuses else "the judge gave no answer")),
            )
        )
    return results


def _recorded_cells(entries: Sequence[Entry], request: MatchRequest) -> Cells:
    """Cells that a local judge wrote down, with the status that a text would have which names the same cells."""
    for reference, reason, _ in entries:
        if not 0 <= reference < len(request.references):
            return (), (MetaJudgeStatus.REFERENCE_OUT_OF_RANGE,)
        if not -1 <= reason < len(request.reasons):
            return (), (MetaJudgeStatus.REASON_OUT_OF_RANGE,)
    return tuple(entries), (MetaJudgeStatus.OK,)


def match_recorded(pairs: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> Matched:
    """Matches by the judge answers that the data hold, over no more of a list than the judge was shown."""
    by_id = {pair.id: pair for pair in pairs}
    seen = [_as_judged(answer, by_id[answer.pair_id].models[answer.model].judge) for answer in answers]
    requests = match_requests(by_id, seen)
    results = read_judge(requests, by_id, mode=settings.mode)
    status = []
    for answer, result in zip(answers, results, strict=True):
        judge = by_id[answer.pair_id].models[answer.model].judge
        if (settled := status_without_judge(answer.reasons, settings)) is not None:
            status.append(settled)
        elif result.answered:
            status.append("ok")
        elif result.statuses:
            status.append(result.statuses[0].name.lower())
        else:
            status.append("not_judged" if judge is None else "judge_error")
    rows = [row for row, name in enumerate(status) if name == "ok"]
    batch = match_results(
        [results[row] for row in rows],
        [len(requests[row].references) for row in rows],
        [len(requests[row].reasons) for row in rows],
        policy="reference" if settings.mode == "reference" else "one_to_one",
        top_k=cut_of(settings),
    )
    failed = [sum(one is not MetaJudgeStatus.OK for one in result.statuses) for result in results]
    cut = cut_of(settings)
    lengths = np.full(len(answers), -1, dtype=np.int64)
    for row in rows:
        n_seen = len(requests[row].reasons)
        if n_seen < len((answers[row].reasons or ())[:cut]):
            lengths[row] = n_seen
    return replace(scored_matches(batch, rows, status, failed, settings), judged_length=lengths)


def _as_judged(answer: Critique, judge: JudgeAnswer | None) -> Critique:
    """The answer with the reasons that the judge was shown."""
    if judge is None or judge.top_k is None or answer.reasons is None:
        return answer
    return replace(answer, reasons=answer.reasons[: judge.top_k])


def match_none(pairs: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> Matched:
    """No matches: every rationale score is NaN."""
    blank = np.full(len(answers), np.nan)
    none = np.zeros(len(answers), dtype=np.int64)
    columns = {name: blank for name in METRICS if name != "oa"}
    return Matched(columns, ("not_judged",) * len(answers), none, none, none - 1)


def scored_matches(
    batch: core.MatchBatch, rows: Sequence[int], status: Sequence[str], failed: Sequence[int], settings: Settings
) -> Matched:
    """Scores the matches of `rows`, the answered ones, and spreads them over all rows of `status`; `failed` says of
    each how many samples of the judge could not be read.
    """
    scored = core.score(batch, threshold=settings.threshold)
    reference = settings.mode == "reference"
    sources = {
        "rc": scored.recall,
        "precision": scored.precision,
        "recall": scored.recall,
        "f1": scored.f1,
        "ap": scored.reference_ap if reference else scored.ap,
        "soft_ap": np.full(len(rows), np.nan) if reference else scored.soft_ap,
    }
    columns: dict[str, Floats] = {}
    unreasoned = np.array([name == "no_reasons" for name in status], dtype=bool)
    for name, values in sources.items():
        column = np.full(len(status), np.nan)
        column[list(rows)] = values
        column[unreasoned] = 0.0
        columns[name] = column
    n_dropped = np.zeros(len(status), dtype=np.int64)
    n_dropped[list(rows)] = batch.n_dropped
    none_cut = np.full(len(status), -1, dtype=np.int64)
    return Matched(columns, tuple(status), np.array(failed, dtype=np.int64), n_dropped, none_cut)


def cut_of(settings: Settings) -> int | None:
    """How many reasons count; None: all."""
    return REFERENCE_LIMIT if settings.mode == "reference" else settings.top_k


def status_without_judge(reasons: Sequence[str] | None, settings: Settings) -> str | None:
    """The status that these reasons have whatever a judge says; None where it is the judge's turn."""
    if reasons is None:
        return "not_judged"
    if settings.mode == "reference":
        return None if 1 <= len(reasons) <= REFERENCE_MAX_REASONS else "left_out"
    return None if reasons else "no_reasons"
