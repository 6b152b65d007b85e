"""Tables of every evaluation with intervals, coverage and parse failures, and the paired differences of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rationale_rm.documents import OVERALL, Estimate
from rationale_rm.report import charts, names
from rationale_rm.report.blocks import (
    Cell,
    Figure,
    Folded,
    Key,
    Panel,
    Section,
    Table,
    figure_cell,
    interval,
    spoken,
    words,
)
from rationale_rm.report.inputs import Comparison, EvalRun, Inputs
from rationale_rm.report.text import number, percent

MAIN: Final = ("accuracy", "oa", "win_rate", "score", "rc")
"""Metrics that an evaluation is known by, the first one that is there."""
LEVELS: Final = ("easy", "normal", "hard")
NOT_ANSWERED: Final = "not_answered"
_MOST_SLICES: Final = 14


def section(inputs: Inputs) -> Section | None:
    """The section, or None without evaluations and comparisons."""
    if not inputs.evals and not inputs.comparisons:
        return None
    blocks: list[Figure | Table | Folded] = []
    notes: list[str] = []
    for kind in dict.fromkeys(run.result.eval for run in inputs.evals):
        runs = [run for run in inputs.evals if run.result.eval == kind]
        blocks += _blocks(kind, runs)
        notes += [f"{names.evaluation(kind)}, {run.name}: {note}" for run in runs for note in run.result.notes]
    for comparison in inputs.comparisons:
        blocks += _differences(comparison)
    lead = (
        "Each figure with its 95% interval. Coverage and parse failures stand beside the scores: what was not answered "
        "is no zero, and what could not be read counts as wrong."
    )
    return Section("scores", "Scores", lead, blocks, notes)


def _blocks(kind: str, runs: Sequence[EvalRun]) -> list[Figure | Table | Folded]:
    title = names.evaluation(kind)
    metrics = {one.metric for run in runs for one in run.result.estimates}
    found: list[Figure | Table | Folded] = [_headline(title, runs)]
    main = next((name for name in MAIN if name in metrics), None)
    if main is not None:
        slices = _slices(runs, main)
        if len(slices) > 1:
            table = _by_slice(f"{title}: {names.metric(main)} by slice", runs, main, slices)
            found.append(_dots(f"{title} by slice", runs, main, slices, table))
        if kind == "rationale":
            rest = [metric for metric in ("rc", "ap") if metric in metrics and metric != main]
            found += [_by_slice(f"{title}: {names.metric(one)} by slice", runs, one, slices) for one in rest]
    found.append(Folded(f"{title}: every figure", [_everything(run) for run in runs]))
    return found


def _rows(runs: Sequence[EvalRun]) -> Iterable[tuple[str, EvalRun, str]]:
    """Each run under each of its rules, with a name for the two."""
    for run in runs:
        rules = list(dict.fromkeys(one.rule for one in run.result.estimates))
        for rule in rules:
            yield (run.name if len(rules) == 1 else f"{run.name} · {rule.replace('_', ' ')}"), run, rule


def _headline(title: str, runs: Sequence[EvalRun]) -> Table:
    overall = [one for run in runs for one in run.result.estimates if one.slice == OVERALL]
    metrics = list(dict.fromkeys(one.metric for one in overall))
    columns = ["Model", *map(names.metric, metrics), "Coverage", "Parse failures"]
    rows = []
    for name, run, rule in _rows(runs):
        figures = {one.metric: one for one in run.result.estimates if one.slice == OVERALL and one.rule == rule}
        if figures:
            cells = [figure_cell(figures.get(metric)) for metric in metrics]
            rows.append([words(name), *cells, _coverage(run), _parse_failures(run)])
    return Table(f"{title}, overall", columns, rows)


def _coverage(run: EvalRun) -> Cell:
    total = sum(run.result.statuses.values())
    answered = total - run.result.statuses.get(NOT_ANSWERED, 0)
    return Cell("–") if not total else Cell(percent(answered / total), f"{answered:,} of {total:,} answers")


def _parse_failures(run: EvalRun) -> Cell:
    statuses = {name: n for name, n in run.result.statuses.items() if name != NOT_ANSWERED}
    total = sum(statuses.values())
    if not total:
        return Cell("–")
    failed = {name: n for name, n in statuses.items() if name != "ok" and n}
    note = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in sorted(failed.items(), key=lambda one: -one[1]))
    return Cell(percent(sum(failed.values()) / total), note)


def _slices(runs: Sequence[EvalRun], metric: str) -> list[str]:
    """Slices with the metric: domains, levels, then the whole."""
    found = list(dict.fromkeys(one.slice for run in runs for one in run.result.estimates if one.metric == metric))
    kept = [one for one in found if one not in (*LEVELS, OVERALL) and "/" not in one]
    levels = [one for one in LEVELS if one in found]
    whole = [OVERALL] if OVERALL in found else []
    return [*kept[: _MOST_SLICES - len(levels) - 1], *levels, *whole]


def _by_slice(caption: str, runs: Sequence[EvalRun], metric: str, slices: Sequence[str]) -> Table:
    rows = []
    for name, run, rule in _rows(runs):
        figures = {one.slice: one for one in run.result.estimates if one.metric == metric and one.rule == rule}
        if figures:
            cells = [figure_cell(figures.get(one), strong=one == OVERALL) for one in slices]
            rows.append([words(name), *cells])
    return Table(caption, ["Model", *slices], rows)


def _dots(title: str, runs: Sequence[EvalRun], metric: str, slices: Sequence[str], table: Table) -> Figure:
    marks: list[dict[str, Any]] = []
    legend: list[Key] = []
    for place, (name, run, rule) in enumerate(_rows(runs)):
        of = [one for one in run.result.estimates if one.metric == metric and one.rule == rule and one.slice in slices]
        if of:
            legend.append(Key(name, place))
        marks += [_mark(one.slice, place, one, f"{name}, {one.slice}") for one in of if one.value is not None]
    if not marks:
        return Figure(title, "No figure yet.", (), legend, table)
    lows, highs = [row["low"] for row in marks], [row["high"] for row in marks]
    domain = max(0.0, min(lows) - 0.05), min(1.0, max(highs) + 0.05) if max(highs) <= 1 else max(highs) * 1.05
    svg = charts.dots(marks, order=slices, title=names.metric(metric), domain=domain)
    label = f"{title}: " + "; ".join(row["text"] for row in marks[:40])
    return Figure(title, f"{names.metric(metric)} with 95% intervals.", [Panel("", svg, label)], legend, table)


def _mark(label: str, place: int, one: Estimate, name: str) -> dict[str, Any]:
    value = one.value
    low, high = (value if bound is None else bound for bound in (one.low, one.high))
    return {"label": label, "series": place, "value": value, "low": low, "high": high, "text": spoken(name, one)}


def _everything(run: EvalRun) -> Table:
    columns = ["Rule", "Slice", "Metric", "Value", "n", "Of", "Missing as 0", "Note"]
    rows = [
        [
            words(one.rule or "–"),
            words(one.slice),
            words(names.metric(one.metric)),
            Cell(number(one.value), "" if one.low is None else interval(one.low, one.high)),
            Cell(f"{one.n:,}"),
            Cell(f"{one.n_total:,}"),
            Cell(number(one.pessimistic)),
            words(one.unavailable or ""),
        ]
        for one in run.result.estimates
    ]
    return Table(run.name, columns, rows)


def _differences(comparison: Comparison) -> list[Figure | Table | Folded]:
    title = f"{names.evaluation(comparison.eval)}: {comparison.a} less {comparison.b}"
    columns = ["Figure", "Slice", "Difference", "Items", "p, bootstrap", "Right only", "p, McNemar"]
    rows = [_difference(one, comparison) for one in comparison.differences]
    head = [row for row, one in zip(rows, comparison.differences, strict=True) if one.get("slice") == OVERALL]
    found: list[Figure | Table | Folded] = [Table(f"{title}, overall, the same items", columns, head)]
    if len(head) < len(rows):
        found.append(Folded(f"{title}: every difference", [Table(title, columns, rows)]))
    return found


def _difference(one: Mapping[str, Any], comparison: Comparison) -> list[Cell]:
    rule = str(one.get("rule") or "").replace("_", " ")
    metric = names.metric(str(one.get("metric")))
    value, low, high = one.get("value"), one.get("low"), one.get("high")
    only = one.get("only_a"), one.get("only_b")
    return [
        words(f"{metric}, {rule}" if rule else metric),
        words(str(one.get("slice"))),
        Cell(_signed(value), "" if low is None else interval(low, high), strong=bool(low and high and low * high > 0)),
        Cell(f"{one.get('n') or 0:,}"),
        Cell(_p(one.get("p_value"))),
        Cell("–" if None in only else f"{only[0]} / {only[1]}"),
        Cell(_p(one.get("p_mcnemar"))),
    ]


def _signed(value: float | None) -> str:
    return "–" if value is None else ("+" if value > 0 else "") + number(value)


def _p(value: float | None) -> str:
    return "–" if value is None else "< .001" if value < 0.001 else number(value)
