"""Records of pairs, answers and judge scores as the samples that analyses and the report read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rationale_rm.documents import SampleView
from rationale_rm.judge.answers import match_cells
from rationale_rm.metrics import Settings, critiques, match_requests, read_judge, score_rows
from rationale_rm.types import Critique, Entry, Pair


def of_pairs(
    pairs: Sequence[Pair], models: Sequence[str], settings: Settings
) -> Iterator[tuple[SampleView, str, str | None]]:
    """Each answer with its place (``FILE:LINE``) and the judge that scored it; recorded judge answers are used."""
    for model in models:
        held = [pair for pair in pairs if model in pair.models]
        answers = critiques(held, model, format=settings.format, policy=settings.policy)
        rows = score_rows(held, model, settings)
        outcome = rows.outcome(exact=settings.exact)
        cells = _cells(held, answers, rows.matched.status, settings)
        for row, (pair, answer) in enumerate(zip(held, answers, strict=True)):
            judge = pair.models[model].judge
            status = rows.matched.status[row]
            scores, matches = cells[row]
            yield (
                SampleView.of(
                    pair,
                    answer,
                    id=pair.id,
                    model=model,
                    right=None if np.isnan(outcome[row]) else bool(outcome[row]),
                    status=rows.answer_status[row],
                    scores=scores,
                    matches=matches,
                    judge_status=status,
                    rc=_known(rows.matched.columns["rc"][row]),
                    ap=_known(rows.matched.columns["ap"][row]),
                ),
                f"{pair.file or ''}:{pair.line or 0}",
                None if judge is None else judge.judge,
            )


def n_missing(pairs: Sequence[Pair], model: str) -> int:
    """How many answers there should be beside those that `of_pairs` gives (`rationale_rm.metrics.missing`)."""
    held = {pair.id: pair.source_id for pair in pairs if model in pair.models}
    failed = [p.source_id for p in pairs if p.extra.get("error") is not None and p.id not in held]
    return len(failed) + len({pair.source_id for pair in pairs}.difference(held.values(), failed))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _cells(
    pairs: Sequence[Pair], answers: Sequence[Critique], statuses: Sequence[str], settings: Settings
) -> list[tuple[tuple[Entry, ...], tuple[Entry, ...]]]:
    """The judge's scores of each answer, and those that are matched; nothing where it is not ``ok``."""
    found: list[tuple[tuple[Entry, ...], tuple[Entry, ...]]] = [((), ())] * len(pairs)
    rows = [row for row, status in enumerate(statuses) if status == "ok"]
    seen = [answers[row] for row in rows]
    by_id = {pair.id: pair for pair in pairs}
    results = read_judge(match_requests(by_id, seen), by_id)
    batch = match_cells(
        [result.entries for result in results],
        [len(pairs[row].references) for row in rows],
        [len(one.reasons or ()) for one in seen],
        top_k=settings.top_k,
    )
    matched = list(zip(batch.reference.tolist(), batch.reason.tolist(), batch.score.tolist(), strict=True))
    ends = batch.row_offsets.tolist()
    for place, row in enumerate(rows):
        scores = tuple(entry for entry in results[place].entries if entry[1] >= 0)
        found[row] = scores, tuple(matched[ends[place] : ends[place + 1]])
    return found
