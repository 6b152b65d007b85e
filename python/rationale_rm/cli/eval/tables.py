"""Results and comparisons of ``eval`` as terminal tables. All text goes through `safe`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

from rich.text import Text

from rationale_rm.cli.output import safe
from rationale_rm.cli.render import difference_cells, empty_table, figure_cell, p_value, plain, width
from rationale_rm.documents import Estimate, EvalResult
from rationale_rm.evals import RunComparison

BESIDE: Final = ("/malformed", "/accuracy_of_readable", "/order_consistency", "/position_bias")
"""Shown beside the score, whatever the benchmark."""
_COLUMN: Final = 14
"""Characters that a figure with its interval takes."""
_SLICE: Final = 24


def eval_result(result: EvalResult, headline: Sequence[str]) -> Iterator[Any]:
    """One row a slice: the headline figures with their intervals, what stands beside them, and the coverage, which is
    that of the row's first figure; under a figure with another one stands its own.
    """
    by_name: dict[str, dict[str, Estimate]] = {}
    for one in result.estimates:
        by_name.setdefault(one.slice, {})[f"{one.rule}/{one.metric}"] = one
    there = {name for figures in by_name.values() for name in figures}
    names = [name for name in (*headline, *BESIDE) if name in there]
    names = names or list(dict.fromkeys(name for figures in by_name.values() for name in figures))
    per_table = max((width() - _SLICE - _COLUMN) // _COLUMN, 1)
    for start in range(0, len(names), per_table):
        shown = names[start : start + per_table]
        title = f"{result.eval}: {safe(result.model, 40)}" if start == 0 else ""
        table = empty_table(title, ["slice", *(heading(name) for name in shown), "n"])
        for slice_name, figures in by_name.items():
            if not any(name in figures for name in shown):
                continue
            covered = _coverage(next(figures[name] for name in shown if name in figures))
            cells = [_cell(figures[name], covered) if name in figures else Text("") for name in shown]
            table.add_row(Text(safe(slice_name, _SLICE), style="bold"), *cells, Text(covered))
        yield table
    bad = {name: count for name, count in result.statuses.items() if name != "ok"}
    total = sum(result.statuses.values())
    if total:
        listed = ", ".join(f"{name} {count}" for name, count in bad.items()) or "none"
        yield plain(f"Of {total} answers without a verdict that counts: {listed}.")
    for text in result.notes:
        yield plain(f"Note: {text}.")


def run_comparison(found: RunComparison, headline: Sequence[str]) -> Iterator[Any]:
    """One row a slice and figure."""
    headings = ["slice", "figure", "difference", "95% interval", "p", "McNemar", "items"]
    table = empty_table(f"{safe(found.a, 40)} minus {safe(found.b, 40)}, {found.eval}", headings, left=2)
    slices = list(dict.fromkeys(one.slice for one in found.differences))
    named = {(one.slice, f"{one.rule}/{one.metric}"): one for one in found.differences}
    names = [*headline, BESIDE[0]] if headline else list(dict.fromkeys(name for _, name in named))
    for slice_name, name in product(slices, names):
        one = named.get((slice_name, name))
        if one is None:
            continue
        test = "" if one.p_mcnemar is None else f"{one.only_a}:{one.only_b}, p {p_value(one.p_mcnemar)}"
        table.add_row(
            Text(safe(one.slice, _SLICE), style="bold"),
            Text(heading(name).replace("\n", " ")),
            *difference_cells(one, 1),
            Text(test),
            Text(str(one.n)),
        )
    yield table
    yield plain(
        f"{found.n_both} items in both runs, {found.n_only_a} in the first alone, {found.n_only_b} in the second alone."
    )
    differing = [name for name in found.manifest_differences if not name.startswith("interval")]
    if differing:
        yield plain(f"The manifests differ in: {', '.join(differing)}.")


def _coverage(figure: Estimate) -> str:
    return f"{figure.n}/{figure.n_total}"


def _cell(figure: Estimate, covered: str) -> Text:
    """A figure, and below it its own coverage where the row's is another."""
    own = _coverage(figure)
    cell = figure_cell(figure)
    return cell if own == covered else Text.assemble(cell, "\n", (f"n {own}", "dim"))


def heading(name: str) -> str:
    """``rule/metric`` as the heading of a column: the metric above its rule."""
    rule, _, metric = name.partition("/")
    return "\n".join(part.replace("_", " ") for part in (metric, rule) if part)
