"""How many reasons an answer holds and how long they are, by verdict right or wrong, and whether that goes with RC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm.analysis import figures
from rationale_rm.analysis.answers import Answers, clusters_of, column, manifest, reasons_known
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.resample import Floats, Ints, ratio_difference, resampled_spearman, resampled_sums
from rationale_rm.documents import Analysis, Estimate, SampleView

METRICS: Final = ("reasons_per_answer", "words_per_reason", "characters_per_reason")
VERDICTS: Final = ("all", "right", "wrong")


def lengths(answers: Answers, how: Sampling | None = None) -> Analysis:
    """Reasons an answer, words and characters a reason, for each model: over all answers, the right and the wrong.

    `METRICS` have slices ``MODEL/all``, ``MODEL/right``, ``MODEL/wrong``, and ``MODEL/right-wrong`` for the difference;
    ``MODEL/all`` also has ``spearman_rc_reasons`` and ``spearman_rc_words``: the rank correlation over answers of RC
    with the number of reasons, and with the words of the whole list. Characters are code points. Answers whose
    reasons the data do not hold are left out of n. Points repeat the figures with ``model`` and ``verdict``.
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    for model in answers.models:
        views = answers.of(model)
        missing = answers.missing.get(model, 0)
        for verdict in VERDICTS:
            chosen = [view for view in views if verdict == "all" or view.right is (verdict == "right")]
            for estimate in _of(model, verdict, chosen, missing if verdict == "all" else 0, how):
                estimates.append(estimate)
                points.append(figures.point(estimate, model=model, verdict=verdict))
        for estimate in _differences(model, views, how):
            estimates.append(estimate)
            points.append(figures.point(estimate, model=model, verdict="right-wrong"))
        estimates += _with_rc(model, views, missing, how)
    return Analysis(
        analysis="lengths",
        subject=answers.models,
        manifest=manifest(answers.files, how, judges=list(answers.judges)),
        estimates=tuple(estimates),
        points=tuple(points),
    )


def _of(model: str, verdict: str, views: Sequence[SampleView], missing: int, how: Sampling) -> list[Estimate]:
    known = [view for view in views if reasons_known(view)]
    clusters = clusters_of(known)
    count, words, characters = _columns(known)
    slice, total = f"{model}/{verdict}", len(views) + missing
    why = "no such answer whose reasons are known"
    found = [figures.mean(slice, METRICS[0], count, clusters, how, n_total=total, why_none=why)]
    for metric, sums in zip(METRICS[1:], (words, characters), strict=True):
        found.append(
            figures.ratio(slice, metric, sums, count, clusters, how, n_total=total, why_none="no answer holds a reason")
        )
    return found


def _differences(model: str, views: Sequence[SampleView], how: Sampling) -> list[Estimate]:
    """The figure of right answers minus that of wrong ones, the same pairs drawn for both."""
    known = [view for view in views if reasons_known(view) and view.right is not None]
    right = np.array([view.right is True for view in known], dtype=float)
    slice = f"{model}/right-wrong"
    if not 0 < right.sum() < len(known):
        why = "right and wrong answers are both needed"
        return [
            Estimate.missing(metric, slice=slice, n=len(known), n_total=len(views), unavailable=why)
            for metric in METRICS
        ]
    clusters = clusters_of(known)
    count, words, characters = _columns(known)
    one = np.ones(len(known))
    found = []
    for metric, (above, below) in zip(METRICS, ((count, one), (words, count), (characters, count)), strict=True):
        columns = np.stack([above * right, below * right, above * (1 - right), below * (1 - right)], axis=1)
        why = "either side holds no reason"
        drawn = ratio_difference(resampled_sums(columns, clusters, n_resamples=how.n_resamples, seed=how.seed))
        value = float(ratio_difference(columns.sum(axis=0)))
        n, n_total = len(known), len(views)
        found.append(figures.drawn_estimate(slice, metric, value, drawn, clusters, n=n, n_total=n_total, why_none=why))
    return found


def _with_rc(model: str, views: Sequence[SampleView], missing: int, how: Sampling) -> list[Estimate]:
    known = [view for view in views if reasons_known(view) and view.rc is not None]
    rc, clusters = column(known, "rc"), clusters_of(known)
    count, words, _ = _columns(known)
    total = len(views) + missing
    return [
        _spearman(f"{model}/all", f"spearman_rc_{name}", values, rc, clusters, total, how)
        for name, values in (("reasons", count), ("words", words))
    ]


def _spearman(slice: str, metric: str, x: Floats, y: Floats, clusters: Ints, n_total: int, how: Sampling) -> Estimate:
    if len(x) < 2:
        return Estimate.missing(
            metric, slice=slice, n=len(x), n_total=n_total, unavailable="fewer than two answers have an RC"
        )
    value = core.spearman(x, y)
    drawn: Floats = np.full(1, np.nan)
    if np.isfinite(value):
        drawn = resampled_spearman(x, y, clusters, n_resamples=how.n_resamples, seed=how.seed)
    why = "the length or RC is the same in all answers"
    return figures.drawn_estimate(slice, metric, value, drawn, clusters, n=len(x), n_total=n_total, why_none=why)


def _columns(views: Sequence[SampleView]) -> tuple[Floats, Floats, Floats]:
    """Reasons, their words and their characters of each answer, float64 (n,)."""
    count = np.array([len(view.reasons) for view in views], dtype=float)
    words = np.array([sum(len(reason.split()) for reason in view.reasons) for view in views], dtype=float)
    characters = np.array([sum(map(len, view.reasons)) for view in views], dtype=float)
    return count, words, characters
