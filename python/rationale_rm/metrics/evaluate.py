"""Scores of one model, and two models compared on the same pairs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
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
from rationale_rm.metrics.rows import AnswerRows, in_order, score_rows
from rationale_rm.types import Pair


def evaluate(pairs: Sequence[Pair], model: str, settings: Settings | None = None) -> ModelScores:
    """Scores `model` on the records that hold an answer of it; several may answer one pair.

    Outcome accuracy is the mean of ``outcome_reward`` over rows with a label and a verdict or a malformed
    answer, which is wrong. Rationale scores are means over rows that a judge answered; an answer without
    reasons scores 0, and one whose reasons the data do not hold is not judged. The order of `pairs`, which a run
    that asks many questions at a time leaves to chance, changes nothing: rows are sorted by source pair, order and
    sample. Raises `RationaleError` for settings outside their range.
    """
    settings = settings or Settings()
    rows = score_rows(pairs, model, settings)
    failed = {pair.id: pair.source_id for pair in pairs if pair.extra.get("error") is not None}
    return summarise(rows, settings, n_missing=missing(rows, {pair.source_id for pair in pairs}, failed))


def missing(rows: AnswerRows, sources: Collection[str], failed: Mapping[str, str]) -> int:
    """How many answers there should be beside `rows`: records without one that say that the model was asked and
    failed (`failed`: their id → id of their source pair), and source pairs of which no record says anything.
    """
    held = set(rows.ids)
    asked = [source for pair_id, source in failed.items() if pair_id not in held]
    return len(asked) + len({*sources}.difference(rows.source_ids, asked))


def summarise(rows: AnswerRows, settings: Settings, *, n_missing: int) -> ModelScores:
    """The figures over `rows`, which were scored under `settings`; their order changes nothing. `n_missing`: see
    `ModelScores`.
    """
    rows = in_order(rows)
    columns = {"oa": rows.outcome(exact=settings.exact), **rows.matched.columns}

    labelled = rows.label != core.NO_VERDICT
    judged = np.array([name != "left_out" for name in rows.matched.status], dtype=bool)
    names = np.array(rows.domains, dtype=object)
    clusters = _numbers(rows.source_ids)

    def figures(chosen: NDArray[np.bool_]) -> dict[str, Figure]:
        found: dict[str, Figure] = {}
        for name in METRICS:
            which = chosen & (labelled if name == "oa" else judged)
            # Recall is RC under another name, and an interval over many rows takes its time.
            found[name] = found["rc"] if name == "recall" else _figure(name, columns[name], clusters, which, settings)
        return found

    return ModelScores(
        model=rows.model,
        settings=settings,
        pair_ids=rows.ids,
        source_ids=rows.source_ids,
        shown=tuple(zip(rows.swapped.tolist(), rows.samples.tolist(), strict=True)),
        domains=rows.domains,
        columns=columns,
        overall=figures(np.ones(len(rows), dtype=bool)),
        by_domain={domain: figures(names == domain) for domain in sorted(set(rows.domains))},
        orders=_orders(rows, settings),
        judges=tuple(sorted({*rows.judges} - {None}, key=_judge_place)),  # type: ignore[arg-type]
        levels={"label": _levels(rows.label), "verdict": _levels(rows.verdict)},
        statuses={"answer": rows.answer_status, "judge": rows.matched.status},
        n_missing=n_missing,
        n_tied_labels=int(np.sum(rows.label == 0)),
        genrm=_counts(rows.answer_status),
        judge=_counts(rows.matched.status),
        left_out=_counts(
            "no reasons" if n_reasons <= 0 else f"more than {REFERENCE_MAX_REASONS} reasons"
            for n_reasons in rows.n_reasons[~judged].tolist()
        ),
        reason_counts=dict(sorted(Counter(rows.n_reasons[rows.n_reasons >= 0].tolist()).items())),
        n_failed_samples=int(rows.matched.n_failed.sum()),
        n_dropped=int(rows.matched.n_dropped.sum()),
        n_unseen=dict(sorted(Counter(rows.matched.judged_length[rows.matched.judged_length >= 0].tolist()).items())),
    )


def _levels(column: NDArray[np.int8]) -> tuple[int | None, ...]:
    return tuple(None if level == core.NO_VERDICT else level for level in column.tolist())


def _judge_place(judge: tuple[str | None, str | None]) -> tuple[str, str]:
    return judge[0] or "", judge[1] or ""


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


def _orders(rows: AnswerRows, settings: Settings) -> dict[str, Figure]:
    """`ORDERS` over the pairs, sample by sample, that were shown in both orders; of `rows` in order."""
    first: dict[tuple[str, int], int] = {}
    second: dict[tuple[str, int], int] = {}
    shown = zip(rows.source_ids, rows.samples.tolist(), rows.swapped.tolist(), rows.verdict.tolist(), strict=True)
    for source_id, sample, swapped, verdict in shown:
        (second if swapped else first).setdefault((source_id, sample), verdict)
    both = [(source, verdict, second[source, n]) for (source, n), verdict in first.items() if (source, n) in second]
    if not both:
        return {}
    known = [(source, np.sign(a), np.sign(b)) for source, a, b in both if core.NO_VERDICT not in (a, b)]
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
