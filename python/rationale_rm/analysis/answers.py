"""Where the answers come from: folders of `eval` runs, files of their samples, or the lines that `score` reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rationale_rm.analysis.figures import unique
from rationale_rm.analysis.files import files_of, read_json, rewound_stdin
from rationale_rm.analysis.resample import Ints, numbered
from rationale_rm.analysis.samples import is_sample, sample_of
from rationale_rm.analysis.views import n_missing, of_pairs
from rationale_rm.data import STDIN, BadLine, DataError, LabelScale, Row, read_pairs, read_rows
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, SampleView
from rationale_rm.metrics import Settings

NOT_ANSWERED = "not_answered"
UNKNOWN = "unknown"
"""Status of an answer of which the data hold neither a verdict nor a transcript."""
NO_REASONS = "no_reasons"


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one or several models, sorted by model, source pair, order and sample."""

    views: tuple[SampleView, ...]
    files: tuple[str, ...]
    bad: tuple[BadLine, ...]
    n_lines: int
    judges: tuple[str, ...]
    """Who gave the scores, where the data say so."""
    missing: Mapping[str, int]
    """Model → answers that there should be beside `views`."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted."""
        return unique(view.model for view in self.views)

    def of(self, model: str) -> list[SampleView]:
        """The answers of a model."""
        return [view for view in self.views if view.model == model]


def read_answers(
    paths: Sequence[str | os.PathLike[str]],
    *,
    settings: Settings | None = None,
    label_scale: LabelScale | None = None,
    strict: bool = False,
    need_references: bool = True,
    leave_out: str | os.PathLike[str] | None = None,
    on_line: Callable[[int], None] | None = None,
) -> Answers:
    """Reads answers with their matches.

    A folder that holds ``samples.jsonl``, itself or in folders below, is one or several runs of `eval`; a run folder of
    `train` gives the samples of its steps, each step a model ``RUN@STEP``; any other
    folder or file holds samples, or what ``rationale-rm score`` reads (the output of ``critique`` and ``match``),
    which `settings` say how to score; without `need_references` pairs may lack human reasons. The file `leave_out` is
    not read where a folder holds it. `on_line` is called with the number of lines read so far.

    Raises `DataError` for two answers of one model under one id, and at the first bad line when `strict`;
    `FileNotFoundError` for a path that is not there.
    """
    files = files_of(paths)
    if leave_out is not None and os.path.realpath(leave_out) not in map(os.path.realpath, paths):
        files = [file for file in files if os.path.realpath(file) != os.path.realpath(leave_out)]
    if STDIN in files:
        rewound_stdin()
    samples = [file for file in files if _holds_samples(file)]
    views: dict[tuple[str, str], SampleView] = {}
    places: dict[tuple[str, str], str] = {}
    bad: list[BadLine] = []
    n_lines = 0

    def add(view: SampleView, place: str) -> None:
        key = (view.model, view.id)
        if key in views:
            raise DataError(
                BadLine(
                    *_split(place),
                    f"a second answer {view.id!r} of model {view.model!r}; the first stands at {places[key]}: give one "
                    "run of each model",
                )
            )
        views[key], places[key] = view, place

    for item in read_rows(samples):
        n_lines += 1
        if on_line is not None:
            on_line(n_lines)
        found = item if isinstance(item, BadLine) else sample_of(item.file, item.line, item.value)
        if isinstance(found, BadLine):
            if strict:
                raise DataError(found)
            bad.append(found)
        else:
            add(found, f"{item.file}:{item.line}")
    judges = _judges_of_runs(samples)
    missing: dict[str, int] = {}
    rest = [file for file in files if file not in samples]
    if rest:
        before = n_lines
        loaded = read_pairs(
            rest,
            strict=strict,
            label_scale=label_scale,
            need_references=need_references,
            on_line=None if on_line is None else lambda n: on_line(before + n),
        )
        n_lines += loaded.n_lines
        bad += loaded.bad
        missing = {model: n_missing(loaded.pairs, model) for model in loaded.models}
        for view, place, judge in of_pairs(loaded.pairs, loaded.models, settings or Settings()):
            add(view, place)
            judges += [judge] if judge is not None else []
    ordered = sorted(views.values(), key=lambda view: (view.model, view.pair_id, view.swapped, view.sample, view.id))
    return Answers(tuple(ordered), tuple(files), tuple(bad), n_lines, unique(sorted(judges)), missing)


def cut(answers: Answers, models: Sequence[str]) -> Answers:
    """The answers of these models only."""
    return replace(answers, views=tuple(view for view in answers.views if view.model in models))


def clusters_of(views: Sequence[SampleView]) -> Ints:
    """The source pair of each answer as a number: int64 (n,)."""
    return numbered(view.pair_id for view in views)


def reasons_known(view: SampleView) -> bool:
    """Whether the data say which reasons the answer holds, if any: an empty list alone says nothing, and of an answer
    that could not be read nobody knows.
    """
    if view.reasons:
        return view.status != NOT_ANSWERED
    return view.status in ("ok", UNKNOWN) and (view.text is not None or view.judge_status == NO_REASONS)


def column(views: Sequence[SampleView], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A figure of each answer, float64 (n,), NaN for None."""
    return np.array([np.nan if getattr(view, name) is None else getattr(view, name) for view in views], dtype=float)


def _holds_samples(file: str) -> bool:
    if os.path.basename(file) == SAMPLES_FILE:
        return True
    first = next((row for row in read_rows([file]) if isinstance(row, Row)), None)  # a torn line says nothing
    if file == STDIN:
        rewound_stdin()
    return first is not None and is_sample(first.value)


def _judges_of_runs(samples: Sequence[str]) -> list[str]:
    judges = []
    for file in samples:
        path = Path(file).with_name(RESULT_FILE)
        if file == STDIN or not path.is_file():
            continue
        about = read_json(path).get("manifest")
        named = about.get("judges") if isinstance(about, Mapping) else None
        judges += [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return judges


def _split(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)
