"""OA against RC (paper, Fig. 1 and 10): overall and a panel for each domain, with the trap of deceptive alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm.documents import OVERALL, Estimate
from rationale_rm.report import charts
from rationale_rm.report.blocks import (
    Cell,
    Figure,
    Key,
    Panel,
    Section,
    Table,
    figure_cell,
    interval,
    n_of_total,
    words,
)
from rationale_rm.report.inputs import EvalRun, Inputs
from rationale_rm.report.palette import Palette
from rationale_rm.report.text import number
from rationale_rm.report.training import TrainingRun, by_setting, estimate_of

MOST_DOMAINS: Final = 12
_NO_OA: Final = Estimate.missing("oa", unavailable="no labels")
Points = dict[str, tuple[Estimate, Estimate]]
"""Slice → OA and RC. One that lacks a value stands in the table, and says why."""


@dataclass(frozen=True)
class _Point:
    series: str
    place: int
    start: bool
    of: str
    """What it is a point of, in words."""
    slices: Points

    def drawn(self) -> Points:
        """Those with both values."""
        return {name: pair for name, pair in self.slices.items() if None not in (pair[0].value, pair[1].value)}


def section(inputs: Inputs, trap: tuple[float, float], palette: Palette) -> Section | None:
    """The section, or None where nothing has both figures."""
    points = _eval_points(inputs.evals, palette) + _training_points(inputs.trainings, palette)
    points = [point for point in points if point.slices]
    if not any(point.drawn() for point in points):
        return None
    domains = list(dict.fromkeys(name for point in points for name in point.slices if name != OVERALL))
    legend = list({point.series: Key(point.series, point.place) for point in points}.values())
    both = {run.name for run in inputs.evals} & set(by_setting(inputs.trainings))
    absent = [point.of for point in points if OVERALL not in point.drawn()]
    started = any(point.start for point in points)
    caption = (
        "Outcome accuracy says how often the verdict is the human one, Rationale Consistency how much of the human "
        "reasons the model gives. Whiskers are 95% intervals. "
        f"Shaded: OA of {number(trap[0], 2)} or more with RC under {number(trap[1], 2)}, a convention of this report."
        + (" Hollow points are runs before their first step." if started else "")
        + (" A training run and an evaluation of one name share a mark; the table tells them apart." if both else "")
        + (f" Of {len(domains)} domains the first {MOST_DOMAINS} have a panel." if len(domains) > MOST_DOMAINS else "")
        + (f" Without OA or RC, and so only in the table: {', '.join(absent)}." if absent else "")
    )
    panels = [_panel(name, points, trap) for name in (OVERALL, *domains[:MOST_DOMAINS])]
    figure = Figure("OA against RC", caption, panels, legend, _table(points, domains))
    lead = "Who is right, and who is right for the human reasons."
    return Section("outcome", "Outcome and rationale", lead, [figure])


def _eval_points(runs: Sequence[EvalRun], palette: Palette) -> list[_Point]:
    found: list[_Point] = []
    for run in runs:
        figures = {(one.rule, one.slice, one.metric): one for one in run.result.estimates}
        rules = dict.fromkeys(rule for rule, _, metric in figures if metric == "rc")
        for rule in rules:
            pairs = {
                name: (figures.get((rule, name, "oa"), _NO_OA), rc)
                for (its, name, metric), rc in figures.items()
                if its == rule and metric == "rc"
            }
            name = run.name if len(rules) == 1 else f"{run.name}, {rule}"
            found.append(_Point(name, palette.place(name), False, f"{name}, evaluation", pairs))
    return found


def _training_points(runs: Sequence[TrainingRun], palette: Palette) -> list[_Point]:
    found = []
    for setting, seeds in by_setting(runs).items():
        place = palette.place(setting)
        for run in seeds:
            begin, last = run.first(), run.last()
            if begin is not None and begin is not last:
                found.append(_Point(setting, place, True, f"{run.name} before training", _slices(begin)))
            if last is not None:
                of = f"{run.name} at step {last['step']}"
                found.append(_Point(setting, place, last["step"] == 0, of, _slices(last)))
    return found


def _slices(evaluation: Mapping[str, Any]) -> Points:
    slices: Points = {}
    parts = {OVERALL: evaluation, **dict(evaluation.get("by_domain") or {})}
    for name, part in parts.items():
        oa, rc = (estimate_of(name, part.get(name)) for name in ("oa", "rc"))
        if oa is not None and rc is not None:
            slices[name] = (oa, rc)
    return slices


def _panel(name: str, points: Sequence[_Point], trap: tuple[float, float]) -> Panel:
    rows = []
    for point in points:
        if name not in point.drawn():
            continue
        oa, rc = point.slices[name]
        text = f"{point.of}: OA {number(oa.value)}{_has(oa)}, RC {number(rc.value)}{_has(rc)}"
        rows.append(
            {
                "series": point.place, "start": point.start, "text": text,
                "oa": oa.value, "oa_low": oa.low, "oa_high": oa.high,
                "rc": rc.value, "rc_low": rc.low, "rc_high": rc.high,
            }
        )  # fmt: skip
    label = f"OA against RC, {name}: " + "; ".join(str(row["text"]) for row in rows[:20])
    return Panel(_title(name), charts.scatter(rows, trap, x=_range(points), y=_end(points)), label)


def _range(points: Sequence[_Point]) -> tuple[float, float]:
    """The range of OA, the same in all panels so that they can be compared."""
    values = [value for point in points for oa, _ in point.drawn().values() for value in (oa.value, oa.low, oa.high)]
    known = [value for value in values if value is not None]
    return max(0.0, int(min(known) * 20 - 0.5) / 20), min(1.0, int(max(known) * 20 + 1.5) / 20)


def _end(points: Sequence[_Point]) -> float:
    values = [value for point in points for _, rc in point.drawn().values() for value in (rc.value, rc.high)]
    return min(1.0, int(max(value for value in values if value is not None) * 10 + 1.2) / 10)


def _title(name: str) -> str:
    return "Overall" if name == OVERALL else name


def _table(points: Sequence[_Point], domains: Sequence[str]) -> Table:
    columns = ["Model", "OA", "RC", *(f"{name}: OA / RC" for name in domains)]
    rows: list[list[Cell]] = []
    for point in points:
        pairs = [point.slices.get(name) for name in domains]
        overall = point.slices.get(OVERALL)
        rows.append(
            [
                words(point.of),
                figure_cell(overall[0] if overall else None),
                figure_cell(overall[1] if overall else None),
                *(Cell("–") if pair is None else _both(*pair) for pair in pairs),
            ]
        )
    return Table("OA and RC", columns, rows)


def _both(oa: Estimate, rc: Estimate) -> Cell:
    note = "" if rc.low is None else f"RC {interval(rc.low, rc.high)}"
    missing = next((one.unavailable or "no figure" for one in (oa, rc) if one.value is None), "")
    return Cell(f"{number(oa.value)} / {number(rc.value)}", note, flag=missing or n_of_total(rc) or n_of_total(oa))


def _has(one: Estimate) -> str:
    """How many of the items have the figure, where not all do."""
    return f" ({n_of_total(one)})" if n_of_total(one) else ""
