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
from rationale_rm.report.palette import Palette
from rationale_rm.report.text import number, percent

MAIN: Final = ("accuracy", "oa", "win_rate", "correct_average", "rc")
"""Metrics that an evaluation is known by, the first one that is there."""
ALSO_COMPARED: Final = ("ap", "joint", "spurious", "malformed")
LEVELS: Final = ("easy", "normal", "hard")
NOT_ANSWERED: Final = "not_answered"
_MOST_SLICES: Final = 14
_MOST_DRAWN: Final = 10
"""Rows of a figure: with more it is taller than a screen, and the table tells more."""


def section(inputs: Inputs, palette: Palette) -> Section | None:
    """The section, or None without evaluations and comparisons."""
    if not inputs.evals and not inputs.comparisons:
        return None
    blocks: list[Figure | Table | Folded] = []
    notes: list[str] = []
    kinds = [run.result.eval for run in inputs.evals] + [one.eval for one in inputs.comparisons]
    for kind in dict.fromkeys(kinds):
        runs = [run for run in inputs.evals if run.result.eval == kind]
        if runs:
            blocks += _blocks(kind, runs, palette)
        notes += [f"{names.evaluation(kind)}, {run.name}: {note}" for run in runs for note in run.result.notes]
        blocks += _differences(kind, [one for one in inputs.comparisons if one.eval == kind])
    lead = (
        "Each figure with its 95% interval. Coverage and parse failures stand beside the scores: what was not answered "
        "is no zero, and what could not be read counts as wrong."
    )
    return Section("scores", "Scores", lead, blocks, notes)


def _blocks(kind: str, runs: Sequence[EvalRun], palette: Palette) -> list[Figure | Table | Folded]:
    title = names.evaluation(kind)
    metrics = {one.metric for run in runs for one in run.result.estimates}
    found: list[Figure | Table | Folded] = [_headline(title, runs)]
    main = next((name for name in MAIN if name in metrics), None)
    if main is not None:
        slices, n_left = _slices(runs, main)
        if len(slices) > 1:
            more = [metric for metric in ("rc", "ap") if kind == "rationale" and metric in metrics and metric != main]
            found.append(_by_slice(f"{title} by slice", runs, [main, *more], slices, n_left, palette))
    found.append(Folded(f"{title}: every figure", [_everything(run) for run in runs]))
    return found


def _rows(runs: Sequence[EvalRun]) -> Iterable[tuple[str, EvalRun, str]]:
    """Each run under each of its rules, with a name for the two; figures without a rule belong to all of them."""
    for run in runs:
        rules = list(dict.fromkeys(one.rule for one in run.result.estimates))
        rules = [rule for rule in rules if rule] or rules
        for rule in rules:
            yield (run.name if len(rules) == 1 else f"{run.name} · {rule.replace('_', ' ')}"), run, rule


def _of(run: EvalRun, rule: str) -> list[Estimate]:
    """The figures of a rule, after those without one."""
    return [one for one in run.result.estimates if not one.rule] + [
        one for one in run.result.estimates if one.rule and one.rule == rule
    ]


def _headline(title: str, runs: Sequence[EvalRun]) -> Table:
    overall = [one for run in runs for one in run.result.estimates if one.slice == OVERALL]
    metrics = list(dict.fromkeys(one.metric for one in overall))
    columns = ["Model", "Coverage", "Parse failures", *map(names.metric, metrics)]
    rows = []
    for name, run, rule in _rows(runs):
        figures = {one.metric: one for one in _of(run, rule) if one.slice == OVERALL}
        if figures:
            cells = [figure_cell(figures.get(metric), strong=metric in MAIN) for metric in metrics]
            rows.append([words(name), _coverage(run), _parse_failures(run), *cells])
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


