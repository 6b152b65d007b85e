"""Paired differences of two runs on the same items, with bootstrap and McNemar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.documents import OVERALL
from rationale_rm.report import names
from rationale_rm.report.blocks import Cell, Figure, Folded, Table, interval, words
from rationale_rm.report.inputs import Comparison
from rationale_rm.report.sections.overall import MAIN
from rationale_rm.report.text import number

KNOWN: Final = (*MAIN, "ap", "joint", "spurious", "malformed")
"""Metrics that are shown at once."""


def differences(kind: str, comparisons: Sequence[Comparison]) -> list[Figure | Table | Folded]:
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
    head = [
        row
        for row, (one, _) in zip(rows, pairs, strict=True)
        if one.get("slice") == OVERALL and one.get("metric") in KNOWN
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
