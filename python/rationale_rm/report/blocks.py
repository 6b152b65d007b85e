"""What the static part of the page is made of; page.html.j2 says how each looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rationale_rm.documents import Estimate
from rationale_rm.report.text import number


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    note: str = ""
    """Smaller, under the text: an interval."""
    numeric: bool = True
    flag: str = ""
    """A warning beside the figure, in words."""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table. The first cell of each row is its heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Key:
    """An entry of a legend; `place` gives the colour, the shape and the dash of the series."""

    name: str
    place: int


@dataclass(frozen=True)
class Panel:
    """One drawing of a figure."""

    title: str
    svg: str
    label: str
    """What it shows, for those who do not see it."""


@dataclass(frozen=True)
class Figure:
    """Drawings of one kind under one legend, with their numbers as a table."""

    title: str
    caption: str
    panels: Sequence[Panel]
    legend: Sequence[Key] = ()
    table: Table | None = None
    bars: bool = False
    """Whether the legend's keys are areas, not points."""


@dataclass(frozen=True)
class Folded:
    """Tables that are shown on demand."""

    title: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Section:
    """A part of the page with a place in its navigation."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Figure | Table | Folded] = field(default=())
    notes: Sequence[str] = ()


def words(text: str) -> Cell:
    """A cell of words."""
    return Cell(text, numeric=False)


def figure_cell(estimate: Estimate | None, *, strong: bool = False) -> Cell:
    """A figure with its interval below, and how many items have it where not all do."""
    if estimate is None:
        return Cell("–")
    if estimate.value is None:
        return Cell("–", flag=estimate.unavailable or "no figure")
    note = "" if estimate.low is None or estimate.high is None else interval(estimate.low, estimate.high)
    return Cell(number(estimate.value), note, flag=n_of_total(estimate), strong=strong)


def n_of_total(estimate: Estimate) -> str:
    """``n = 95 of 100`` where not all items have the figure: no answer, or none that has it."""
    return f"n = {estimate.n:,} of {estimate.n_total:,}" if estimate.n < estimate.n_total else ""


def interval(low: float | None, high: float | None) -> str:
    """``.81 to .86``; an en dash where there is none."""
    return "–" if low is None or high is None else f"{number(low)} to {number(high)}"


def spoken(name: str, estimate: Estimate) -> str:
    """A figure in one line, for the label of a mark."""
    bounds = "" if estimate.low is None else f", 95% interval {interval(estimate.low, estimate.high)}"
    return f"{name}: {number(estimate.value)}{bounds} (n = {estimate.n:,} of {estimate.n_total:,})"