def _slices(runs: Sequence[EvalRun], metric: str) -> tuple[list[str], int]:
    """Slices with the metric, domains, levels, then the whole; and how many domains have no place among them."""
    found = list(dict.fromkeys(one.slice for run in runs for one in run.result.estimates if one.metric == metric))
    kept = [one for one in found if one not in (*LEVELS, OVERALL) and "/" not in one]
    levels = [one for one in LEVELS if one in found]
    whole = [OVERALL] if OVERALL in found else []
    most = _MOST_SLICES - len(levels) - 1
    return [*kept[:most], *levels, *whole], max(0, len(kept) - most)


def _by_slice(
    title: str, runs: Sequence[EvalRun], metrics: Sequence[str], slices: Sequence[str], n_left: int, palette: Palette
) -> Figure:
    """A panel for each metric, a line for each slice; the numbers as one table."""
    panels: list[Panel] = []
    rows: list[list[Cell]] = []
    legend: dict[str, Key] = {}
    for metric in metrics:
        called = names.metric(metric)
        marks: list[dict[str, Any]] = []
        for name, run, rule in _rows(runs):
            place = palette.place(name)
            figures = {one.slice: one for one in _of(run, rule) if one.metric == metric}
            if figures:
                legend[name] = Key(name, place)
                cells = [figure_cell(figures.get(one), strong=one == OVERALL) for one in slices]
                rows.append([words(f"{name}, {called}" if len(metrics) > 1 else name), *cells])
            if len(legend) > _MOST_DRAWN:
                continue
            drawn = [figures[one] for one in slices if one in figures and figures[one].value is not None]
            marks += [_mark(one.slice, place, one, f"{name}, {one.slice}") for one in drawn]
        if marks:
            svg = charts.dots(marks, order=slices, title=called, domain=_domain(marks))
            label = f"{title}, {called}: " + "; ".join(row["text"] for row in marks[:40])
            panels.append(Panel(called, svg, label))
    caption = "With 95% intervals."
    if n_left:
        caption += f" {n_left} more slices stand under “every figure”."
    if len(legend) > _MOST_DRAWN:
        caption += f" Drawn are the first {_MOST_DRAWN} of {len(legend)}; the table has all."
    keys = list(legend.values())[:_MOST_DRAWN]
    return Figure(title, caption, panels, keys, Table(title, ["Model", *slices], rows))


def _domain(marks: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    low, high = min(row["low"] for row in marks), max(row["high"] for row in marks)
    return max(0.0, low - 0.05), min(1.0, high + 0.05) if high <= 1 else high * 1.05


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


def _differences(kind: str, comparisons: Sequence[Comparison]) -> list[Figure | Table | Folded]:
    """The figures that the evaluation is known by, overall; all others on demand."""
    if not comparisons:
        return []
    title = f"{names.evaluation(kind)}: paired differences, the same items"
    columns = [
        "A less B",
        "Figure",
        "Slice",
        "Difference",
        "Items",
        "p, bootstrap",
        "Right in A / B only",
        "p, McNemar",
    ]
    pairs = [
        (one, f"{comparison.a} less {comparison.b}") for comparison in comparisons for one in comparison.differences
    ]
    rows = [_difference(one, name) for one, name in pairs]
    known = (*MAIN, *ALSO_COMPARED)
    head = [
        row
        for row, (one, _) in zip(rows, pairs, strict=True)
        if one.get("slice") == OVERALL and one.get("metric") in known
    ]
    found: list[Figure | Table | Folded] = [Table(title, columns, head)] if head else []
    if len(head) < len(rows):
        found.append(Folded(f"{names.evaluation(kind)}: every difference", [Table(title, columns, rows)]))
    return found


def _difference(one: Mapping[str, Any], name: str) -> list[Cell]:
    rule = str(one.get("rule") or "").replace("_", " ")
    metric = names.metric(str(one.get("metric")))
    value, low, high = one.get("value"), one.get("low"), one.get("high")
    only = one.get("only_a"), one.get("only_b")
    return [
        words(name),
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
