"""Arena-Hard's leaderboards as terminal tables. All text goes through `safe`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from rationale_rm.cli.eval.tables import BESIDE, heading
from rationale_rm.cli.output import safe
from rationale_rm.cli.render import empty_table, figure_cell, plain, width
from rationale_rm.documents import EvalResult
from rationale_rm.evals.arena_hard.board import PLAIN, Board
from rationale_rm.evals.arena_hard.result import WIN_RATE

_COLUMN: Final = 14
"""Characters that a figure with its interval takes."""
_MODEL: Final = 32


def leaderboards(boards: Sequence[Board], results: Mapping[str, EvalResult], judge: str) -> Iterator[Any]:
    """A table a category: the models by their plain win rate, with what stands beside it."""
    for board in boards:
        fought = board.battles
        value = dict(zip(fought.models, board.rates[PLAIN].value.tolist(), strict=True))
        order = sorted(fought.models, key=lambda model: (value[model] != value[model], -value[model], model))
        figures = {
            model: {f"{one.rule}/{one.metric}": one for one in results[model].estimates if one.slice == fought.category}
            for model in order
        }
        there = {name for of_model in figures.values() for name in of_model}
        names = [*(f"{rule}/{WIN_RATE}" for rule in board.rates), *(name for name in BESIDE if name in there)]
        per_table = max((width() - _MODEL - _COLUMN) // _COLUMN, 1)
        for start in range(0, len(names), per_table):
            shown = names[start : start + per_table]
            title = f"{fought.category}: against {safe(fought.baseline, 40)}, judged by {safe(judge, 40)}"
            table = empty_table(title if start == 0 else "", ["model", *map(heading, shown), "questions"])
            for model in order:
                cells = [figure_cell(figures[model][name]) for name in shown]
                rate = figures[model][names[0]]
                table.add_row(Text(safe(model, _MODEL), style="bold"), *cells, Text(f"{rate.n}/{rate.n_total}"))
            yield table
    notes = dict.fromkeys(note for result in results.values() for note in result.notes)
    for text in notes:
        yield plain(f"Note: {text}.")
