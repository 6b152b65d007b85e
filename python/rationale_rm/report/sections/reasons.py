"""Classes of reasons (paper, Fig. 4) and their flaws (Fig. 5), of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rationale_rm.documents import OVERALL, Estimate
from rationale_rm.report import charts, names
from rationale_rm.report.blocks import Cell, Figure, Folded, Key, Panel, Section, Table, figure_cell, spoken, words
from rationale_rm.report.inputs import Inputs, NamedAnalysis
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections.every_figure import every_figure
from rationale_rm.report.text import percent

Found = dict[str, dict[str, Estimate]]
"""Model → code of a class or flaw → its share of the model's reasons."""


def section(inputs: Inputs, palette: Palette) -> Section | None:
    """The section, or None where no analysis labelled reasons."""
    blocks: list[Figure | Table | Folded] = []
    every: list[Folded] = []
    notes: list[str] = []
    labelled = [one for one in inputs.analyses if one.analysis.analysis == "taxonomy"]
    for one in labelled:
        source = f" ({one.path.name})" if len(labelled) > 1 else ""
        for rule in dict.fromkeys(estimate.rule for estimate in one.analysis.estimates):
            by = f", labelled by {rule.replace('_', ' ')}" if rule else ""
            blocks += _figures(_found(one, rule), by + source, palette)
        title = f"Reasons by class and flaw{source}: every figure"
        every.append(Folded(title, [every_figure(title, one.analysis.estimates)]))
        notes += one.analysis.notes
    if not blocks:
        return None
    lead = "What the reasons stand on, and what is wrong with them."
    return Section("reasons", "Reasons", lead, [*blocks, *every], list(dict.fromkeys(notes)))


def _found(one: NamedAnalysis, rule: str) -> Found:
    found: Found = {}
    for estimate in one.analysis.estimates:
        name, model = code_of(estimate.metric), _model(estimate, one.analysis.subject)
        if name is not None and model is not None and estimate.rule == rule:
            found.setdefault(model, {})[name] = estimate
    return found


def code_of(metric: str) -> str | None:
    """The class or flaw that a figure is the share of."""
    return metric if metric in names.CLASSES or metric in names.FLAWS else None


def _model(estimate: Estimate, subject: Sequence[str]) -> str | None:
    """The model that an estimate is of; None for one of a part of its reasons, such as a domain."""
    if estimate.slice == OVERALL:
        return subject[0] if len(subject) == 1 else OVERALL
    return estimate.slice if estimate.slice in subject else None


def _figures(found: Found, by: str, palette: Palette) -> list[Figure]:
    figures: list[Figure] = []
    classes, flaws = _labelled(found, names.CLASSES), _labelled(found, names.FLAWS)
    if classes:
        figures.append(_classes(classes, by))
    if flaws:
        figures.append(_flaws(flaws, by, palette))
    return figures


def _labelled(found: Found, codes: Mapping[str, str]) -> Found:
    """The models of which reasons have labels of this kind."""
    return {model: of for model, of in found.items() if any(code in of and of[code].n for code in codes)}


def _classes(found: Found, by: str) -> Figure:
    rows: list[dict[str, Any]] = []
    for model, of in found.items():
        for code in names.CLASSES:
            if code in of and of[code].value is not None:
                text = spoken(f"{model}, {names.CLASSES[code]}", of[code])
                rows.append({"label": model, "part": code, "share": of[code].value, "text": text})
    legend = [Key(f"{code} {name}", place) for place, (code, name) in enumerate(names.CLASSES.items())]
    title = f"Classes of reasons{by}"
    panels = []
    if rows:
        svg = charts.stacked(rows, order=list(found), parts=list(names.CLASSES), title="Share of reasons")
        panels.append(Panel("", svg, f"{title}: " + "; ".join(row["text"] for row in rows)))
    caption = (
        "Evidence-grounded reasons cite the concrete place, criterion-grounded ones name a criterion and locate "
        "nothing, generic ones could be said of any response."
    )
    return Figure(title, caption, panels, legend, _table(title, found, names.CLASSES), bars=True)


def _flaws(found: Found, by: str, palette: Palette) -> Figure:
    labels = {code: f"{code} {name}" for code, name in names.FLAWS.items()}
    rows: list[dict[str, Any]] = []
    for model, of in found.items():
        place = palette.place(model)
        for code in names.FLAWS:
            one = of.get(code)
            if one is not None and one.value is not None:
                low, high = (one.value if bound is None else bound for bound in (one.low, one.high))
                text = spoken(f"{model}, {labels[code]}", one)
                rows.append(
                    {"label": labels[code], "series": place, "value": one.value, "low": low, "high": high, "text": text}
                )
    title = f"Flaws of reasons{by}"
    legend = [Key(model, palette.place(model)) for model in found]
    panels = []
    if rows:
        end = min(1.0, max(row["high"] for row in rows) * 1.08 + 0.01)
        svg = charts.dots(rows, order=list(labels.values()), title="Share of reasons", domain=(0.0, end))
        panels.append(Panel("", svg, f"{title}: " + "; ".join(row["text"] for row in rows)))
    caption = "The share of a model's reasons that have the flaw; a reason can have several. Bars are 95% intervals."
    return Figure(title, caption, panels, legend, _table(title, found, names.FLAWS))


def _table(caption: str, found: Found, codes: Mapping[str, str]) -> Table:
    columns = ["Model", *(f"{code} {name}" for code, name in codes.items()), "Reasons labelled"]
    rows = []
    for model, of in found.items():
        counted = next(of[code] for code in codes if code in of)
        share = percent(counted.n / counted.n_total) if counted.n_total else "–"
        rows.append(
            [
                words(model),
                *(figure_cell(of.get(code)) for code in codes),
                Cell(f"{counted.n:,}", f"{share} of {counted.n_total:,}"),
            ]
        )
    return Table(caption, columns, rows)
