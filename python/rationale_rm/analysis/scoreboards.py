"""Scores of models in a benchmark: from the results of `eval` runs, or from a CSV of model and score."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rationale_rm.analysis.files import each_once, read_json
from rationale_rm.data import STDIN, BadLine, DataError
from rationale_rm.documents import OVERALL, RESULT_FILE, Estimate, EvalResult
from rationale_rm.types import SchemaError

COLUMNS: Final = ("model", "score")
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Scores of models in one benchmark."""

    name: str
    scores: dict[str, float]
    unscored: dict[str, str]
    """Model → why it has no score."""
    files: tuple[str, ...]


def read_scoreboard(paths: Sequence[str | os.PathLike[str]], figure: str | None = None) -> Scoreboard:
    """Reads one benchmark: a CSV file with columns ``model`` and ``score``, or folders of `eval` runs (or their
    ``result.json``), one a model; a folder of run folders is searched.

    `figure` names the estimate to take from results: ``METRIC``, ``SLICE/METRIC`` or ``RULE/SLICE/METRIC``; the slice
    is ``overall`` where it is not named. It may be None where the overall slice holds one figure.

    Raises `DataError` for a file that cannot be read as one of these, for a figure that is not there, and for a model
    that stands there twice; `FileNotFoundError` for a path that is not there.
    """
    files = board_files(paths)
    scores: dict[str, float] = {}
    unscored: dict[str, str] = {}
    names: list[str] = []
    places: dict[str, str] = {}
    results: tuple[str, str] | None = None
    for file in files:
        if file.lower().endswith(".json"):
            name, rows = _of_result(file, figure)
            if results and name != results[0]:
                raise DataError(
                    BadLine(file, 0, f"its figure is {name}, and that of {results[1]} is {results[0]}: one is expected")
                )
            results = results or (name, file)
        else:
            name, rows = Path(file).stem, _of_csv(file)
        names.append(name)
        for model, value, line in rows:
            if model in places:
                raise DataError(
                    BadLine(file, line, f"model {model!r} has a score at {places[model]} already: keep one of the two")
                )
            places[model] = f"{file}:{line}" if line else file
            if isinstance(value, str):
                unscored[model] = value
            else:
                scores[model] = value
    return Scoreboard(", ".join(dict.fromkeys(names)), scores, unscored, tuple(files))


def board_files(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The files of a benchmark, each once: results of the run folders in `paths`, and files as they are.

    Raises `FileNotFoundError` for a path that is not there, and `DataError` for one that is no file.
    """
    files: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        if path == STDIN:
            raise FileNotFoundError("a benchmark is a file or a folder: standard input is not read")
        if not os.path.exists(path):
            raise FileNotFoundError(f"no such file or folder: {path}")
        found = sorted(map(str, Path(path).rglob(RESULT_FILE))) if os.path.isdir(path) else [path]
        if not found:
            raise FileNotFoundError(f"no {RESULT_FILE} in the folder {path}: a run of `rationale-rm eval` is expected")
        files += found
    return each_once(files)


_Rows = list[tuple[str, float | str, int]]


def _of_csv(file: str) -> _Rows:
    rows: _Rows = []
    with open(file, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        try:
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                expected = "a CSV with the columns model and score, or the result.json of an eval run"
                raise DataError(BadLine(file, 1, f"column {missing[0]!r} is missing: expected {expected}"))
            for row in reader:
                model, text = (row["model"] or "").strip(), (row["score"] or "").strip()
                if not model:
                    raise DataError(BadLine(file, reader.line_num, "the model has no name"))
                rows.append((model, _number(text, file, reader.line_num), reader.line_num))
        except UnicodeDecodeError as error:
            why = f"not UTF-8 ({error.reason}): save it as UTF-8"
            raise DataError(BadLine(file, reader.line_num + 1, why)) from None
        except csv.Error as error:
            raise DataError(BadLine(file, reader.line_num, f"no CSV: {error}")) from None
    return rows


def _number(text: str, file: str, line: int) -> float | str:
    if not text:
        return "the score is empty"
    try:
        value = math.nan if "_" in text else float(text)  # Python's own spelling of thousands
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(BadLine(file, line, f"score {text[:40]!r} is no number; leave it empty where there is none"))
    return value


def _of_result(file: str, figure: str | None) -> tuple[str, _Rows]:
    try:
        result = EvalResult.from_dict(read_json(file))
    except (SchemaError, AttributeError) as error:
        raise DataError(BadLine(file, 0, f"{error}; the result of a `rationale-rm eval` run is expected")) from None
    estimate = _estimate(result, figure, file)
    if not isinstance(result.model, str) or not isinstance(estimate.value, (int, float, type(None))):
        raise DataError(BadLine(file, 0, "model must be text and the value a number or null"))
    name = "/".join(part for part in (result.eval, estimate.rule, estimate.slice, estimate.metric) if part)
    value: float | str = (estimate.unavailable or "no value") if estimate.value is None else float(estimate.value)
    return name, [(result.model, value, 0)]


def _estimate(result: EvalResult, figure: str | None, file: str) -> Estimate:
    parts = [] if figure is None else figure.split("/")
    metric = parts[-1] if parts else None
    slice = parts[-2] if len(parts) > 1 else OVERALL
    rule = "/".join(parts[:-2]) if len(parts) > 2 else None
    found = [
        estimate
        for estimate in result.estimates
        if metric in (None, estimate.metric) and estimate.slice == slice and rule in (None, estimate.rule)
    ]
    if len(found) == 1:
        return found[0]
    held = [f"{e.rule}/{e.slice}/{e.metric}" for e in (found or result.estimates)]
    listed = ", ".join(held[:_SHOWN]) + (f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else "")
    what = "names several figures" if found else "is no figure of this result"
    raise DataError(BadLine(file, 0, f"{figure or OVERALL!r} {what}; choose with --figure RULE/SLICE/METRIC: {listed}"))
