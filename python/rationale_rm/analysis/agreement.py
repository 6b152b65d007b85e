"""Do two evaluators agree? RC of the same answers by two MetaJudges (paper, Fig. 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.analysis import figures
from rationale_rm.analysis.answers import Answers
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.judged_twice import Both, copies, joined, part_of
from rationale_rm.analysis.resample import Floats, Ints, resampled_sums
from rationale_rm.documents import OVERALL, Analysis, Estimate

FIT: Final = ("r2", "rmse", "rmse_identity", "slope", "intercept")
SPREAD: Final = ("r2", "rmse", "rmse_identity")
"""Those of `FIT` that measure distances from a line."""
MIN_POINTS: Final = 3
"""A line fits any two points."""
ITEMS: Final = "items"


def agreement(first: Answers, second: Answers, how: Sampling | None = None, *, n_worst: int = 20) -> Analysis:
    """The least-squares line of the second evaluator's RC (y) on the first one's (x), over models and over items.

    Estimates (`FIT`, see ``docs/statistics.md``; ``difference`` is the mean of y - x) by slice:

    - ``overall``: one point a model, its mean RC over the answers that both scored; ``DOMAIN`` likewise (as
      `figures.part` writes it where it is taken or holds ``/``);
    - ``items``: one point an answer; ``items/MODEL`` likewise.

    Intervals are over source pairs: the same pairs are drawn for all models, so they say how far the figure depends on
    the pairs, with these models. Points have ``level`` ``model`` (``model, domain, x, y, n``) or ``item`` (``id,
    pair_id, model, domain, swapped, sample, x, y``): the `n_worst` answers on which the two differ most. An answer that
    one of them did not score, or does not hold, is in n_total and not in n; answers that neither holds are in no
    domain.

    Raises `RationaleError` where the two have no answer in common, or different reasons for it.
    """
    how = how or Sampling()
    both, n_unshared, unseen = joined(first, second)
    estimates = [*_models(both, OVERALL, how)]
    domains = sorted({view.domain for view in both.views})
    points = _model_points(both, OVERALL)
    for domain in domains if len(domains) > 1 else []:
        of_domain = part_of(both, [view.domain == domain for view in both.views])
        name = figures.part(domain, (OVERALL, ITEMS))
        estimates += _models(of_domain, name, how)
        points += _model_points(of_domain, name)
    estimates += _items(both, ITEMS, how)
    models = sorted({view.model for view in both.views})
    for model in models if len(models) > 1 else []:
        of_model = part_of(both, [view.model == model for view in both.views], unseen[model])
        estimates += _items(of_model, f"{ITEMS}/{model}", how)
    points += _worst(both, n_worst)
    notes = []
    if n_unshared:
        notes.append(f"{n_unshared} answers are in one of the two only, and left out.")
    if both.n_unseen and len(domains) > 1:
        notes.append(f"{both.n_unseen} answers that are missing in both are of no known domain, and in none of them.")
    about = manifest([*first.files, *second.files], how, models=models, n_answers=len(both.views) - n_unshared)
    notes += copies(about["files"][: len(first.files)], about["files"][len(first.files) :])
    return Analysis(
        analysis="agreement",
        subject=(_name(first, "first"), _name(second, "second")),
        manifest=about,
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
    )


def _name(answers: Answers, place: str) -> str:
    """The judge, where the data say who it was, else the file."""
    return ", ".join(answers.judges) or ", ".join(answers.files[:1]) or place


def _means(both: Both) -> tuple[list[str], Floats, NDArray[np.bool_]]:
    """The models with a row that both scored, and sums by row: count, x and y in three columns a model."""
    scored = both.scored
    models = sorted({view.model for view, known in zip(both.views, scored, strict=True) if known})
    place = {model: number for number, model in enumerate(models)}
    columns = np.zeros((len(both.views), 3 * len(models)))
    for row in np.flatnonzero(scored):
        at = 3 * place[both.views[row].model]
        columns[row, at : at + 3] = 1.0, both.x[row], both.y[row]
    return models, columns, scored


def _models(both: Both, slice: str, how: Sampling) -> list[Estimate]:
    models, columns, scored = _means(both)
    n, n_total = int(scored.sum()), both.n_total
    if len(models) < MIN_POINTS:
        why = f"models that both scored: {len(models)}; a line fits any two points, so {MIN_POINTS} are needed"
        none = [Estimate.missing(metric, slice=slice, n=n, n_total=n_total, unavailable=why) for metric in FIT]
        return [*none, _bias(slice, both, how)]
    drawn = resampled_sums(columns[scored], both.clusters[scored], n_resamples=how.n_resamples, seed=how.seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = drawn[:, 1::3] / drawn[:, ::3], drawn[:, 2::3] / drawn[:, ::3]
    sums = columns.sum(axis=0)
    found = core.agreement(sums[1::3] / sums[::3], sums[2::3] / sums[::3])
    fitted = _fitted(slice, found, _fits(x, y), both.clusters[scored], n, n_total)
    return [*map(_without_noisy_interval, fitted), _bias(slice, both, how)]


def _without_noisy_interval(one: Estimate) -> Estimate:
    """Deviations of means from a line hold the sampling noise of the means; resamples add the same noise once more, and
    their interval lies beside the truth (docs/analysis.md has figures). The line itself has no such bias.
    """
    if one.metric not in SPREAD or one.value is None:
        return one
    return replace(
        one, low=None, high=None, unavailable="no interval: the figure holds the sampling noise of the means"
    )


def _items(both: Both, slice: str, how: Sampling) -> list[Estimate]:
    scored = both.scored
    x, y, clusters = both.x[scored], both.y[scored], both.clusters[scored]
    n_total = both.n_total
    if len(x) < MIN_POINTS:
        why = f"answers that both scored: {len(x)}; a line fits any two points, so {MIN_POINTS} are needed"
        return [Estimate.missing(metric, slice=slice, n=len(x), n_total=n_total, unavailable=why) for metric in FIT]
    moments = np.stack([np.ones(len(x)), x, y, x * x, x * y, y * y], axis=1)
    drawn = resampled_sums(moments, clusters, n_resamples=how.n_resamples, seed=how.seed)
    fits = _from_moments(drawn)
    return [*_fitted(slice, core.agreement(x, y), fits, clusters, len(x), n_total), _bias(slice, both, how)]


def _fitted(slice: str, found: core.Agreement, fits: Floats, clusters: Ints, n: int, n_total: int) -> list[Estimate]:
    """The estimates of a fit; `fits` (n_resamples, 5) is what resamples of `clusters` give."""
    why = "one of the evaluators gives the same RC everywhere"
    return [
        figures.drawn_estimate(
            slice, metric, getattr(found, metric), fits[:, at], clusters, n=n, n_total=n_total, why_none=why
        )
        for at, metric in enumerate(FIT)
    ]


def _bias(slice: str, both: Both, how: Sampling) -> Estimate:
    why = "no answer was scored by both"
    return figures.mean(slice, "difference", both.y - both.x, both.clusters, how, n_total=both.n_total, why_none=why)


def _fits(x: Floats, y: Floats) -> Floats:
    """`FIT` of each row of x and y, (n, points)."""
    known = ~np.isnan(x) & ~np.isnan(y)  # a model that a resample does not hold
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    columns = [known.sum(axis=1), x.sum(1), y.sum(1), (x * x).sum(1), (x * y).sum(1), (y * y).sum(1)]
    return _from_moments(np.stack(columns, axis=1).astype(float))


def _from_moments(moments: Floats) -> Floats:
    """`FIT` from n, Σx, Σy, Σx², Σxy, Σy²: (rows, 6) → (rows, 5). NaN where x, or for r2 y, does not vary."""
    n, x, y, xx, xy, yy = moments.T
    with np.errstate(invalid="ignore", divide="ignore"):
        vx, vy, cov = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2, xy / n - x * y / n**2
        vx, vy = np.where(vx > 1e-12, vx, np.nan), np.where(vy > 1e-12, vy, np.nan)
        slope = cov / vx
        r2 = np.clip(cov**2 / (vx * vy), 0.0, 1.0)
        rmse = np.sqrt(np.maximum(np.nan_to_num(vy) - slope * cov, 0.0))
        identity = np.sqrt(np.maximum((yy - 2 * xy + xx) / n, 0.0))
    return np.stack([r2, rmse, identity, slope, y / n - slope * x / n], axis=1)


def _model_points(both: Both, domain: str) -> list[dict[str, Any]]:
    models, columns, _ = _means(both)
    sums = columns.sum(axis=0)
    return [
        {
            "level": "model",
            "model": model,
            "domain": domain,
            "x": float(sums[3 * at + 1] / sums[3 * at]),
            "y": float(sums[3 * at + 2] / sums[3 * at]),
            "n": int(sums[3 * at]),
        }
        for at, model in enumerate(models)
    ]


def _worst(both: Both, n: int) -> list[dict[str, Any]]:
    """The answers on which the two differ most, the largest difference first."""
    rows = np.flatnonzero(both.scored)
    order = rows[np.argsort(-np.abs(both.y - both.x)[rows], kind="stable")][:n]
    return [
        {
            "level": "item",
            "id": both.views[row].id,
            "pair_id": both.views[row].pair_id,
            "model": both.views[row].model,
            "domain": both.views[row].domain,
            "swapped": both.views[row].swapped,
            "sample": both.views[row].sample,
            "x": float(both.x[row]),
            "y": float(both.y[row]),
        }
        for row in order
    ]
