"""What an evaluation says as a whole: one line a run and rule, and RM-Bench's matrix of styles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rationale_rm.documents import OVERALL, Estimate
from rationale_rm.report import names
from rationale_rm.report.blocks import Cell, Table, figure_cell, words
from rationale_rm.report.inputs import EvalRun
from rationale_rm.report.text import percent

MAIN: Final = ("accuracy", "oa", "win_rate", "correct_average", "rc")
"""Metrics that an evaluation is known by, the first one that is there."""
NOT_ANSWERED: Final = "not_answered"
MALFORMED: Final = "malformed"
"""Its column is that of the parse failures, which says of which kinds they are."""
OVER: Final = "_over_"
"""In the name of a cell of RM-Bench's matrix: ``concise_over_markdown``."""


def by_rule(runs: Sequence[EvalRun]) -> Iterable[tuple[str, EvalRun, str]]:
    """Each run under each of its rules, with a name for the two; figures without a rule belong to all of them."""
    for run in runs:
        rules = list(dict.fromkeys(one.rule for one in run.result.estimates))
        rules = [rule for rule in rules if rule] or rules or [""]
        for rule in rules:
            yield (run.name if len(rules) == 1 else f"{run.name} · {rule.replace('_', ' ')}"), run, rule


def of_rule(run: EvalRun, rule: str) -> list[Estimate]:
    """The figures of a rule, after those without one."""
    return [one for one in run.result.estimates if not one.rule] + [
        one for one in run.result.estimates if one.rule and one.rule == rule
    ]


def headline(title: str, runs: Sequence[EvalRun]) -> Table:
    """A line for each run and rule; for each of its slices where, as in Arena-Hard, there is no whole."""
    slices = list(dict.fromkeys(one.slice for run in runs for one in run.result.estimates))
    whole = OVERALL in slices or not slices
    shown = [OVERALL] if whole else slices
    figures = [one for run in runs for one in run.result.estimates if one.slice in shown]
    metrics = [one for one in dict.fromkeys(one.metric for one in figures) if not _is_elsewhere(one)]
    rows = []
    for name, run, rule in by_rule(runs):
        for part in shown:
            found = {one.metric: one for one in of_rule(run, rule) if one.slice == part}
            cells = [figure_cell(found.get(metric), strong=metric in MAIN) for metric in metrics]
            if found or whole:
                called = name if whole else f"{name}, {names.part(part)}"
                rows.append([words(called), _coverage(run), _parse_failures(run), *cells])
    columns = ["Model", "Coverage", "Parse failures", *map(names.metric, metrics)]
    return Table(f"{title}, overall" if whole else title, columns, rows)


def _is_elsewhere(metric: str) -> bool:
    """Whether a metric has its own place, or stands under “every figure” alone, as Arena-Hard's style coefficients."""
    return metric == MALFORMED or OVER in metric or metric.startswith("coefficient_")


def matrices(runs: Sequence[EvalRun]) -> list[Table]:
    """RM-Bench: the style of the right response down, that of the wrong one across; none for other evaluations."""
    found = []
    for name, run, rule in by_rule(runs):
        cells = {
            tuple(one.metric.split(OVER)): one
            for one in of_rule(run, rule)
            if one.slice == OVERALL and one.metric.count(OVER) == 1
        }
        if cells:
            found.append(_matrix(name, cells))
    return found


def _matrix(name: str, cells: Mapping[tuple[str, ...], Estimate]) -> Table:
    down, across = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    rows = [[words(f"right: {one}"), *(figure_cell(cells.get((one, other))) for other in across)] for one in down]
    return Table(f"{name}: accuracy by style, overall", ["", *(f"wrong: {one}" for one in across)], rows)


def _coverage(run: EvalRun) -> Cell:
    total = sum(run.result.statuses.values())
    answered = total - run.result.statuses.get(NOT_ANSWERED, 0)
    return Cell("–") if not total else Cell(percent(answered / total), f"{answered:,} of {total:,} answers")


def _parse_failures(run: EvalRun) -> Cell:
    statuses = {name: n for name, n in run.result.statuses.items() if name != NOT_ANSWERED}
    total = sum(statuses.values())
    if not total:
        return Cell("–")
    failed = {name: n for name, n in statuses.items() if name != "ok" and n}
    note = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in sorted(failed.items(), key=lambda one: -one[1]))
    return Cell(percent(sum(failed.values()) / total), note)
