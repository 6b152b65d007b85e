"""The analyses that are no taxonomy: evaluator agreement as a figure (paper, Fig. 2), the others as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.documents import OVERALL, Analysis
from rationale_rm.report import charts, names
from rationale_rm.report.blocks import Cell, Figure, Folded, Key, Panel, Section, Table, figure_cell, interval, words
from rationale_rm.report.inputs import Inputs
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections.degeneration import NAME as DEGENERATION
from rationale_rm.report.sections.degeneration import degeneration
from rationale_rm.report.text import number

MOST_POINTS: Final = 2000
"""Points that are drawn or listed."""
MOST_ROWS: Final = 300
MOST_NESTED: Final = 4
"""Lists within lists that a cell shows."""
MOST_OPEN: Final = 12
"""A table of more rows is shown on demand."""
TITLES: Final = {
    "agreement": "Agreement of two evaluators",
    "rank_agreement": "Rank agreement of benchmarks",
    DEGENERATION: "Degeneration over training",
    "lengths": "Length and number of reasons",
    "ranks": "What each rank contributes to RC",
    "templates": "Near-duplicate and template reasons",
    "taxonomy": "Reasons by class and flaw",
}


def section(inputs: Inputs, palette: Palette) -> Section | None:
    """The section, or None without such analyses."""
    blocks: list[Figure | Table | Folded] = []
    notes: list[str] = []
    for one in inputs.analyses:
        analysis = one.analysis
        if analysis.analysis == "taxonomy":
            continue
        notes += [f"{TITLES.get(analysis.analysis, analysis.analysis)}: {note}" for note in analysis.notes]
        title = TITLES.get(analysis.analysis, analysis.analysis)
        figure = degeneration(analysis) if analysis.analysis == DEGENERATION else _figure(title, analysis, palette)
        if figure is not None:
            blocks.append(figure)
        table = _estimates(title, analysis)
        blocks.append(Folded(table.caption, [table]) if len(table.rows) > MOST_OPEN else table)
        if analysis.points:
            blocks.append(Folded(f"{title}: points", [_points(title, analysis.points)]))
    if not blocks:
        return None
    lead = "What the answers show beyond their scores."
    return Section("analyses", "Analyses", lead, blocks, list(dict.fromkeys(notes)))


def _figure(title: str, analysis: Analysis, palette: Palette) -> Figure | None:
    if analysis.analysis in ("agreement", "rank_agreement"):
        return _agreement(title, analysis)
    if analysis.analysis == "ranks":
        return _ranks(title, analysis, palette)
    return None


def _agreement(title: str, analysis: Analysis) -> Figure | None:
    """Models, each by its mean over all domains, and single answers: a panel each, where there are such points."""
    x, y = (analysis.subject[0], analysis.subject[1]) if len(analysis.subject) > 1 else ("x", "y")
    one_scale = analysis.analysis == "agreement"
    panels, cut = [], []
    for level, of, name in ((None, OVERALL, ""), ("model", OVERALL, "Models"), ("item", "items", "Answers")):
        given = [one for one in analysis.points if one.get("level") == level and one.get("domain", of) in (OVERALL, of)]
        if level == "item":
            given = [one for one in analysis.points if one.get("level") == level]
        points = [point for one in given if (point := _xy(one)) is not None][:MOST_POINTS]
        if len(points) < 2:
            continue
        estimates = [one for one in analysis.estimates if one.slice == of and one.value is not None]
        figures = {one.metric: one.value for one in estimates}
        n = max([len(given), *(one.n for one in estimates if level == "item")])  # of models, n counts answers
        if len(points) < n:
            cut.append(f"{len(points):,} of {n:,} {name.lower() or 'points'}")
        slope, intercept = figures.get("slope"), figures.get("intercept")
        fit = None if slope is None or intercept is None else (slope, intercept)
        told = "; ".join(f"{names.metric(metric)} {number(value)}" for metric, value in figures.items())
        svg = charts.agreement(points, titles=(x, y), fit=fit, equality=one_scale)
        heading = ": ".join(part for part in (name, told) if part)
        panels.append(Panel(heading, svg, f"{title}, {x} against {y}, {len(points)} points. {heading}"))
    caption = ("Dashed: equality. " if one_scale else "") + "Line: the linear fit, where there is one."
    if cut:
        caption += f" Drawn are {' and '.join(cut)}, those that the analysis lists; figures and fit are of all."
    return Figure(f"{title}: {x} and {y}", caption, panels) if panels else None


def _xy(point: Mapping[str, Any]) -> dict[str, Any] | None:
    """A point with two numbers: ``x`` and ``y``, ``a`` and ``b``, or the first two of it."""
    numbers = {
        name: float(value)
        for name, value in point.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    for pair in (("x", "y"), ("a", "b"), tuple(numbers)[:2]):
        if len(pair) == 2 and all(name in numbers for name in pair):
            rest = [str(value) for name, value in point.items() if isinstance(value, str)]
            name = ", ".join(rest[:2]) or "item"
            x, y = numbers[pair[0]], numbers[pair[1]]
            return {"x": x, "y": y, "text": f"{name}: {number(x)}, {number(y)}"}
    return None


def _ranks(title: str, analysis: Analysis, palette: Palette) -> Figure | None:
    rows: list[dict[str, Any]] = []
    models = list(dict.fromkeys(str(one.get("model")) for one in analysis.points if one.get("metric") == "share"))
    for one in analysis.points:
        value, *bounds = (one.get(name) for name in ("value", "low", "high"))
        numbers = isinstance(value, (int, float)) and all(isinstance(end, (int, float, type(None))) for end in bounds)
        if one.get("metric") == "share" and numbers and isinstance(one.get("rank"), int):
            model, rank = str(one.get("model")), one["rank"]
            low, high = (value if end is None else end for end in bounds)
            text = f"{model}, rank {rank}: {number(value)} ({interval(low, high)})"
            place = palette.place(model)
            rows.append(
                {"series": place, "label": f"rank {rank}", "value": value, "low": low, "high": high, "text": text}
            )
    if not rows:
        return None
    order = list(dict.fromkeys(row["label"] for row in rows))
    svg = charts.dots(
        rows, order=order, title="Share of RC", domain=(0.0, min(1.0, max(row["high"] for row in rows) + 0.05))
    )
    label = f"{title}: " + "; ".join(row["text"] for row in rows[:40])
    legend = [Key(model, palette.place(model)) for model in models]
    return Figure(
        title,
        "The share of RC that the reasons of each rank bring, with 95% intervals.",
        [Panel("", svg, label)],
        legend,
    )


def _estimates(title: str, analysis: Analysis) -> Table:
    """Slices as rows, metrics as columns."""
    metrics = list(dict.fromkeys(one.metric for one in analysis.estimates))
    cells: dict[tuple[str, str], dict[str, Cell]] = {}
    for one in analysis.estimates:
        cells.setdefault((one.rule, one.slice), {})[one.metric] = figure_cell(one)
    rows = [
        [words(_place(rule, of)), *(row.get(metric, Cell("–")) for metric in metrics)]
        for (rule, of), row in cells.items()
    ]
    cut = f", the first {MOST_ROWS:,} of {len(rows):,}" if len(rows) > MOST_ROWS else ""
    return Table(
        f"{title}: {', '.join(analysis.subject)}{cut}", ["Slice", *map(names.metric, metrics)], rows[:MOST_ROWS]
    )


def _place(rule: str, of: str) -> str:
    return f"{of}, {rule}" if rule else of


def _points(title: str, points: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for point in points[:MOST_ROWS] for name in point))
    rows = [[_cell(point.get(name)) for name in columns] for point in points[:MOST_ROWS]]
    shown = "" if len(points) <= MOST_ROWS else f", the first {MOST_ROWS:,} of {len(points):,}"
    return Table(f"{title}{shown}", [str(name) for name in columns], rows)


def _cell(value: Any, depth: int = 0) -> Cell:
    if depth > MOST_NESTED:
        return words("…")
    if value is None:
        return Cell("–")
    if isinstance(value, float):
        return Cell(number(value))
    if isinstance(value, (list, tuple)):
        return words("\n".join(_cell(one, depth + 1).text for one in value))
    if isinstance(value, Mapping):
        return words(" · ".join(_cell(one, depth + 1).text for one in value.values()))
    return Cell(str(value), numeric=isinstance(value, int))
