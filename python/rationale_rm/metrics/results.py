"""What the figures are computed under, and what comes out: settings, figures, scores, comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rationale_rm._core import RationaleError
from rationale_rm.types import VERDICT_TEXTS

Judge = Literal["recorded", "lexical", "none"]
Mode = Literal["paper", "reference"]
Scorer = Literal["ratio", "token_sort", "token_set"]
Format = Literal["auto", "block", "boxed", "bracket", "json", "prose"]
Policy = Literal["last", "unanimous"]

METRICS: Final = ("oa", "rc", "precision", "recall", "f1", "ap", "soft_ap")
"""Outcome accuracy; Rationale Consistency (Eq. 2), which is also ``recall``; the rest of the rationale
scores."""

REFERENCE_LIMIT: Final = 5
"""Reasons past this rank are cut by the release."""
REFERENCE_MAX_REASONS: Final = 10
"""Samples with more reasons are left out by the release."""
LEXICAL_NOTE: Final = (
    "Lexical scores compare words, not meaning (similarity above what reasons about other pairs reach): a "
    "rough stand-in for a MetaJudge, fit for trying the tool out and not for published figures."
)
ONE_ROW: Final = "no interval: a single row"
ONE_PAIR: Final = "no interval: rows of a single pair"
ORDERS: Final = ("order_consistency", "position_bias")
"""Of the pairs that were shown in both orders with a verdict each: the share whose verdicts agree in direction; and
the mean of +1 for a verdict for the response shown first (A), -1 for the one shown second, 0 for a tie."""
NO_LABELS: Final = (
    "No pair has a human label, so outcome accuracy is unavailable: add `label` (A>>B, A>B, A=B, B>A, B>>A) "
    "or HelpSteer3's `overall_preference` to the records, or pass a second file that holds it for the same "
    "pairs."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to score; see `evaluate`."""

    judge: Judge = "recorded"
    mode: Mode = "paper"
    scorer: Scorer = "token_set"
    threshold: float = 0.0
    """A reason is a hit (Eq. 3) when its matched score is above this."""
    top_k: int | None = 5
    """Each list of reasons is cut to this length before matching; None: not cut."""
    exact: bool = False
    """Whether verdict and label must agree in all five levels instead of in direction."""
    format: Format = "auto"
    policy: Policy = "last"
    seed: int = 0
    n_resamples: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        """Raises `RationaleError` for a choice that does not exist or a number outside its range."""
        for name, kind in (
            ("judge", Judge),
            ("mode", Mode),
            ("scorer", Scorer),
            ("format", Format),
            ("policy", Policy),
        ):
            value, choices = getattr(self, name), get_args(kind)
            if value not in choices:
                raise RationaleError(f"unknown {name} {value!r}: choose from {', '.join(choices)}")
        ranges = (
            ("threshold", 0 <= self.threshold <= 1, "0 to 1"),
            ("top_k", self.top_k is None or 1 <= self.top_k < 2**31, "None or 1 to 2147483647"),
            ("seed", 0 <= self.seed < 2**64, "0 to 2^64 - 1"),
            ("n_resamples", 1 <= self.n_resamples <= 10_000_000, "1 to 10000000"),
            ("level", 0 < self.level < 1, "between 0 and 1"),
        )
        for name, fits, expected in ranges:
            if not fits:
                raise RationaleError(f"{name} is {getattr(self, name)}: expected {expected}")


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over answered rows with its interval; what there is none of is None, and `unavailable` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Rows with an answer."""
    n_total: int
    """Rows that should have one."""
    pessimistic: float | None
    """The mean when a missing answer counts as 0."""
    unavailable: str | None = None

    @property
    def coverage(self) -> float | None:
        """Share of rows with an answer: `n` / `n_total`."""
        return self.n / self.n_total if self.n_total else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; no NaN."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "n_total": self.n_total,
            "coverage": self.coverage,
            "pessimistic": self.pessimistic,
            "unavailable": self.unavailable,
        }


@dataclass(frozen=True, slots=True)
class Matched:
    """Matches of a batch of critiques."""

    columns: Mapping[str, Floats]
    """Metric → (n,), NaN where no judge answered."""
    status: tuple[str, ...]
    """n: ``ok``, ``no_reasons`` (scored 0 without a judge), ``left_out``, ``not_judged``, ``judge_error``
    or the name of the `MetaJudgeStatus` of the first sample."""
    n_failed: NDArray[np.int64]
    """(n,) judge samples that could not be read, also where others of the row could."""
    n_dropped: NDArray[np.int64]
    """(n,) positive scores beyond the cut."""
    judged_length: NDArray[np.int64]
    """(n,) length to which the list was cut before it was judged, where that is shorter than ``Settings.top_k``;
    else -1."""


@dataclass(frozen=True, slots=True)
class ModelScores:
    """What `evaluate` found about one model."""

    model: str
    settings: Settings
    pair_ids: tuple[str, ...]
    """Id of the record of each row."""
    source_ids: tuple[str, ...]
    """Id of the pair that each row answers; rows with the same one make a cluster of the bootstrap."""
    shown: tuple[tuple[bool, int], ...]
    """``swapped`` and ``sample`` of each row."""
    domains: tuple[str, ...]
    columns: Mapping[str, Floats]
    """Metric → (n,), one row an answer; NaN where there is none."""
    overall: Mapping[str, Figure]
    by_domain: Mapping[str, Mapping[str, Figure]]
    orders: Mapping[str, Figure]
    """`ORDERS` → figure over pairs; empty where no pair was shown in both orders."""
    judges: tuple[tuple[str | None, str | None], ...]
    """Name of each judge whose recorded answers were used, and what to say of it when it is a stand-in; a name is
    None where the data do not say."""
    levels: Mapping[str, tuple[int | None, ...]]
    """``label`` and ``verdict`` of each row, +2 to -2; None where missing."""
    statuses: Mapping[str, tuple[str, ...]]
    """``answer`` and ``judge`` status of each row; what `genrm` and `judge` count."""
    n_missing: int
    """Pairs about which the data hold nothing from this model, and further orders and samples in which it was asked
    and failed to answer."""
    n_tied_labels: int
    genrm: Mapping[str, int]
    """Status of the model's answer → rows (``unknown``: neither verdict nor transcript in the data)."""
    judge: Mapping[str, int]
    """Status of the judge's answer → rows, see `Matched.status`."""
    left_out: Mapping[str, int]
    """Why → rows that ``reference`` leaves out and counts nowhere."""
    reason_counts: Mapping[int, int]
    """Number of reasons → rows."""
    n_failed_samples: int
    """Judge samples that could not be read, also where others of the row could."""
    n_dropped: int
    """Positive scores beyond the cut."""
    n_unseen: Mapping[int, int]
    """Length to which lists were cut before they were judged, where that is shorter than ``Settings.top_k`` → rows."""

    @property
    def n_expected(self) -> int:
        """Answers that there should be."""
        return len(self.pair_ids) + self.n_missing

    @property
    def n_pairs(self) -> int:
        """Source pairs with an answer."""
        return len(set(self.source_ids))

    @property
    def mean_reasons(self) -> float | None:
        """Mean number of reasons in an answer."""
        total = sum(self.reason_counts.values())
        return sum(k * n for k, n in self.reason_counts.items()) / total if total else None

    def samples(self) -> Iterator[dict[str, Any]]:
        """One dict a row: id, pair, order, domain, model, label, verdict, statuses and every metric; None for NaN."""
        for row, (pair_id, domain) in enumerate(zip(self.pair_ids, self.domains, strict=True)):
            levels = {name: column[row] for name, column in self.levels.items()}
            yield {
                "id": pair_id,
                "pair_id": self.source_ids[row],
                "swapped": self.shown[row][0],
                "sample": self.shown[row][1],
                "domain": domain,
                "model": self.model,
                **{name: None if level is None else VERDICT_TEXTS[level] for name, level in levels.items()},
                **{f"{name}_status": column[row] for name, column in self.statuses.items()},
                **{name: None if np.isnan(c[row]) else float(c[row]) for name, c in self.columns.items()},
            }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; no NaN."""
        return {
            "model": self.model,
            "n_pairs": self.n_pairs,
            "n_answers": len(self.pair_ids),
            "n_expected": self.n_expected,
            "n_missing": self.n_missing,
            "n_tied_labels": self.n_tied_labels,
            "overall": {name: figure.to_dict() for name, figure in self.overall.items()},
            "by_domain": {
                domain: {name: figure.to_dict() for name, figure in figures.items()}
                for domain, figures in self.by_domain.items()
            },
            "orders": {name: figure.to_dict() for name, figure in self.orders.items()},
            "judges": [{"name": name, "stand_in": stand_in} for name, stand_in in self.judges],
            "genrm_statuses": dict(self.genrm),
            "judge_statuses": dict(self.judge),
            "n_failed_judge_samples": self.n_failed_samples,
            "left_out": dict(self.left_out),
            "reasons": {
                "mean": self.mean_reasons,
                "counts": {str(k): n for k, n in sorted(self.reason_counts.items())},
                "scores_beyond_cut": self.n_dropped,
                "judged_at_shorter_cut": {str(k): n for k, n in self.n_unseen.items()},
            },
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Model a minus model b on the records that both answered."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    unavailable: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same pairs."""

    a: str
    b: str
    differences: Mapping[str, Difference]
    mcnemar: Mapping[str, float | int] | None
    """Right/wrong verdicts of both: ``only_a``, ``only_b``, ``p_exact``; None without outcomes. Counted by row:
    where several rows answer one pair they are not independent, and the p-value is too small."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; no NaN."""
        fields = ("value", "low", "high", "p_value", "n", "unavailable")
        return {
            "a": self.a,
            "b": self.b,
            "differences": {
                name: {field: getattr(difference, field) for field in fields}
                for name, difference in self.differences.items()
            },
            "mcnemar": None if self.mcnemar is None else dict(self.mcnemar),
        }
