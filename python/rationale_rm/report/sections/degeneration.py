"""Which runs lost reasons while their verdicts held: the paper's question of a training run (Fig. 3), as a table."""

from __future__ import annotations

from typing import Final

from rationale_rm.documents import Analysis, Estimate
from rationale_rm.report.blocks import Cell, Table, figure_cell, words

NAME: Final = "degeneration"
_CHANGES: Final = (("oa_change", "OA"), ("rc_change", "RC"), ("ap_change", "AP"))
_VERDICT: Final = "degenerated"


def degeneration(analysis: Analysis) -> Table | None:
    """Changes from the first to the last evaluation of each run, on the test pairs where they have such.

    Slices are ``RUN/SPLIT``; those of training batches and of differences of runs have other metrics. A run that was
    stopped has evaluations of another split alone.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for one in analysis.estimates:
        found.setdefault(one.slice, {})[one.metric] = one
    changes = {name: figures for name, figures in found.items() if "rc_change" in figures and _VERDICT in figures}
    chosen: dict[str, str] = {}
    for name, figures in changes.items():
        run, _, split = name.rpartition("/")
        known = figures[_VERDICT].value is not None
        if run not in chosen or (known and (split == "test" or changes[chosen[run]][_VERDICT].value is None)):
            chosen[run] = name
    rows = [
        [
            words(name),
            *(figure_cell(changes[name].get(metric)) for metric, _ in _CHANGES),
            _verdict(changes[name][_VERDICT]),
        ]
        for name in chosen.values()
    ]
    if not rows:
        return None
    columns = ["Run", *(f"Change of {title}" for _, title in _CHANGES), "Degenerated"]
    return Table(
        "Did reasons decay while verdicts held? Runs with evaluations, from the first to the last", columns, rows
    )


def _verdict(one: Estimate) -> Cell:
    if one.value is None:
        return Cell("–", flag=one.unavailable or "no figure")
    return Cell("yes" if one.value else "no", strong=bool(one.value))
