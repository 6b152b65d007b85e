"""An analysis as terminal tables. All text goes through `safe` and is never read as markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rationale_rm.cli.output import safe
from rationale_rm.cli.render import plain, to_text
from rationale_rm.documents import Analysis, Estimate

MAX_ROWS: Final = 120
"""More figures are in the JSON only."""
_LISTED: Final = 10
_TEXT: Final = 60
_NAMES: Final = 12
_NOTE: Final = 600
_NOTES: Final = 40


def named(names: Sequence[str]) -> str:
    """The names, as far as a line has room for them."""
    shown = ", ".join(safe(name, _TEXT) for name in names[:_NAMES])
    return shown + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")


def tables(analysis: Analysis) -> str:
    """The figures of an analysis, by slice, what it lists, and its notes."""
    parts: list[Any] = [plain(f"{analysis.analysis}: {named(analysis.subject)}", "bold"), _estimates(analysis)]
    reasons = _reasons(analysis.estimates)
    listed = _LISTS.get(analysis.analysis)
    if listed is not None:
        parts += listed(analysis.points)
    if len(analysis.estimates) > MAX_ROWS:
        parts.append(plain(f"{len(analysis.estimates) - MAX_ROWS} more figures are in --json."))
    parts.append(plain("In brackets 95% intervals; n: with an answer / that should have one."))
    parts += [plain(f"- {safe(text, _NOTE)}") for text in [*analysis.notes[:_NOTES], *reasons[:_LISTED]]]
    if len(analysis.notes) > _NOTES:
        parts.append(plain(f"- … and {len(analysis.notes) - _NOTES} more notes; --json has them."))
    if len(reasons) > _LISTED:
        parts.append(
            plain(f"- … and {len(reasons) - _LISTED} more reasons for which there is no figure; --json has them.")
        )
    return to_text(parts)


def _reasons(estimates: Sequence[Estimate]) -> list[str]:
    """Why figures are not there, each reason once for all of a slice."""
    missing: dict[tuple[str, str], list[str]] = {}
    for one in estimates:
        if one.unavailable is not None:
            missing.setdefault((one.slice, one.unavailable), []).append(one.metric)
    return [f"{safe(slice, _TEXT)}: {named(metrics)}: {safe(why, _NOTE)}" for (slice, why), metrics in missing.items()]


def _estimates(analysis: Analysis) -> Table:
    table = _table([("slice", True), ("figure", True), ("value", False), ("95% interval", False), ("n", False)])
    for slice, group in groupby(analysis.estimates[:MAX_ROWS], key=lambda one: one.slice):
        for number, one in enumerate(group):
            table.add_row(Text(safe(slice, 48) if number == 0 else ""), *_cells(one))
    return table


def _cells(one: Estimate) -> list[Text]:
    value = Text("n/a", style="dim") if one.value is None else Text(f"{one.value:.4g}", style="bold")
    interval = "" if one.low is None or one.high is None else f"[{one.low:.4g}, {one.high:.4g}]"
    return [Text(safe(one.metric, 32)), value, Text(interval), Text(f"{one.n}/{one.n_total}" if one.n_total else "")]


def _items(points: Sequence[Mapping[str, Any]]) -> list[Any]:
    worst = [point for point in points if point["level"] == "item"][:_LISTED]
    if not worst:
        return []
    table = _table([("answer", True), ("model", True), ("x", False), ("y", False)])
    for point in worst:
        names = [Text(safe(point[name], 40)) for name in ("id", "model")]
        table.add_row(*names, f"{point['x']:.3f}", f"{point['y']:.3f}")
    return [plain("Answers on which they differ most", "bold"), table]


def _models(points: Sequence[Mapping[str, Any]]) -> list[Any]:
    table = _table([("model", True), ("x", False), ("y", False)])
    for point in sorted(points, key=lambda point: -point["x"]):
        table.add_row(Text(safe(point["model"], 40)), f"{point['x']:.4g}", f"{point['y']:.4g}")
    return [table] if points else []


def _clusters(points: Sequence[Mapping[str, Any]]) -> list[Any]:
    shown = [point for point in points if point["kind"] == "near_duplicate"]
    shown = sorted(shown, key=lambda point: -point["share"])[:_LISTED]
    if not shown:
        return []
    columns = [("model", True), ("pairs", False), ("share", False), ("an example", True)]
    table = _table(columns)
    for point in shown:
        example = safe(point["examples"][0]["reason"], _TEXT)
        table.add_row(Text(safe(point["model"], 24)), str(point["n_pairs"]), f"{point['share']:.1%}", Text(example))
    return [plain("Largest clusters of near-duplicates", "bold"), table]


_LISTS: Final = {"agreement": _items, "rank_agreement": _models, "templates": _clusters}


def _table(columns: Sequence[tuple[str, bool]]) -> Table:
    """An empty table; a column is its heading, and whether it holds text and not numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, text in columns:
        table.add_column(heading, justify="left" if text else "right", overflow="fold", no_wrap=not text)
    return table
