"""What a report is made of, once read: evaluations, analyses, training runs, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rationale_rm.documents import Analysis, EvalResult, SampleView
from rationale_rm.report.training import TrainingRun


@dataclass(frozen=True)
class EvalRun:
    """A folder of ``rationale-rm eval``."""

    name: str
    """The model; with the folder's name where two runs share model and evaluation. Unique for its evaluation."""
    path: Path
    result: EvalResult


@dataclass(frozen=True)
class NamedAnalysis:
    """A file of ``rationale-rm analyze``."""

    path: Path
    analysis: Analysis


@dataclass(frozen=True)
class Comparison:
    """Two runs of one evaluation on the items that both have, as `rationale-rm eval` compares them."""

    eval: str
    a: str
    b: str
    differences: Sequence[Mapping[str, Any]]
    """A's figure less B's: rule, slice, metric, value, low, high, p_value, n, only_a, only_b, p_mcnemar."""


@dataclass(frozen=True)
class SampleSet:
    """Samples of one run, as the browser lists them."""

    run: str
    """How the browser calls the run; unique."""
    samples: Sequence[SampleView]


@dataclass(frozen=True)
class Inputs:
    """All of it, in the order of the command line."""

    evals: Sequence[EvalRun] = ()
    analyses: Sequence[NamedAnalysis] = ()
    trainings: Sequence[TrainingRun] = ()
    comparisons: Sequence[Comparison] = ()
    samples: Sequence[SampleSet] = field(default=())
    notes: Sequence[str] = ()
    """What the samples lack, and labels that are of none of them: who makes the report should know."""
