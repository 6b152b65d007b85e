"""Rates of what reasons are (EG, CG, GS) and of their flaws (F1 to F7), from the labels of a labeller (Fig. 4, 5)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rationale_rm.analysis import figures
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import files_of, rewound_stdin
from rationale_rm.analysis.resample import numbered
from rationale_rm.analysis.samples import is_view
from rationale_rm.data import STDIN, BadLine, DataError, read_rows
from rationale_rm.documents import OVERALL, Analysis, Estimate

CLASSES: Final = ("EG", "CG", "GS")
FLAWS: Final = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
ANY_FLAW: Final = "any_flaw"


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of the reasons of one answer, in their order."""

    id: str
    pair_id: str
    model: str
    domain: str
    classes: tuple[str | None, ...]
    """One of `CLASSES` for each reason; None where the labeller gave none, "" likewise."""
    flaws: tuple[tuple[str, ...] | None, ...]
    """Some of `FLAWS` for each reason; None where the labeller gave no answer, which is not ()."""


def rates(
    samples: Sequence[Labelled], how: Sampling | None = None, *, labeller: str = "", manifest: Any = None
) -> Analysis:
    """Share of the reasons of each model in each class and with each flaw (`any_flaw`: with one at least).

    Slices are ``MODEL`` and, where there are several domains, ``MODEL/DOMAIN``, with the domain as `figures.part`
    writes it where a model is called ``MODEL/DOMAIN``; rule is `labeller`; intervals draw source pairs. n_total counts
    all reasons, n those that have a label; how many answers hold no reason is a note. Points: ``model, domain``,
    ``kind`` (``class``, ``flaw``), ``label`` and the figure.
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    notes: list[str] = []
    models = sorted({sample.model for sample in samples})
    for model in models:
        of_model = [sample for sample in samples if sample.model == model]
        n_empty = sum(not (sample.classes or sample.flaws) for sample in of_model)
        if n_empty:
            notes.append(f"{model}: {n_empty} of {len(of_model)} answers hold no reason to label, and are in no rate.")
        taken = {OVERALL, *(other.removeprefix(f"{model}/") for other in models if other.startswith(f"{model}/"))}
        domains = sorted({sample.domain for sample in of_model})
        for domain in [None, *(domains if len(domains) > 1 else [])]:
            chosen = [sample for sample in of_model if domain in (None, sample.domain)]
            name = OVERALL if domain is None else figures.part(domain, taken)
            slice = model if domain is None else f"{model}/{name}"
            for kind, label, estimate in _rates(slice, chosen, labeller, how):
                estimates.append(estimate)
                points.append(figures.point(estimate, model=model, domain=name, kind=kind, label=label))
    return Analysis(
        analysis="taxonomy",
        subject=tuple(models),
        manifest={**(manifest or {}), "labeller": labeller},
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
    )


def _rates(slice: str, samples: Sequence[Labelled], rule: str, how: Sampling) -> list[tuple[str, str, Estimate]]:
    lengths = [max(len(sample.classes), len(sample.flaws)) for sample in samples]
    clusters = np.repeat(numbered(sample.pair_id for sample in samples), lengths)
    classes: list[str | None] = []
    flaws: list[tuple[str, ...] | None] = []
    for sample, length in zip(samples, lengths, strict=True):
        classes += [*(name or None for name in sample.classes), *[None] * (length - len(sample.classes))]
        flaws += [*sample.flaws, *[None] * (length - len(sample.flaws))]
    found = []
    why = "no reason has such a label"
    for name in CLASSES:
        values = np.array([np.nan if given is None else float(given == name) for given in classes], dtype=float)
        estimate = figures.mean(slice, name, values, clusters, how, rule=rule, why_none=why)
        found.append(("class", name, estimate))
    for name in (*FLAWS, ANY_FLAW):
        values = np.array(
            [np.nan if given is None else float(bool(given) if name == ANY_FLAW else name in given) for given in flaws],
            dtype=float,
        )
        found.append(("flaw", name, figures.mean(slice, name, values, clusters, how, rule=rule, why_none=why)))
    return found


def read_labels(paths: Sequence[str | os.PathLike[str]]) -> list[Labelled]:
    """Reads labels: lines ``{id, model, classes, flaws}`` with ``pair_id`` (by default the part of id before ``#``) and
    ``domain``, what ``analyze taxonomy`` wrote (``answer_id`` names the answer), or samples of an evaluation (files or
    run folders), whose reasons without a label count as unlabelled. Of several lines of an answer that one run of this
    program wrote the last one counts.

    Raises `DataError` for a line that is neither, for an unknown label, and for a second line of an answer.
    """
    found: dict[tuple[str, str], Labelled] = {}
    places: dict[tuple[str, str], str] = {}
    makers: dict[tuple[str, str], Any] = {}
    files = files_of(paths)
    if STDIN in files:
        rewound_stdin()
    for row in read_rows(files):
        if isinstance(row, BadLine):
            raise DataError(row)
        value = row.value
        try:
            one = _labelled(value)
        except ValueError as error:
            raise DataError(BadLine(row.file, row.line, str(error))) from None
        key, place = (one.model, one.id), f"{row.file}:{row.line}"
        made = (row.file, value.get("made_by"))
        if key in places and (made[1] is None or makers[key] != made):
            raise DataError(
                BadLine(row.file, row.line, f"a second line for {one.id!r} of model {one.model!r}: see {places[key]}")
            )
        places[key], makers[key] = place, made
        found[key] = one
    return list(found.values())


def _labelled(value: Any) -> Labelled:
    if not isinstance(value, dict):
        raise ValueError("an object with id, model, classes and flaws is expected")
    texts = {}
    for name in ("id", "model"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"{name} is missing or no text")
    answer_id = value.get("answer_id", value["id"])
    if not isinstance(answer_id, str) or not answer_id:
        raise ValueError("answer_id must be text")
    for name, default in (("pair_id", answer_id.partition("#")[0]), ("domain", "unknown")):
        texts[name] = value.get(name, default)
        if not isinstance(texts[name], str):
            raise ValueError(f"{name} must be text")
    classes, flaws = value.get("classes", []), value.get("flaws", [])
    if not isinstance(classes, list) or not all(name in (None, "") or name in CLASSES for name in classes):
        raise ValueError(f"classes must be a list of {', '.join(CLASSES)} or null, one for each reason")
    if not isinstance(flaws, list) or not all(_are_flaws(names) for names in flaws):
        raise ValueError(f"flaws must be a list of lists of {', '.join(FLAWS)} (or null), one list for each reason")
    if classes and flaws and len(classes) != len(flaws):
        raise ValueError(f"{len(classes)} classes and {len(flaws)} lists of flaws: both have one for each reason")
    given = tuple(None if names is None else tuple(names) for names in flaws)
    reasons = value.get("reasons")
    length = max(len(classes), len(flaws))
    if is_view(value) and isinstance(reasons, list):
        if length > len(reasons):
            raise ValueError(f"{length} labels for {len(reasons)} reasons")
        length = len(reasons)
    return Labelled(
        answer_id,
        texts["pair_id"],
        value["model"],
        texts["domain"],
        (*classes, *[None] * (length - len(classes))),
        (*given, *[None] * (length - len(given))),
    )


def _are_flaws(names: Any) -> bool:
    return names is None or (isinstance(names, list) and all(isinstance(one, str) and one in FLAWS for one in names))
