"""Reads the paths of the command line: what each is, and what it holds."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, Analysis, EvalResult, SampleView
from rationale_rm.report.errors import ReportError
from rationale_rm.report.inputs import Comparison, EvalRun, Inputs, NamedAnalysis, SampleSet
from rationale_rm.report.labels import Labels, add_labels, with_labels
from rationale_rm.report.training import (
    FIGURES,
    METRICS_FILE,
    RECIPE_FILE,
    RUN_FILE,
    TrainingRun,
    estimate_of,
    read_samples,
    setting_of,
)
from rationale_rm.types import SchemaError

EXPECTED: Final = (
    f"expected a folder of `rationale-rm eval` ({RESULT_FILE}, {SAMPLES_FILE}), a folder of `rationale-rm train` "
    f"({RUN_FILE}, {METRICS_FILE}), a JSON file of `rationale-rm analyze` or `eval compare`, or "
    "a .jsonl file of labels of reasons"
)
_T = TypeVar("_T")


def read(paths: Sequence[str | Path], progress: Callable[[str], None] = lambda _: None) -> Inputs:
    """What the paths hold.

    Raises `ReportError` for a path that is none of the documents that a report is made of, or that is damaged.
    """
    evals: list[tuple[Path, EvalResult]] = []
    analyses: list[NamedAnalysis] = []
    comparisons: list[Comparison] = []
    folders: list[Path] = []
    labels: Labels = {}
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.resolve() in seen:
            raise ReportError(f"{path} is named twice")
        seen.add(path.resolve())
        progress(f"reading {path}")
        if not path.exists():
            raise ReportError(f"{path} does not exist: {EXPECTED}")
        if path.is_file() and path.suffix == ".jsonl":
            add_labels(labels, path, _lines(path))
        elif path.is_file():
            document = _file(path)
            if isinstance(document, Comparison):
                comparisons.append(document)
            else:
                analyses.append(NamedAnalysis(path, document))
        elif (path / RESULT_FILE).is_file():
            evals.append((path, _document(path / RESULT_FILE, EvalResult.from_dict)))
        elif (path / METRICS_FILE).is_file():
            folders.append(path)
        else:
            found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) or "nothing"
            raise ReportError(f"{path} holds {found}, no {RESULT_FILE} and no {METRICS_FILE}: {EXPECTED}")
    runs = _named(evals)
    names = _distinct(folders)
    trainings = [_training(path, name) for path, name in zip(folders, names, strict=True)]
    sets = _sample_sets(runs, trainings, progress)
    return Inputs(runs, analyses, trainings, comparisons, with_labels(sets, labels))


def _named(evals: Sequence[tuple[Path, EvalResult]]) -> list[EvalRun]:
    """Runs with names that tell those of one evaluation apart."""
    counts = Counter((result.eval, result.model) for _, result in evals)
    folders = _distinct([path for path, _ in evals])
    return [
        EvalRun(result.model if counts[result.eval, result.model] == 1 else f"{result.model} ({folder})", path, result)
        for (path, result), folder in zip(evals, folders, strict=True)
    ]


def _distinct(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths, one length for all, by which they differ."""
    parts = [folder.resolve().parts for folder in folders]
    length = 1
    while len({one[-length:] for one in parts}) < len(parts):
        length += 1
    return ["/".join(one[-length:]) for one in parts]


def _sample_sets(
    evals: Sequence[EvalRun], trainings: Sequence[TrainingRun], progress: Callable[[str], None]
) -> list[SampleSet]:
    """The samples of every run that has some, under the model's name, with the evaluation where two sets share it."""
    found: list[tuple[str, str, list[SampleView]]] = []
    for run in evals:
        file = run.path / SAMPLES_FILE
        if file.is_file():
            progress(f"reading {file}")
            found.append((run.name, run.result.eval, _unique(_samples(file))))
    for training in trainings:
        progress(f"reading the samples of {training.path}")
        found.append((training.name, "training", list(read_samples(training.path))))
    found = [one for one in found if one[2]]
    counts = Counter(name for name, _, _ in found)
    return [SampleSet(name if counts[name] == 1 else f"{name}, {of}", samples) for name, of, samples in found]


def _unique(samples: Iterator[SampleView]) -> list[SampleView]:
    """The last line of each id, as in every output that a run resumes."""
    return list({sample.id: sample for sample in samples}.values())


