"""Critiques and matches into outcome accuracy, Rationale Consistency, precision, F1 and average precision.

`evaluate` scores one model over pairs, `compare` two models over the pairs that both answered. Every figure
is the mean over the rows that have an answer, with a seeded bootstrap interval (which draws pairs with all of
their rows, where several orders or samples answer one), its coverage, and the pessimistic value that takes a
missing answer as 0. Two modes: ``paper`` follows the definitions (Eq. 1 to
3), ``reference`` does what the authors' released script does (samples without reasons or with more than ten
left out, lists cut to five, no one-to-one constraint, first sample only, average precision over the matched
items alone).
"""

from rationale_rm.metrics.critiques import critiques
from rationale_rm.metrics.disagreement import Favours, disagreement, favours_by_words
from rationale_rm.metrics.evaluate import compare, evaluate, missing, summarise
from rationale_rm.metrics.lexical import match_lexical
from rationale_rm.metrics.matches import match_recorded, match_requests, read_judge
from rationale_rm.metrics.results import (
    LEXICAL_NOTE,
    METRICS,
    NO_LABELS,
    ONE_PAIR,
    ONE_ROW,
    ORDERS,
    REFERENCE_LIMIT,
    REFERENCE_MAX_REASONS,
    Comparison,
    Difference,
    Figure,
    Format,
    Judge,
    Matched,
    Mode,
    ModelScores,
    Policy,
    Scorer,
    Settings,
)
from rationale_rm.metrics.rows import AnswerRows, Asked, score_rows

__all__ = [
    "LEXICAL_NOTE",
    "METRICS",
    "NO_LABELS",
    "ONE_PAIR",
    "ONE_ROW",
    "ORDERS",
    "REFERENCE_LIMIT",
    "REFERENCE_MAX_REASONS",
    "AnswerRows",
    "Asked",
    "Comparison",
    "Difference",
    "Favours",
    "Figure",
    "Format",
    "Judge",
    "Matched",
    "Mode",
    "ModelScores",
    "Policy",
    "Scorer",
    "Settings",
    "compare",
    "critiques",
    "disagreement",
    "evaluate",
    "favours_by_words",
    "match_lexical",
    "match_recorded",
    "match_requests",
    "missing",
    "read_judge",
    "score_rows",
    "summarise",
]
