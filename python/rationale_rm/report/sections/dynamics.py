"""What training did (paper, Fig. 3): rewards a step, OA and RC at each evaluation, for every setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from rationale_rm.documents import Estimate
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
from rationale_rm.report.inputs import Inputs
from rationale_rm.report.palette import Palette
from rationale_rm.report.text import number
from rationale_rm.report.training import FIGURES, TrainingRun, by_setting, estimate_of, split_of

WINDOW: Final = 15
"""Steps that a curve of rewards is averaged over: one step's reward is that of a few dozen answers."""
_REWARDS: Final = (("outcome", "Outcome reward"), ("rationale", "Rationale reward"))
_DRAWN: Final = (("oa", "OA"), ("rc", "RC"))


def section(inputs: Inputs, palette: Palette) -> Section | None:
    """The section, or None without training runs."""
    if not inputs.trainings:
        return None
    settings = by_setting(inputs.trainings)
    legend = [Key(_called(name, runs), palette.place(name)) for name, runs in settings.items()]
    blocks: list[Figure | Table] = []
    panels = [panel for metric, title in _REWARDS if (panel := _reward_panel(metric, title, settings, palette))]
    splits = {split_of(one) for run in inputs.trainings for one in run.evaluations}
    for split in sorted(splits):
        panels += [
            panel for metric, title in _DRAWN if (panel := _evaluation_panel(metric, title, split, settings, palette))
        ]
    seeds = max(map(len, settings.values()))
    caption = (
        f"Rewards are means over {WINDOW} steps; "
        + ("with several seeds the line is their mean and the band their range; " if seeds > 1 else "")
        + "evaluations have whiskers, 95% intervals of one run or the range of several seeds. A rationale reward is "
        "the mean over the answers that were judged, which under a gate are the right ones."
    )
    if panels:
        blocks.append(
            Figure("Rewards and evaluations over training", caption, panels, legend, _table(inputs.trainings))
        )
    lead = "Outcome reward and rationale reward, and what they made of the two accuracies."
    return Section("training", "Training", lead, blocks)


def _called(name: str, runs: Sequence[TrainingRun]) -> str:
    return name if len(runs) == 1 else f"{name} ({len(runs)} seeds)"


def _reward_panel(
    metric: str, title: str, settings: Mapping[str, Sequence[TrainingRun]], palette: Palette
) -> Panel | None:
    rows: list[dict[str, Any]] = []
    for name, runs in settings.items():
        smooth = [dict(_smooth(run, metric)) for run in runs]
        for step in sorted({step for one in smooth for step in one}):
            values = [one[step] for one in smooth if step in one]
            rows.append(_row(palette.place(name), step, values))
    if not rows:
        return None
    svg = charts.curves(rows, [], y_title=f"{title}, mean of {WINDOW} steps")
    ends = []
    for name in settings:
        line = [row for row in rows if row["series"] == palette.place(name)]
        if line:
            ends.append(f"{name} from {number(line[0]['value'])} to {number(line[-1]['value'])}")
    return Panel(title, svg, f"{title} over training steps: " + "; ".join(ends))


def _smooth(run: TrainingRun, metric: str) -> Iterator[tuple[int, float]]:
    """Means over a window that ends at the step; steps without the figure (nothing was judged) are left out."""
    kept: list[float] = []
    for record in run.steps:
        value, step = record.get(metric), record.get("step")
        if isinstance(value, (int, float)) and isinstance(step, int):
            kept.append(float(value))
            yield step, fmean(kept[-WINDOW:])


def _row(place: int, step: int, values: Sequence[float]) -> dict[str, Any]:
    return {"series": place, "step": step, "value": fmean(values), "low": min(values), "high": max(values)}


def _evaluation_panel(
    metric: str, title: str, split: str, settings: Mapping[str, Sequence[TrainingRun]], palette: Palette
) -> Panel | None:
    marks = []
    for name, runs in settings.items():
        for step, figures in _at_steps(runs, split, metric).items():
            row = _row(palette.place(name), step, [value for one in figures if (value := one.value) is not None])
            if len(figures) == 1:
                row.update(low=figures[0].low, high=figures[0].high)
            bounds = "" if row["low"] is None else f" ({interval(row['low'], row['high'])})"
            partly = ", ".join(filter(None, map(n_of_total, figures)))
            row["text"] = f"{name}, step {step}: {title} {number(row['value'])}{bounds}{partly and f', {partly}'}"
            marks.append(row)
    if not marks:
        return None
    svg = charts.curves([], marks, y_title=title)
    return Panel(
        f"{title}, {split} pairs", svg, f"{title} on {split} pairs: " + "; ".join(row["text"] for row in marks)
    )


def _at_steps(runs: Sequence[TrainingRun], split: str, metric: str) -> dict[int, list[Estimate]]:
    found: dict[int, list[Estimate]] = {}
    for run in runs:
        for one in run.evaluations:
            figure = estimate_of(metric, one.get(metric))
            if split_of(one) == split and figure is not None and figure.value is not None:
                found.setdefault(one["step"], []).append(figure)
    return dict(sorted(found.items()))


def _table(runs: Sequence[TrainingRun]) -> Table:
    columns = [
        "Run", "Steps", *(f"{title}, last {WINDOW} steps" for _, title in _REWARDS), "Evaluated", "OA", "RC", "AP",
        "Reasons disagree", "Unreadable answers", "Judge failures",
    ]  # fmt: skip
    rows = []
    for run in runs:
        last = run.last() or {}
        figures = [_figure(last.get(name)) for name in FIGURES]
        failures = last.get("judge_failures")
        rows.append(
            [
                words(run.name),
                Cell(str(run.steps[-1].get("step", "–")) if run.steps else "0"),
                *(_last_reward(run, metric) for metric, _ in _REWARDS),
                words(f"{split_of(last)}, step {last['step']}" if last else "–"),
                *figures,
                Cell("–" if failures is None else str(failures)),
            ]
        )
    return Table("Where each run stands", columns, rows)


def _last_reward(run: TrainingRun, metric: str) -> Cell:
    *_, (_, value) = [(0, None), *_smooth(run, metric)]
    return Cell(number(value))


def _figure(value: object) -> Cell:
    """A figure of a trainer's record, with its interval and how many answered where not all did."""
    estimate = estimate_of("", value)
    return Cell("–") if estimate is None else figure_cell(estimate)
