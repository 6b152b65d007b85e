"""Benchmarks of this field, under one set of rules: both orders, named ways of counting, intervals, coverage.

A `Benchmark` reads items and recorded outputs in upstream's own files and says what each item is worth; the rest is
shared: `table` and `figures` make estimates of it, `manifest` says what they depend on, `runs` reads a finished run and
`compare` two of them. ``docs/evals.md`` has the rules.
"""

from rationale_rm.evals.answers import Answers, is_ours, read_ours
from rationale_rm.evals.benchmark import Benchmark
from rationale_rm.evals.compare import Difference, RunComparison, compare
from rationale_rm.evals.figures import estimates
from rationale_rm.evals.files import read_records
from rationale_rm.evals.manifest import manifest
from rationale_rm.evals.runs import EvalRun, read_run
from rationale_rm.evals.table import ScoredItem
from rationale_rm.evals.views import sample_views, statuses

__all__ = [
    "Answers",
    "Benchmark",
    "Difference",
    "EvalRun",
    "RunComparison",
    "ScoredItem",
    "compare",
    "estimates",
    "is_ours",
    "manifest",
    "read_ours",
    "read_records",
    "read_run",
    "sample_views",
    "statuses",
]
