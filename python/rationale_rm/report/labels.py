"""Labels of reasons from files of their own, put to the samples that they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rationale_rm.documents import SampleView
from rationale_rm.report.errors import ReportError
from rationale_rm.report.inputs import SampleSet


@dataclass(frozen=True)
class Label:
    """Labels of one answer: ``{"id", "model", "classes", "flaws"}``, or a line of `rationale-rm analyze taxonomy`."""

    path: Path
    line: int
    record: Mapping[str, Any]


Labels = dict[tuple[str, str], Label]
"""By model and id of the answer."""


def add_labels(labels: Labels, path: Path, lines: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Adds the lines of a file; the last one of an answer counts."""
    empty = True
    for number, record in lines:
        id, model = record.get("answer_id", record.get("id")), record.get("model")
        if not isinstance(id, str) or not isinstance(model, str) or not {"classes", "flaws"} & set(record):
            raise ReportError(
                f"{path}, line {number}: labels of reasons need the texts `id` (or `answer_id`) and `model`, and lists "
                "`classes`, `flaws`"
            )
        labels[model, id] = Label(path, number, record)
        empty = False
    if empty:
        raise ReportError(f"{path} holds no labels of reasons")


def with_labels(sets: Sequence[SampleSet], labels: Labels) -> tuple[list[SampleSet], list[str]]:
    """The samples with their labels; those without are as they were. Then, in words, what labels are of none.

    Raises `ReportError` for a file none of whose labels is of any of the samples.
    """
    known = {(sample.model, sample.id) for one in sets for sample in one.samples}
    used = {label.path for key, label in labels.items() if key in known}
    for (model, id), label in labels.items():
        if label.path not in used:
            raise ReportError(
                f"{label.path}: no label is of a sample in these runs: model and id must be the samples', and line "
                f"{label.line} is of {id[:100]} of {model[:100]}"
            )
    unused = Counter(label.path for key, label in labels.items() if key not in known)
    notes = [f"{path}: {n:,} labelled answers are of no sample here" for path, n in unused.items()]
    return [SampleSet(one.run, [_labelled(sample, labels) for sample in one.samples]) for one in sets], notes


def _labelled(sample: SampleView, labels: Labels) -> SampleView:
    label = labels.get((sample.model, sample.id))
    if label is None:
        return sample
    found: dict[str, Any] = {}
    for name in ("classes", "flaws"):
        given = label.record.get(name)
        if given is None:
            continue
        if not isinstance(given, list) or (given and len(given) != len(sample.reasons)):
            n = len(given) if isinstance(given, list) else "no list of"
            raise ReportError(
                f"{label.path}, line {label.line}: `{name}` labels {n} reasons of {sample.id}, which has "
                f"{len(sample.reasons)}"
            )
        found[name] = given
    if not all(one is None or isinstance(one, list) for one in found.get("flaws", ())):
        raise ReportError(
            f"{label.path}, line {label.line}: `flaws` holds a list for each reason, or null where nobody labelled it"
        )
    if "classes" in found:
        found["classes"] = tuple(None if one is None else str(one) for one in found["classes"])
    if "flaws" in found:
        found["flaws"] = tuple(None if one is None else tuple(map(str, one)) for one in found["flaws"])
    return replace(sample, **found)
