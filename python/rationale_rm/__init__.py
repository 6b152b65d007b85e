"""Rationale Consistency for generative reward models.

text → parse → match → score → reward → advantage. The functions take whole batches and give numpy columns;
the work is done in Rust. `rationale_rm.data` reads files into `Pair` records, `rationale_rm.metrics` turns
them into outcome accuracy, Rationale Consistency and average precision with intervals.

Method: Wang et al., "Outcome Accuracy is Not Enough", arXiv 2602.04649.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rationale_rm._core import (
    CLAIMS_STATUSES,
    GENRM_STATUSES,
    METAJUDGE_STATUSES,
    NO_VERDICT,
    VERDICT_FAMILIES,
    Agreement,
    ClaimsBatch,
    GenrmBatch,
    Interval,
    MatchBatch,
    Mcnemar,
    MetaJudgeBatch,
    Paired,
    RationaleError,
    ScoreBatch,
    SimilarityBatch,
    __version__,
    _run_serially,
    agreement,
    bootstrap_ci,
    bradley_terry,
    format_reward,
    group_advantages,
    hybrid_reward,
    length_reward,
    match,
    match_sparse,
    mcnemar,
    mean_win,
    next_pairs,
    outcome_reward,
    paired_bootstrap,
    parse_claims,
    parse_genrm,
    parse_metajudge,
    score,
    similarity,
    spearman,
)
from rationale_rm.types import (
    SCHEMA_VERSION,
    ClaimsStatus,
    Critique,
    GenrmStatus,
    JudgeAnswer,
    MatchRequest,
    MatchResult,
    MetaJudgeStatus,
    ModelAnswer,
    Pair,
    RewardBatch,
    SchemaError,
    Verdict,
)

if TYPE_CHECKING:
    from rationale_rm.judge import MetaJudge as MetaJudge
    from rationale_rm.rewards import RationaleReward as RationaleReward

# A forked child has no thread pool: without this, its first large batch would wait for threads that do not exist.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_run_serially)

__all__ = [
    "CLAIMS_STATUSES",
    "GENRM_STATUSES",
    "METAJUDGE_STATUSES",
    "NO_VERDICT",
    "SCHEMA_VERSION",
    "VERDICT_FAMILIES",
    "Agreement",
    "ClaimsBatch",
    "ClaimsStatus",
    "Critique",
    "GenrmBatch",
    "GenrmStatus",
    "Interval",
    "JudgeAnswer",
    "MatchBatch",
    "MatchRequest",
    "MatchResult",
    "Mcnemar",
    "MetaJudge",
    "MetaJudgeBatch",
    "MetaJudgeStatus",
    "ModelAnswer",
    "Pair",
    "Paired",
    "RationaleError",
    "RationaleReward",
    "RewardBatch",
    "SchemaError",
    "ScoreBatch",
    "SimilarityBatch",
    "Verdict",
    "__version__",
    "agreement",
    "bootstrap_ci",
    "bradley_terry",
    "format_reward",
    "group_advantages",
    "hybrid_reward",
    "length_reward",
    "match",
    "match_sparse",
    "mcnemar",
    "mean_win",
    "next_pairs",
    "outcome_reward",
    "paired_bootstrap",
    "parse_claims",
    "parse_genrm",
    "parse_metajudge",
    "score",
    "similarity",
    "spearman",
]

_LATER: Final = {"MetaJudge": "rationale_rm.judge", "RationaleReward": "rationale_rm.rewards"}
"""Names that are imported when they are first used: they bring asyncio and SQLite, which arrays do not need."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