def _samples(file: Path) -> Iterator[SampleView]:
    for number, record in _lines(file):
        yield _built(f"{file}, line {number}", SampleView.from_dict, record)


def _training(path: Path, name: str) -> TrainingRun:
    manifest: dict[str, Any] = {}
    if (path / RUN_FILE).is_file():
        manifest.update(_document(path / RUN_FILE, lambda value: value))
    if (path / RECIPE_FILE).is_file():
        manifest[RECIPE_FILE] = (path / RECIPE_FILE).read_text("utf-8", errors="replace")
    steps: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    for number, record in _lines(path / METRICS_FILE):
        if record.get("phase") not in ("grpo", "evaluation"):
            continue
        place, domains = f"{path / METRICS_FILE}, line {number}", record.get("by_domain") or {}
        objects = isinstance(domains, dict) and all(isinstance(part, dict) for part in domains.values())
        texts = isinstance(record.get("split", ""), str)
        if not isinstance(record.get("step"), int) or not objects or not texts:
            raise ReportError(f"{place}: `step` is a number, `split` a text, and `by_domain` an object of objects")
        for part in (record, *domains.values()):
            for figure in FIGURES:
                _built(place, partial(estimate_of, figure), part.get(figure))
        (steps if record["phase"] == "grpo" else evaluations).append(record)
    if not steps and not evaluations:
        raise ReportError(f"{path / METRICS_FILE} has no step and no evaluation yet: nothing to draw")
    return TrainingRun(name, setting_of(name), path, manifest, steps, evaluations)


def _file(path: Path) -> Analysis | Comparison:
    record = _document(path, lambda value: value)
    if {"eval", "a", "b", "differences"} <= set(record):
        if not _are_differences(record["differences"]):
            raise ReportError(f"{path}: `differences` is a list of objects with numbers, as `eval compare` writes it")
        return Comparison(str(record["eval"]), str(record["a"]), str(record["b"]), record["differences"])
    if "analysis" in record:
        return _built(str(path), Analysis.from_dict, record)
    if "eval" in record:
        raise ReportError(f"{path} is the result of an evaluation: name its folder, which holds the samples too")
    raise ReportError(f"{path} is a JSON object with {_keys(record)}: {EXPECTED}")


def _are_differences(value: Any) -> bool:
    numbers = ("value", "low", "high", "p_value", "n", "only_a", "only_b", "p_mcnemar")
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(name), (int, float, type(None))) for name in numbers)
        for one in value
    )


def _document(path: Path, build: Callable[[Any], _T]) -> _T:
    try:
        value = json.loads(
            path.read_text("utf-8"), parse_constant=_no_number, parse_float=_number, parse_int=_whole_number
        )
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON document ({_short(error)}): {EXPECTED}") from None
    if not isinstance(value, dict):
        raise ReportError(f"{path} holds a JSON {type(value).__name__}, not an object: {EXPECTED}")
    return _built(str(path), build, value)


def _built(place: str, build: Callable[[Any], _T], value: Any) -> _T:
    try:
        return build(value)
    except (SchemaError, TypeError, AttributeError) as error:
        raise ReportError(f"{place}: {_short(error)}") from None


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line; an end that a killed run left torn is no line yet."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line, parse_constant=_no_number, parse_float=_number, parse_int=_whole_number)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                raise ReportError(f"{path}, line {number}: no JSON ({_short(error)})") from None
            if not isinstance(value, dict):
                raise ReportError(f"{path}, line {number}: a JSON {type(value).__name__}, not an object")
            yield number, value


def _keys(record: dict[str, Any]) -> str:
    return "the fields " + ", ".join(sorted(map(str, record))[:5]) if record else "no field"


def _short(error: BaseException) -> str:
    return str(error)[:200]


def _number(text: str) -> float | None:
    """A number; None beyond the range of floats, which Python reads as infinity."""
    value = float(text)
    return value if math.isfinite(value) else None


def _whole_number(text: str) -> int | None:
    """A number; None beyond what scripts and drawings can count."""
    value = int(text)
    return value if abs(value) < 2**53 else None


def _no_number(_: str) -> None:
    """NaN and Infinity, which Python writes and JSON does not know: there is no number."""
