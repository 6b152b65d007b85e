"""What each figure depends on: the manifest of every run, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rationale_rm.report import names
from rationale_rm.report.blocks import Folded, Section, Table, words
from rationale_rm.report.inputs import Inputs

MOST_FIELDS: Final = 200


def section(inputs: Inputs) -> Section:
    """The section; it is there in every report."""
    folded = [
        *(
            Folded(f"{names.evaluation(run.result.eval)}: {run.name}", [_table(run.result.manifest)])
            for run in inputs.evals
        ),
        *(
            Folded(
                f"Analysis {one.analysis.analysis}: {', '.join(one.analysis.subject)}", [_table(one.analysis.manifest)]
            )
            for one in inputs.analyses
        ),
        *(Folded(f"Training: {run.name}", [_table(run.manifest)]) for run in inputs.trainings),
    ]
    lead = "Data with their hashes, templates, sampling, seeds and versions, as each run recorded them."
    return Section("runs", "Runs and manifests", lead, folded)


def _table(manifest: Mapping[str, Any]) -> Table:
    fields = list(_fields(manifest))
    rows = fields[:MOST_FIELDS]
    cut = f", the first {MOST_FIELDS:,} of {len(fields):,} fields" if len(fields) > MOST_FIELDS else ""
    return Table(f"Manifest{cut}", ["Field", "Value"], [[words(name), words(value)] for name, value in rows])


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Fields of objects by their path; lists of plain values in one line."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _fields(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, list, tuple)) for item in value):
        for place, item in enumerate(value):
            yield from _fields(item, f"{name}[{place}]")
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
