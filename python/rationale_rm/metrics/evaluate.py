"""Scores of one model, and two models compared on the same pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.metrics.critiques import critiques
from rationale_rm.metrics.lexical import match_lexical
from rationale_rm.metrics.matches import match_none, match_recorded
from rationale_rm.metrics.results import (
    METRICS,
    ONE_PAIR,
    ONE_ROW,
    ORDERS,
    REFERENCE_MAX_REASONS,
    Comparison,
    Difference,
    Figure,
    Floats,
    ModelScores,
    Settings,
)
from rationale_rm.types import Critique, Pair


def evaluate(pairs: Sequence[Pair], model: str, settings: Settings | None = None) -> ModelScores:
    """Scores `model` on the records that hold an answer of it; several may answer one pair.

    Outcome accuracy is the mean of ``outcome_reward`` over rows with a label and a verdict or a malformed
    answer, which is wrong. Rationale scores are means over rows that a judge answered; an answer without
    reasons scores 0, and one whose reasons the data do not hold is not judged. The order of `pairs`, which a run
    that asks many questions at a time leaves to chance, changes nothing: rows are sorted by source pair, order and
    sample. Raises `RationaleError` for settings outside their range.
    """
    settings = settings or Settings()
    pairs = sorted(pairs, key=lambda pair: _place(pair, model))
    answers = critiques(pairs, model, format=settings.format, policy=settings.policy)
    by_id = {pair.id: pair for pair in pairs}
    held = [by_id[critique.pair_id] for critique in answers]
    matchers = {"recorded": match_recorded, "lexical": match_lexical, "none": match_none}
    matched = matchers[settings.judge](held, answers, settings)

    label = np.array([core.NO_VERDICT if pair.label is None else pair.label for pair in held], dtype=np.int8)
    verdict = np.array([core.NO_VERDICT if c.verdict is None else c.verdict for c in answers], dtype=np.int8)
    unknown = np.array([critique.status is None for critique in answers], dtype=bool)
    outcome = core.outcome_reward(verdict, label, exact=settings.exact).copy()
    outcome[unknown] = np.nan
    columns = {"oa": outcome, **matched.columns}

    labelled = label != core.NO_VERDICT
    judged = np.array([name != "left_out" for name in matched.status], dtype=bool)
    domains = tuple(pair.domain for pair in held)
    names = np.array(domains, dtype=object)

    clusters = _numbers(pair.source_id for pair in held)

    def figures(rows: NDArray[np.bool_]) -> dict[str, Figure]:
        return {
            name: _figure(name, columns[name], clusters, rows & (labelled if name == "oa" else judged), settings)
            for name in METRICS
        }

    n_missing = _missing(pairs, {pair.id for pair in held}, {pair.source_id for pair in held})
    answer_status = tuple("unknown" if c.status is None else c.status.name.lower() for c in answers)
    return ModelScores(
        model=model,
        settings=settings,
        pair_ids=tuple(pair.id for pair in held),
        source_ids=tuple(pair.source_id for pair in held),
        shown=tuple((critique.swapped, critique.sample) for critique in answers),
        domains=domains,
        columns=columns,
        overall=figures(np.ones(len(held), dtype=bool)),
        by_domain={domain: figures(names == domain) for domain in sorted(set(domains))},
        orders=_orders(held, answers, settings),
        judges=_judges(held, model) if settings.judge == "recorded" else (),
        levels={"label": tuple(pair.label for pair in held), "verdict": tuple(c.verdict for c in answers)},
        statuses={"answer": answer_status, "judge": matched.status},
        n_missing=n_missing,
        n_tied_labels=int(np.sum(label == 0)),
        genrm=_counts(answer_status),
        judge=_counts(matched.status),
        left_out=_counts(
            "no reasons" if not c.reasons else f"more than {REFERENCE_MAX_REASONS} reasons"
            for c, name in zip(answers, matched.status, strict=True)
            if name == "left_out"
        ),
        reason_counts=dict(sorted(Counter(len(c.reasons) for c in answers if c.reasons is not None).items())),
        n_failed_samples=matched.n_failed_samples,
        n_dropped=matched.n_dropped,
        n_unseen=matched.n_unseen,
    )


def _place(pair: Pair, model: str) -> tuple[str, bool, int, str]:
    answer = pair.models.get(model)
    return (pair.source_id, *((False, 0) if answer is None else (answer.swapped, answer.sample)), pair.id)


def _figure(
    metric: str, column: Floats, clusters: NDArray[np.int64], rows: NDArray[np.bool_], settings: Settings
) -> Figure:
    values = column[rows]
    known = ~np.isnan(values)
    answered = values[known]
    if answered.size == 0:
        return Figure(None, None, None, 0, values.size, None, _why_none(metric, values.size, settings))
    return _mean(answered, clusters[rows][known], values.size, float(answered.sum() / values.size), settings)


def _mean(
    values: Floats, clusters: NDArray[np.int64], n_total: int, pessimistic: float | None, settings: Settings
) -> Figure:
    interval = core.bootstrap_ci(
        values, clusters=clusters, n_resamples=settings.n_resamples, level=settings.level, seed=settings.seed
    )
    return Figure(
        interval.mean,
        _finite(interval.low),
        _finite(interval.high),
        values.size,
        n_total,
        pessimistic,
        _why_no_interval(clusters),
    )


def _why_no_interval(clusters: NDArray[np.int64]) -> str | None:
    if clusters.size == 1:
        return ONE_ROW
    return ONE_PAIR if np.all(clusters == clusters[0]) else None


def _missing(pairs: Sequence[Pair], held: Collection[str], answered: Collection[str]) -> int:
    """Records without an answer that say that the model was asked and failed, and source pairs of which no record
    says anything.
    """
    failed = [pair.source_id for pair in pairs if pair.id not in held and pair.extra.get("error") is not None]
    return len(failed) + len({pair.source_id for pair in pairs} - {*answered, *failed})


def _orders(held: Sequence[Pair], answers: Sequence[Critique], settings: Settings) -> dict[str, Figure]:
    """`ORDERS` over the pairs, sample by sample, that were shown in both orders."""
    first: dict[tuple[str, int], Critique] = {}
    second: dict[tuple[str, int], Critique] = {}
    for pair, answer in zip(held, answers, strict=True):
        (second if answer.swapped else first).setdefault((pair.source_id, answer.sample), answer)
    both = [(key, first[key].verdict, second[key].verdict) for key in first if key in second]
    if not both:
        return {}
    known = [(key[0], np.sign(a), np.sign(b)) for key, a, b in both if a is not None and b is not None]
    if not known:
        none = Figure(None, None, None, 0, len(both), None, "no pair has a verdict in both orders")
        return dict.fromkeys(ORDERS, none)
    clusters = _numbers(source_id for source_id, _, _ in known)
    same = np.array([float(a == b) for _, a, b in known])
    # B was shown first where the pair was swapped, so a verdict for it counts as one for the first place
    first_place = np.array([(a - b) / 2.0 for _, a, b in known])
    return {
        "order_consistency": _mean(same, clusters, len(both), float(same.sum() / len(both)), settings),
        "position_bias": _mean(first_place, clusters, len(both), None, settings),
    }


def _judges(held: Sequence[Pair], model: str) -> tuple[tuple[str | None, str | None], ...]:
    found = {(judge.judge, judge.stand_in) for pair in held if (judge := pair.models[model].judge) is not None}
    return tuple(sorted(found, key=lambda judge: (judge[0] or "", judge[1] or "")))


def _why_none(metric: str, n_rows: int, settings: Settings) -> str:
    if metric == "oa":
        return "no labelled row has a verdict" if n_rows else "no row has a human label"
    if settings.judge == "none":
        return "no judge was asked for"
    if metric == "soft_ap" and settings.mode == "reference":
        return "the release does not define it"
    return "no row has a judge answer that could be read" if n_rows else "no row is left to score"


def compare(a: ModelScores, b: ModelScores) -> Comparison:
    """Model `a` against `b` on the records that both answered: paired bootstrap over pairs, and McNemar's test for
    verdicts, which goes by row: where several rows answer one pair, both orders say, it takes them for independent
    and finds too small a p-value.

    Raises `RationaleError` when the two were scored under different settings.
    """
    if a.settings != b.settings:
        raise core.RationaleError("models scored under different settings cannot be compared")
    where = {pair_id: row for row, pair_id in enumerate(b.pair_ids)}
    rows = [(row, where[pair_id]) for row, pair_id in enumerate(a.pair_ids) if pair_id in where]
    rows_a, rows_b = [row for row, _ in rows], [row for _, row in rows]
    clusters = _numbers(a.source_ids[row] for row in rows_a)
    differences = {
        name: _difference(name, a.columns[name][rows_a], b.columns[name][rows_b], clusters, a.settings)
        for name in METRICS
    }
    outcome_a, outcome_b = a.columns["oa"][rows_a], b.columns["oa"][rows_b]
    both = ~np.isnan(outcome_a) & ~np.isnan(outcome_b)
    test = None
    if both.any():
        found = core.mcnemar(outcome_a[both] == 1, outcome_b[both] == 1)
        test = {"only_a": found.only_a, "only_b": found.only_b, "p_exact": found.p_exact}
    return Comparison(a.model, b.model, differences, test)


def _difference(metric: str, a: Floats, b: Floats, clusters: NDArray[np.int64], settings: Settings) -> Difference:
    both = ~np.isnan(a) & ~np.isnan(b)
    n = int(both.sum())
    if n == 0:
        return Difference(metric, None, None, None, None, 0, "no pair on which both have this figure")
    found = core.paired_bootstrap(
        a[both],
        b[both],
        clusters=clusters[both],
        n_resamples=settings.n_resamples,
        level=settings.level,
        seed=settings.seed,
    )
    return Difference(
        metric,
        found.difference,
        _finite(found.low),
        _finite(found.high),
        _finite(found.p_value),
        n,
        _why_no_interval(clusters[both]),
    )


def _numbers(names: Iterable[str]) -> NDArray[np.int64]:
    """A number for each name, the same for the same, in the order in which they are met."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _counts(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
