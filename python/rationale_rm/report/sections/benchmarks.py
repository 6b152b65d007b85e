"""Every evaluation: as a whole, by slice, and every figure; then the paired differences of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    spoken,
    words,
)
from rationale_rm.report.inputs import EvalRun, Inputs
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections.differences import differences
from rationale_rm.report.sections.every_figure import every_figure
from rationale_rm.report.sections.overall import MAIN, by_rule, headline, matrices, of_rule

LEVELS: Final = ("easy", "normal", "hard")
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
        blocks += differences(kind, [one for one in inputs.comparisons if one.eval == kind])
    lead = (
        "Each figure with its 95% interval. Coverage and parse failures stand beside the scores: what was not answered "
        "is no zero, and what could not be read counts as wrong."
    )
    return Section("scores", "Scores", lead, blocks, notes)


def _blocks(kind: str, runs: Sequence[EvalRun], palette: Palette) -> list[Figure | Table | Folded]:
    title = names.evaluation(kind)
    metrics = {one.metric for run in runs for one in run.result.estimates}
    found: list[Figure | Table | Folded] = [headline(title, runs), *matrices(runs)]
    main = next((name for name in MAIN if name in metrics), None)
    if main is not None:
        slices, n_left = _slices(runs, main)
        if len(slices) > 1:
            more = [metric for metric in ("rc", "ap") if kind == "rationale" and metric in metrics and metric != main]
            found.append(_by_slice(f"{title} by slice", runs, [main, *more], slices, n_left, palette))
    found.append(Folded(f"{title}: every figure", [every_figure(run.name, run.result.estimates) for run in runs]))
    return found


def _slices(runs: Sequence[EvalRun], metric: str) -> tuple[list[str], int]:
    """Slices with the metric, domains, levels, then the whole; and how many domains have no place among them."""
    found = list(dict.fromkeys(one.slice for run in runs for one in run.result.estimates if one.metric == metric))
    kept = [one for one in found if one not in (*LEVELS, OVERALL)]
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
    named = list(by_rule(runs))
    n_drawn = min(len(named), _MOST_DRAWN)
    for metric in metrics:
        called = names.metric(metric)
        marks: list[dict[str, Any]] = []
        for row, (name, run, rule) in enumerate(named):
            figures = {one.slice: one for one in of_rule(run, rule) if one.metric == metric}
            if figures:
                cells = [figure_cell(figures.get(one), strong=one == OVERALL) for one in slices]
                rows.append([words(f"{name}, {called}" if len(metrics) > 1 else name), *cells])
            if row < n_drawn:
                known = [figures[one] for one in slices if one in figures and figures[one].value is not None]
                marks += [
                    _mark(names.part(one.slice), palette.place(name), one, f"{name}, {names.part(one.slice)}")
                    for one in known
                ]
        if marks:
            svg = charts.dots(marks, order=[*map(names.part, slices)], title=called, domain=_domain(marks))
            label = f"{title}, {called}: " + "; ".join(mark["text"] for mark in marks[:40])
            panels.append(Panel(called, svg, label))
    caption = "With 95% intervals."
    if n_left:
        caption += f" {n_left} more slices stand under “every figure”."
    if len(named) > n_drawn:
        caption += f" Drawn are the first {n_drawn} of {len(named)}; the table has all."
    legend = [Key(name, palette.place(name)) for name, _, _ in named[:n_drawn]]
    return Figure(title, caption, panels, legend, Table(title, ["Model", *map(names.part, slices)], rows))


def _domain(marks: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    low, high = min(row["low"] for row in marks), max(row["high"] for row in marks)
    return low - 0.05 if low < 0 else max(0.0, low - 0.05), min(1.0, high + 0.05) if high <= 1 else high * 1.05


def _mark(label: str, place: int, one: Estimate, name: str) -> dict[str, Any]:
    value = one.value
    low, high = (value if bound is None else bound for bound in (one.low, one.high))
    return {"label": label, "series": place, "value": value, "low": low, "high": high, "text": spoken(name, one)}
