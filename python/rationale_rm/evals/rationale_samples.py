"""Judged answers as samples that a person can look at, and what is said of them beside the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from rationale_rm import metrics
from rationale_rm.critique import critique_id
from rationale_rm.documents import SampleView
from rationale_rm.evals.rationale import Judged, critiques_of, known
from rationale_rm.evals.views import NOT_ANSWERED, sample_view
from rationale_rm.judge.answers import match_results
from rationale_rm.metrics.rows import UNKNOWN
from rationale_rm.types import MatchResult


def views(answers: Judged) -> Iterator[SampleView]:
    """Every answer with its scores and matches."""
    critiques = critiques_of(answers)
    by_id = {pair.id: pair for pair in answers.records}
    rows = metrics.score_rows(answers.records, answers.model, answers.settings)
    judges = [record.models[answers.model].judge for record in answers.records]
    cuts = [None if judge is None else judge.top_k for judge in judges]
    seen = [
        answer if cut is None or answer.reasons is None else replace(answer, reasons=answer.reasons[:cut])
        for answer, cut in zip(critiques, cuts, strict=True)
    ]
    requests = metrics.match_requests(by_id, seen)
    results = metrics.read_judge(requests, by_id)
    for row, (record, answer, result) in enumerate(zip(answers.records, critiques, results, strict=True)):
        source = replace(record, id=record.source_id, pair_id=None)
        rc, ap = (known(float(rows.matched.columns[name][row])) for name in ("rc", "ap"))
        yield replace(
            sample_view(source, answer, model=answers.model, swapped=answer.swapped),
            id=record.id,
            scores=tuple(entry for entry in result.entries if entry[1] >= 0) if result.answered else (),
            matches=_matches(result, len(record.references), len(seen[row].reasons or ()), answers.settings.top_k),
            judge_status=None if judges[row] is None else rows.matched.status[row],
            rc=rc,
            ap=ap,
        )
    for pair, swapped in answers.missing():
        name = critique_id(pair.id, swapped, 0)
        view = sample_view(pair, None, model=answers.model, swapped=swapped)
        yield replace(view, id=name, error=answers.errors.get(name))


def _matches(
    result: MatchResult, n_references: int, n_reasons: int, top_k: int | None
) -> tuple[tuple[int, int, float], ...]:
    """The pairs of the one-to-one matching (Eq. 1)."""
    if not result.answered:
        return ()
    batch = match_results([result], [n_references], [n_reasons], top_k=top_k)
    return tuple(zip(batch.reference.tolist(), batch.reason.tolist(), batch.score.tolist(), strict=True))


def statuses(answers: Judged) -> dict[str, int]:
    """How answers were read → answers."""
    counts = Counter(
        UNKNOWN if answer.status is None else answer.status.name.lower() for answer in critiques_of(answers)
    )
    if missing := len(answers.missing()):
        counts[NOT_ANSWERED] = missing
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def notes(answers: Judged) -> list[str]:
    """What a reader of the figures must know."""
    said = []
    if all(pair.label is None for pair in answers.pairs):
        said.append(metrics.NO_LABELS.rstrip("."))
    judges = [record.models[answers.model].judge for record in answers.records]
    if not any(judges):
        said.append("no judge was asked, so there are no rationale scores: add --judge, or records that match wrote")
    said += sorted({judge.stand_in.rstrip(".") for judge in judges if judge is not None and judge.stand_in})
    if answers.orders != (False, True):
        said.append("answers in one order only: order consistency and position bias are not there")
    return said


def judge_names(answers: Judged) -> list[str]:
    """The judges whose scores are used; ``unnamed`` where the data do not say."""
    judges = [record.models[answers.model].judge for record in answers.records]
    return sorted({judge.judge or "unnamed" for judge in judges if judge is not None})
