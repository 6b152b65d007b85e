"""How many reasons an answer holds and how long they are, by verdict right or wrong, and whether that goes with RC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm.analysis import figures
from rationale_rm.analysis.answers import Answers, clusters_of, column, reasons_known
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.resample import Floats, Ints, ratio_difference, resampled_spearman, resampled_sums
from rationale_rm.documents import Analysis, Estimate, SampleView

METRICS: Final = ("reasons_per_answer", "words_per_reason", "characters_per_reason")
OnProgress = Callable[[str, int], None]
VERDICTS: Final = ("all", "right", "wrong")


def lengths(answers: Answers, how: Sampling | None = None, *, on_progress: OnProgress | None = None) -> Analysis:
    """Reasons an answer, words and characters a reason, for each model: over all answers, the right and the wrong.

    `METRICS` have slices ``MODEL/all``, ``MODEL/right``, ``MODEL/wrong``, and ``MODEL/right-wrong`` for the difference;
    ``MODEL/all`` also has ``spearman_rc_reasons`` and ``spearman_rc_words``: the rank correlation over answers of RC
    with the number of reasons, and with the words of the whole list. Characters are code points. Answers whose
    reasons the data do not hold are left out of n; those of which nobody knows whether they are right are in n_total of
    ``all`` and ``right-wrong``, and counted in a note. Points repeat the figures with ``model`` and ``verdict``.
    `on_progress` is told the model and the resamples of its rank correlations that are done, 0 before them.
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    notes: list[str] = []
    for model in answers.models:
        views = answers.of(model)
        missing = answers.missing.get(model, 0)
        if on_progress is not None:
            on_progress(model, 0)
        unknown = sum(view.right is None for view in views) + missing
        if unknown:
            n_due = len(views) + missing
            notes.append(
                f"{model}: of {unknown} of {n_due} answers it is not known whether they are right; they are neither."
            )
        for verdict in VERDICTS:
            chosen = [view for view in views if verdict == "all" or view.right is (verdict == "right")]
            for estimate in _of(model, verdict, chosen, missing if verdict == "all" else 0, how):
                estimates.append(estimate)
                points.append(figures.point(estimate, model=model, verdict=verdict))
        for estimate in _differences(model, views, missing, how):
            estimates.append(estimate)
            points.append(figures.point(estimate, model=model, verdict="right-wrong"))
        estimates += _with_rc(model, views, missing, how, on_progress)
    return Analysis(
        analysis="lengths",
        subject=answers.models,
        manifest=manifest(answers.files, how, judges=list(answers.judges)),
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
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


def _differences(model: str, views: Sequence[SampleView], missing: int, how: Sampling) -> list[Estimate]:
    """The figure of right answers minus that of wrong ones, the same pairs drawn for both."""
    known = [view for view in views if reasons_known(view) and view.right is not None]
    right = np.array([view.right is True for view in known], dtype=float)
    slice, n_total = f"{model}/right-wrong", len(views) + missing
    if not 0 < right.sum() < len(known):
        why = "right and wrong answers are both needed"
        return [
            Estimate.missing(metric, slice=slice, n=len(known), n_total=n_total, unavailable=why) for metric in METRICS
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
        n = len(known)
        found.append(figures.drawn_estimate(slice, metric, value, drawn, clusters, n=n, n_total=n_total, why_none=why))
    return found


def _with_rc(
    model: str, views: Sequence[SampleView], missing: int, how: Sampling, on_progress: OnProgress | None
) -> list[Estimate]:
    known = [view for view in views if reasons_known(view) and view.rc is not None]
    rc, clusters = column(known, "rc"), clusters_of(known)
    count, words, _ = _columns(known)
    total = len(views) + missing
    found = []
    for place, (name, values) in enumerate((("reasons", count), ("words", words))):

        def on_resample(done: int, before: int = place * how.n_resamples) -> None:
            if on_progress is not None:
                on_progress(model, before + done)

        metric = f"spearman_rc_{name}"
        found.append(_spearman(f"{model}/all", metric, values, rc, clusters, total, how, on_resample))
    return found


def _spearman(
    slice: str,
    metric: str,
    x: Floats,
    y: Floats,
    clusters: Ints,
    n_total: int,
    how: Sampling,
    on_resample: Callable[[int], None],
) -> Estimate:
    n = len(x)
    if n < 2:
        why = "fewer than two answers have an RC"
        return Estimate.missing(metric, slice=slice, n=n, n_total=n_total, unavailable=why)
    value = core.spearman(x, y)
    drawn: Floats = np.full(1, np.nan)
    if np.isfinite(value):
        drawn = resampled_spearman(x, y, clusters, n_resamples=how.n_resamples, seed=how.seed, on_resample=on_resample)
    why = "the length or RC is the same in all answers"
    return figures.drawn_estimate(slice, metric, value, drawn, clusters, n=n, n_total=n_total, why_none=why)


def _columns(views: Sequence[SampleView]) -> tuple[Floats, Floats, Floats]:
    """Reasons, their words and their characters of each answer, float64 (n,)."""
    count = np.array([len(view.reasons) for view in views], dtype=float)
    words = np.array([sum(len(reason.split()) for reason in view.reasons) for view in views], dtype=float)
    characters = np.array([sum(map(len, view.reasons)) for view in views], dtype=float)
    return count, words, characters
