"""Figures and statuses as terminal tables. All text goes through `safe` and is never read as markup."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from rationale_rm.cli.output import safe
from rationale_rm.metrics import Comparison, Figure, ModelScores

HEADINGS: Final[Mapping[str, str]] = {
    "oa": "OA",
    "rc": "RC",
    "precision": "precision",
    "f1": "F1",
    "ap": "AP",
    "soft_ap": "soft AP",
}
"""Metric → column heading. `recall` is RC, so it has no column of its own."""
SHOWN: Final = ((104, tuple(HEADINGS)), (92, ("oa", "rc", "f1", "ap")), (0, ("oa", "rc")))
"""What is shown from which width on; JSON and CSV hold every figure."""


class Interval(Protocol):
    """A figure with its interval."""

    @property
    def value(self) -> float | None:
        """None where there is none."""

    @property
    def low(self) -> float | None:
        """Likewise."""

    @property
    def high(self) -> float | None:
        """Likewise."""


class Paired(Interval, Protocol):
    """A difference with its interval and p-value."""

    @property
    def p_value(self) -> float | None:
        """Two-sided."""


def to_text(parts: Iterable[Any]) -> str:
    """Renders for standard output: colours on a terminal only, wide enough for the tables elsewhere.

    A part that is a plain ``str`` is one line.
    """
    terminal = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        width=width(),
        force_terminal=terminal,
        no_color="NO_COLOR" in os.environ,
        color_system="standard" if terminal else None,
        markup=False,
        emoji=False,
        highlight=False,
        safe_box=True,
        legacy_windows=False,
    )
    with console.capture() as captured:
        for part in parts:
            if isinstance(part, str):  # never wrapped, so that a place named in it can be copied
                console.out(safe(part), highlight=False)
            else:
                console.print(part)
    text = captured.get()
    return "\n".join(line.rstrip() for line in text.split("\n")) if not terminal else text


def plain(text: str, style: str = "") -> Text:
    """One paragraph of text of unknown origin."""
    return Text(safe(text), style=style)


def scores_table(scores: Sequence[ModelScores]) -> Table:
    """One row a model: every figure with its interval below, and how many rows stand behind it."""
    shown = _shown(width())
    table = empty_table("Overall", ["model", *(HEADINGS[name] for name in shown), "pairs", "judged"])
    for model in scores:
        name = Text(safe(model.model, 40), style="bold")
        table.add_row(name, *_figures(model.overall, shown, model.n_pairs))
    return table


def domains_table(scores: Sequence[ModelScores]) -> Table:
    """One row a domain and model, figures as in `scores_table`."""
    shown = _shown(min(width(), SHOWN[0][0] - 1))  # the names of domains take the room of two figures
    headings = [HEADINGS[name] for name in shown]
    table = empty_table("By domain", ["domain", "model", *headings, "pairs", "judged"], left=2)
    for domain in sorted({domain for model in scores for domain in model.by_domain}):
        held = [model for model in scores if domain in model.by_domain]
        for number, model in enumerate(held):
            table.add_row(
                Text(safe(domain, 40)) if number == 0 else "",
                Text(safe(model.model, 40), style="bold"),
                *_figures(model.by_domain[domain], shown, _n_pairs(model, domain)),
                end_section=number == len(held) - 1,
            )
    return table


def _n_pairs(model: ModelScores, domain: str) -> int:
    return len({source for source, name in zip(model.source_ids, model.domains, strict=True) if name == domain})


def _figures(figures: Mapping[str, Figure], shown: Sequence[str], pairs: int) -> list[Text]:
    rc = figures["rc"]
    cells = [figure_cell(figures[name]) for name in shown]
    return [*cells, Text(str(pairs)), Text(f"{rc.n}/{rc.n_total}\n{_percent(rc)}")]


def _shown(width: int) -> Sequence[str]:
    return next(names for least, names in SHOWN if width >= least)


def width() -> int:
    """Columns of the terminal; off a terminal wide enough for every table, unless COLUMNS says otherwise."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return max(shutil.get_terminal_size((110, 40)).columns, 60)
    return 110


