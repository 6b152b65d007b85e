"""Labels of reasons from a file of their own, put to the samples that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rationale_rm.documents import SampleView
from rationale_rm.report.errors import ReportError

Labels = dict[tuple[str, str], tuple[str, Mapping[str, Any]]]
"""Model and id of an answer → where its labels stand, and the record: ``{"id", "model", "classes", "flaws"}``."""


def add_labels(labels: Labels, path: Path, lines: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Adds the lines of a file; the last one of an answer counts."""
    for number, record in lines:
        place = f"{path}, line {number}"
        if not isinstance(record.get("id"), str) or not isinstance(record.get("model"), str):
            raise ReportError(
                f"{place}: labels of reasons need the texts `id` and `model`, and lists `classes`, `flaws`"
            )
        labels[record["model"], record["id"]] = (place, record)


def labelled(samples: Sequence[SampleView], labels: Labels) -> list[SampleView]:
    """The samples with their labels; where there are none they are as they were."""
    return [
        _labelled(sample, *labels[key]) if (key := (sample.model, sample.id)) in labels else sample
        for sample in samples
    ]


def _labelled(sample: SampleView, place: str, record: Mapping[str, Any]) -> SampleView:
    classes, flaws = record.get("classes") or [], record.get("flaws") or []
    for name, given in (("classes", classes), ("flaws", flaws)):
        if not isinstance(given, list) or (given and len(given) != len(sample.reasons)):
            raise ReportError(
                f"{place}: `{name}` labels {len(given)} reasons of {sample.id}, which has {len(sample.reasons)}"
            )
    if not all(one is None or isinstance(one, list) for one in flaws):
        raise ReportError(f"{place}: `flaws` holds a list for each reason, or null where nobody labelled it")
    return replace(
        sample,
        classes=tuple(None if one is None else str(one) for one in classes),
        flaws=tuple(None if one is None else tuple(map(str, one)) for one in flaws),
    )
