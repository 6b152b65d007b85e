"""Which share of Rationale Consistency each rank of the list of reasons contributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from rationale_rm.analysis import figures
from rationale_rm.analysis.answers import NO_REASONS, Answers, clusters_of
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.resample import Floats
from rationale_rm.documents import Analysis, Estimate, SampleView

METRICS: Final = ("contribution", "share", "score", "present")
MAX_RANK: Final = 50
"""Ranks past this one are one rank, ``51+``."""
_ROUNDING: Final = 1e-5


def ranks(
    answers: Answers,
    how: Sampling | None = None,
    *,
    top_k: int | None = None,
    on_progress: Callable[[str, int], None] | None = None,
) -> Analysis:
    """For each model and rank k, from 1, over the answers with an RC:

    - ``contribution``: mean over answers of m_k / |R_h|, m_k the matched score of reason k (0 where there is none);
      over all ranks they add up to RC (Eq. 2);
    - ``share``: the contribution divided by RC;
    - ``score``: mean of m_k over the answers that have a reason k, which are its n_total: how good that reason is where
      there is one (not of the last slice, which holds all ranks past `MAX_RANK`);
    - ``present``: the share of the answers that have one.

    Slices are ``MODEL/k``. Ranks past `top_k`, to which lists were cut before they were matched, are not shown, unless
    one of their reasons is matched; all past `MAX_RANK` are one slice, ``MODEL/51+``. Answers whose recorded matches do
    not add up to their RC are left out, and counted in a note. `on_progress` is told the model and the ranks done.
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    notes: list[str] = []
    for model in answers.models:
        views = answers.of(model)
        scored = [view for view in views if view.rc is not None]
        usable = [view for view in scored if adds_up(view)]
        total = len(views) + answers.missing.get(model, 0)
        if len(usable) < len(scored):
            left_out = len(scored) - len(usable)
            notes.append(
                f"{model}: {left_out} of {len(scored)} answers with an RC lack the matches that it is made of."
            )
        if not any(view.reasons for view in usable):
            why = (
                "no answer with an RC holds a reason"
                if usable
                else "no answer has an RC with its matches: a judge has to score the reasons first (`match`)"
            )
            estimates.append(Estimate.missing(METRICS[0], slice=f"{model}/1", n_total=total, unavailable=why))
            continue
        if on_progress is not None:
            on_progress(model, 0)
        for rank, found in _by_rank(model, usable, views, total, how, top_k):
            if on_progress is not None:
                on_progress(model, rank)
            estimates += found
            points += [figures.point(estimate, model=model, rank=rank) for estimate in found]
    return Analysis(
        analysis="ranks",
        subject=answers.models,
        manifest=manifest(answers.files, how, judges=list(answers.judges)),
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
    )


def adds_up(view: SampleView) -> bool:
    """Whether the matches of an answer are those that its RC was computed from."""
    if not view.references:
        return False
    total = sum(score for _, _, score in view.matches) / len(view.references)
    return view.rc is not None and (abs(total - view.rc) <= _ROUNDING or view.judge_status == NO_REASONS)


def matched_scores(views: Sequence[SampleView]) -> tuple[Floats, Floats]:
    """The matched score of each rank, NaN where the list is shorter, and |R_h|: float64 (n, ranks) and (n,)."""
    n_ranks = min(max(len(view.reasons) for view in views), MAX_RANK + 1)
    scores = np.full((len(views), n_ranks), np.nan)
    for row, view in enumerate(views):
        scores[row, : len(view.reasons)] = 0.0
        for _, reason, score in view.matches:
            scores[row, min(reason, n_ranks - 1)] += score
    return scores, np.array([len(view.references) for view in views], dtype=float)


def _by_rank(
    model: str, views: Sequence[SampleView], due: Sequence[SampleView], total: int, how: Sampling, top_k: int | None
) -> Iterator[tuple[int, list[Estimate]]]:
    scores, n_references = matched_scores(views)
    matched = np.nonzero(np.nansum(scores, axis=0) > 0)[0]
    scores = scores[:, : max(top_k or MAX_RANK + 1, *(matched + 1), 1)]
    clusters = clusters_of(views)
    rc = np.nansum(scores, axis=1) / n_references
    for column in range(scores.shape[1]):
        there = ~np.isnan(scores[:, column])
        part = np.where(there, scores[:, column], 0.0) / n_references
        n_with = sum(len(view.reasons) > column for view in due)
        slice = f"{model}/{column + 1}" if column < MAX_RANK else f"{model}/{MAX_RANK + 1}+"
        of_rank = [
            figures.mean(slice, "contribution", part, clusters, how, n_total=total),
            figures.ratio(slice, "share", part, rc, clusters, how, n_total=total, why_none="RC is 0"),
            figures.mean(slice, "score", scores[:, column], clusters, how, n_total=n_with),
            figures.mean(slice, "present", there.astype(float), clusters, how, n_total=total),
        ]
        yield column + 1, [one for one in of_rank if column < MAX_RANK or one.metric != "score"]
