"""Analyses of answers, judges and training runs; each gives a `rationale_rm.documents.Analysis` (docs/analysis.md)."""

from rationale_rm.analysis.agreement import agreement
from rationale_rm.analysis.answers import Answers, read_answers
from rationale_rm.analysis.degeneration import degeneration
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import files_of, manifest
from rationale_rm.analysis.lengths import lengths
from rationale_rm.analysis.rank_agreement import rank_agreement
from rationale_rm.analysis.ranks import ranks
from rationale_rm.analysis.rates import Labelled, rates, read_labels
from rationale_rm.analysis.runs import TrainRun, read_runs
from rationale_rm.analysis.scoreboards import Scoreboard, read_scoreboard
from rationale_rm.analysis.templates import templates

__all__ = [
    "Answers",
    "Labelled",
    "Sampling",
    "Scoreboard",
    "TrainRun",
    "agreement",
    "degeneration",
    "files_of",
    "lengths",
    "manifest",
    "rank_agreement",
    "ranks",
    "rates",
    "read_answers",
    "read_labels",
    "read_runs",
    "read_scoreboard",
    "templates",
]
