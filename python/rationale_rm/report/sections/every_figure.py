"""All figures of a document, one a line, where nothing else shows them all."""

from __future__ import annotations

from collections.abc import Sequence

from rationale_rm.documents import Estimate
from rationale_rm.report import names
from rationale_rm.report.blocks import Cell, Table, interval, words
from rationale_rm.report.text import number


def every_figure(caption: str, estimates: Sequence[Estimate]) -> Table:
    """A line for each estimate, in their order."""
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
        for one in estimates
    ]
    return Table(caption, columns, rows)