def comparison_table(comparison: Comparison) -> Group:
    """The differences of two models, with McNemar's test of their verdicts."""
    table = empty_table(
        f"{safe(comparison.a)} minus {safe(comparison.b)}, same pairs",
        ["", "difference", "95% interval", "p", "rows"],
    )
    for name, heading in HEADINGS.items():
        found = comparison.differences[name]
        value, interval, chance = difference_cells(found, 1)
        table.add_row(heading, value, interval if interval else safe(found.unavailable or ""), chance, str(found.n))
    parts: list[Any] = [table]
    if comparison.mcnemar is not None:
        test = comparison.mcnemar
        parts.append(
            plain(
                f"Verdicts: {test['only_a']} right for {comparison.a} only, {test['only_b']} for "
                f"{comparison.b} only (McNemar, exact: p = {p_value(float(test['p_exact']))})."
            )
        )
    return Group(*parts)


def comparisons_table(scores: Sequence[ModelScores], comparisons: Sequence[Comparison]) -> Table:
    """Every model minus the best one, by RC or, without a judge, by OA."""
    metric = "rc" if any(model.overall["rc"].value is not None for model in scores) else "oa"
    best = max(scores, key=lambda model: -1.0 if (value := model.overall[metric].value) is None else value).model
    shown = ("oa", "rc") if metric == "rc" and width() >= SHOWN[1][0] else (metric,)
    headings = [text for name in shown for text in (HEADINGS[name], "95% interval", "p")]
    title = f"Each model minus {safe(best, 40)} (highest {HEADINGS[metric]}), same pairs; --json compares every two"
    table = empty_table(title, ["model", *headings, "rows"])
    for comparison in comparisons:
        if best not in (comparison.a, comparison.b):
            continue
        sign = 1 if comparison.b == best else -1
        cells = [cell for name in shown for cell in difference_cells(comparison.differences[name], sign)]
        other = comparison.a if sign == 1 else comparison.b
        table.add_row(Text(safe(other, 40), style="bold"), *cells, str(comparison.differences[metric].n))
    return table


def difference_cells(found: Paired, sign: int) -> list[Text]:
    """Difference, interval and p-value; `sign` -1 turns it round."""
    if found.value is None:
        return [Text("n/a"), Text(""), Text("")]
    value = f"{sign * found.value + 0.0:+.3f}"  # no -0
    if found.low is None or found.high is None:
        return [Text(value), Text(""), Text("")]
    low, high = sorted((sign * found.low + 0.0, sign * found.high + 0.0))
    style = "bold" if low > 0 or high < 0 else ""
    return [
        Text(value, style=style),
        Text(f"[{low:+.3f}, {high:+.3f}]"),
        Text(p_value(found.p_value)),
    ]


def status_table(title: str, counts: Mapping[str, int]) -> Table:
    """Statuses with counts and shares."""
    table = empty_table(title, ["status", "texts", "share"])
    total = sum(counts.values())
    for name, count in counts.items():
        table.add_row(plain(name, "" if name == "ok" else "bold"), str(count), f"{count / total:.1%}")
    return table


def empty_table(title: str, headings: Sequence[str], left: int = 1) -> Table:
    """An empty table whose first `left` columns are text and the others numbers."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        text = number < left
        table.add_column(heading, justify="left" if text else "right", overflow="fold", no_wrap=not text)
    return table


def figure_cell(figure: Interval) -> Text:
    """The value, and its interval below."""
    if figure.value is None:
        return Text("n/a", style="dim")
    if figure.low is None or figure.high is None:
        return Text.assemble((f"{figure.value:.3f}", "bold"), "\n", ("n/a", "dim"))
    return Text.assemble(
        (f"{figure.value:.3f}", "bold"), "\n", (f"[{_bound(figure.low)}, {_bound(figure.high)}]", "dim")
    )


def _bound(value: float) -> str:
    text = f"{value:.2f}"
    return "1" if text == "1.00" else text.removeprefix("0")


def _percent(figure: Figure) -> str:
    return "" if figure.coverage is None else f"{figure.coverage:.0%}"


def p_value(value: float | None) -> str:
    """Three decimals; a small one by its bound."""
    return "n/a" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"
