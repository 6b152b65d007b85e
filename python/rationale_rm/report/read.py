"""Reads the paths of the command line: what each is, and what it holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, Analysis, Estimate, EvalResult
from rationale_rm.report.errors import ReportError
from rationale_rm.report.files import built, document, lines
from rationale_rm.report.inputs import Comparison, EvalRun, Inputs, NamedAnalysis
from rationale_rm.report.labels import Labels, add_labels, with_labels
from rationale_rm.report.samples import sample_sets
from rationale_rm.report.training import (
    FIGURES,
    METRICS_FILE,
    RECIPE_FILE,
    RUN_FILE,
    TrainingRun,
    estimate_of,
    setting_of,
)

EXPECTED: Final = (
    f"expected a folder of `rationale-rm eval` ({RESULT_FILE}, {SAMPLES_FILE}), a folder of `rationale-rm train` "
    f"({RUN_FILE}, {METRICS_FILE}), a JSON file of `rationale-rm analyze` or `eval compare`, or "
    "a .jsonl file of labels of reasons"
)
SHARES: Final = frozenset(("oa", "rc", "ap", "accuracy", "correct_average", *FIGURES))


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
        if path.is_file() and path.name == SAMPLES_FILE:
            raise ReportError(f"{path} holds the samples of a run: name its folder, which holds the result too")
        if path.is_file() and path.suffix == ".jsonl":
            add_labels(labels, path, lines(path))
        elif path.is_file():
            held = _file(path)
            if isinstance(held, Comparison):
                comparisons.append(held)
            else:
                analyses.append(NamedAnalysis(path, held))
        elif not path.is_dir():
            raise ReportError(f"{path} is neither a file nor a folder: {EXPECTED}")
        elif (path / RESULT_FILE).is_file():
            evals.append((path, _result(path)))
        elif (path / METRICS_FILE).is_file():
            folders.append(path)
        elif several := sorted(entry.parent for entry in path.glob(f"*/{RESULT_FILE}")):
            evals += [(one, _result(one)) for one in several]  # Arena-Hard has a folder for each model in its own
        else:
            found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) or "nothing"
            raise ReportError(f"{path} holds {found}, no {RESULT_FILE} and no {METRICS_FILE}: {EXPECTED}")
    runs = _named(evals)
    names = _distinct(folders)
    trainings = [_training(path, name) for path, name in zip(folders, names, strict=True)]
    sets, missing = sample_sets(runs, trainings, progress)
    sets, unused = with_labels(sets, labels)
    return Inputs(runs, analyses, trainings, comparisons, sets, [*missing, *unused])


def _result(folder: Path) -> EvalResult:
    result = document(folder / RESULT_FILE, EvalResult.from_dict, EXPECTED)
    _check_shares(str(folder / RESULT_FILE), result.estimates)
    return result


def _check_shares(place: str, estimates: Iterable[Estimate]) -> None:
    """Figures that are drawn on a scale from 0 to 1 are shares."""
    for one in estimates:
        known = [value for value in (one.value, one.low, one.high) if value is not None and not math.isnan(value)]
        if one.metric in SHARES and not all(0 <= value <= 1 for value in known):
            raise ReportError(f"{place}: {one.metric} of {one.slice} is not from 0 to 1: {known}")


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


def _training(path: Path, name: str) -> TrainingRun:
    manifest: dict[str, Any] = {}
    if (path / RUN_FILE).is_file():
        manifest.update(document(path / RUN_FILE, lambda value: value, EXPECTED))
    if (path / RECIPE_FILE).is_file():
        manifest[RECIPE_FILE] = (path / RECIPE_FILE).read_text("utf-8", errors="replace")
    steps: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    for number, record in lines(path / METRICS_FILE):
        if record.get("phase") not in ("grpo", "evaluation"):
            continue
        place, domains = f"{path / METRICS_FILE}, line {number}", record.get("by_domain") or {}
        objects = isinstance(domains, dict) and all(isinstance(part, dict) for part in domains.values())
        step, split = record.get("step"), record.get("split")
        if not isinstance(step, int) or abs(step) > 2**53 or not objects or not isinstance(split, (str, type(None))):
            raise ReportError(f"{place}: `step` is a number, `split` a text, and `by_domain` an object of objects")
        figures = [
            built(place, partial(estimate_of, figure), part.get(figure))
            for part in (record, *domains.values())
            for figure in FIGURES
        ]
        _check_shares(place, [one for one in figures if one is not None])
        (steps if record["phase"] == "grpo" else evaluations).append(record)
    if not steps and not evaluations:
        raise ReportError(f"{path / METRICS_FILE} has no step and no evaluation yet: nothing to draw")
    return TrainingRun(name, setting_of(name), path, manifest, steps, evaluations)


def _file(path: Path) -> Analysis | Comparison:
    record = document(path, lambda value: value, EXPECTED)
    if {"eval", "a", "b", "differences"} <= set(record):
        if not _are_differences(record["differences"]):
            raise ReportError(f"{path}: `differences` is a list of objects with numbers, as `eval compare` writes it")
        return Comparison(str(record["eval"]), str(record["a"]), str(record["b"]), record["differences"])
    if "analysis" in record:
        return built(str(path), Analysis.from_dict, record)
    if "eval" in record:
        raise ReportError(f"{path} is the result of an evaluation: name its folder, which holds the samples too")
    raise ReportError(f"{path} is a JSON object with {_keys(record)}: {EXPECTED}")


def _are_differences(value: Any) -> bool:
    numbers = ("value", "low", "high", "p_value", "n", "only_a", "only_b", "p_mcnemar")
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(name), (int, float, type(None))) for name in numbers)
        for one in value
    )


def _keys(record: dict[str, Any]) -> str:
    return "the fields " + ", ".join(sorted(map(str, record))[:5]) if record else "no field"
