"""The Rust core: batches of text and arrays in, numpy columns out.

Every function takes a whole batch and returns columns, which are copies: what later stages read is not them. While a
batch runs other threads go on; they must not write to the arrays that were passed in. A bad *row* gets a
status or NaN; misuse raises `RationaleError`. Positions are byte offsets into the UTF-8 form of a text.
The rules behind the statuses stand in ``docs/parsing.md``, the formulas in ``docs/rewards.md``.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_F64: TypeAlias = NDArray[np.float64]
_I64: TypeAlias = NDArray[np.int64]
_I32: TypeAlias = NDArray[np.int32]
_I8: TypeAlias = NDArray[np.int8]
_U8: TypeAlias = NDArray[np.uint8]
_Bool: TypeAlias = NDArray[np.bool_]

__all__ = [
    "CLAIMS_STATUSES",
    "GENRM_STATUSES",
    "METAJUDGE_STATUSES",
    "NO_VERDICT",
    "VERDICT_FAMILIES",
    "Agreement",
    "ClaimsBatch",
    "GenrmBatch",
    "Interval",
    "MatchBatch",
    "Mcnemar",
    "MetaJudgeBatch",
    "Paired",
    "RationaleError",
    "ScoreBatch",
    "SimilarityBatch",
    "__version__",
    "_run_serially",
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
__version__: Final[str]
NO_VERDICT: Final[int]
GENRM_STATUSES: Final[tuple[str, ...]]
METAJUDGE_STATUSES: Final[tuple[str, ...]]
CLAIMS_STATUSES: Final[tuple[str, ...]]
VERDICT_FAMILIES: Final[tuple[str, ...]]

class RationaleError(ValueError): ...

@final
class GenrmBatch:
    """Parsed GenRM answers, one row a text.

    `reasons` is built from the core's buffer at first use and kept.
    """

    @property
    def verdict(self) -> _I8:
        """(n,) +2 (A>>B) to -2 (B>>A), 0 a tie; `NO_VERDICT` unless the status is ``ok``."""
    @property
    def status(self) -> _U8:
        """(n,) index into `GENRM_STATUSES`; 0 is ``ok``."""
    @property
    def family(self) -> _U8:
        """(n,) index into `VERDICT_FAMILIES`: the spelling that gave the verdict."""
    @property
    def truncated(self) -> _Bool:
        """(n,) whether a JSON answer was cut short."""
    @property
    def offset(self) -> _I64:
        """(n,) byte offset of the verdict that counts or of the fault, -1 where there is none."""
    @property
    def n_reasons(self) -> _I32:
        """(n,) number of reasons."""
    @property
    def reasons(self) -> list[list[str]]:
        """n lists of reasons, in the model's order."""
    def __len__(self) -> int: ...

@final
class MetaJudgeBatch:
    """Parsed MetaJudge answers: entries of row i are ``row_offsets[i]:row_offsets[i + 1]``."""

    @property
    def status(self) -> _U8:
        """(n,) index into `METAJUDGE_STATUSES`; 0 is ``ok``. A row that is not ``ok`` has no entries."""
    @property
    def offset(self) -> _I64:
        """(n,) byte offset of the first fault, else -1."""
    @property
    def line(self) -> _I64:
        """(n,) line of the first fault, from 1, else -1."""
    @property
    def row_offsets(self) -> _I64:
        """(n + 1,) where each row's entries begin and end."""
    @property
    def reference(self) -> _I32:
        """(e,) reference item, from 0."""
    @property
    def reason(self) -> _I32:
        """(e,) model reason, from 0; -1 where the judge answered S0 (no match)."""
    @property
    def score(self) -> _F64:
        """(e,) fulfilment in [0, 1], a multiple of 1e-6."""
    @property
    def n_references(self) -> _I32:
        """(n,) as given."""
    @property
    def n_reasons(self) -> _I32:
        """(n,) as given."""
    def __len__(self) -> int: ...

@final
class ClaimsBatch:
    """Parsed decomposition answers."""

    @property
    def status(self) -> _U8:
        """(n,) index into `CLAIMS_STATUSES`; 0 is ``ok``."""
    @property
    def offset(self) -> _I64:
        """(n,) byte offset of the first fault, else -1."""
    @property
    def line(self) -> _I64:
        """(n,) line of the first fault, from 1, else -1."""
    @property
    def claims(self) -> list[list[str]]:
        """n lists of claims, empty unless ``ok``."""
    @property
    def ignored(self) -> list[list[tuple[str, str]]]:
        """n lists of (statement, reason)."""
    @property
    def empty_reason(self) -> list[str | None]:
        """Why a list is empty, where the answer says so."""
    def __len__(self) -> int: ...

@final
class MatchBatch:
    """Matched pairs: those of row i are ``row_offsets[i]:row_offsets[i + 1]``, by rank of the reason."""

    @property
    def row_offsets(self) -> _I64:
        """(n + 1,) where each row's pairs begin and end."""
    @property
    def reference(self) -> _I32:
        """(p,) reference item, from 0."""
    @property
    def reason(self) -> _I32:
        """(p,) model reason, from 0."""
    @property
    def score(self) -> _F64:
        """(p,) score of the pair, above 0 (policy ``reference`` keeps zeros)."""
    @property
    def total(self) -> _F64:
        """(n,) S_total of Eq. 1; NaN where the row has no answer. Policy ``reference``: best scores of the references."""
    @property
    def n_references(self) -> _I32:
        """(n,) |R_h|."""
    @property
    def n_reasons(self) -> _I32:
        """(n,) |R_ai| after the cut to `top_k`."""
    @property
    def n_dropped(self) -> _I32:
        """(n,) positive scores that stood beyond the cut."""
    @property
    def policy(self) -> str:
        """The policy that made the batch."""
    def __len__(self) -> int: ...

@final
class ScoreBatch:
    """Scores of matched rows, float64 (n,); NaN where the row has no answer or no references."""

    @property
    def recall(self) -> _F64:
        """Rationale Consistency of the row (Eq. 2): sum of matched scores / |R_h|."""
    @property
    def precision(self) -> _F64:
        """Sum of matched scores / |R_ai|; 0 without reasons."""
    @property
    def f1(self) -> _F64:
        """Harmonic mean of the row's precision and recall; 0 where both are 0."""
    @property
    def ap(self) -> _F64:
        """Average precision (Eq. 3)."""
    @property
    def soft_ap(self) -> _F64:
        """Average precision with scores in place of hits."""
    @property
    def reference_ap(self) -> _F64:
        """The AP of the authors' release: matched items only, ranked among themselves."""
    @property
    def n_matched(self) -> _I32:
        """(n,) matched reasons with a score above the threshold: the hits of `ap`."""
    def __len__(self) -> int: ...

@final
class SimilarityBatch:
    """Similarity of every reference with every reason."""

    @property
    def scores(self) -> _F64:
        """(n, max references, max reasons) in [0, 1], padded with NaN."""
    @property
    def n_references(self) -> _I32:
        """(n,) rows in use."""
    @property
    def n_reasons(self) -> _I32:
        """(n,) columns in use."""
    def __len__(self) -> int: ...

@final
class Interval:
    """A mean with its percentile interval."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...

@final
class Paired:
    """A paired difference with its interval and two-sided p-value."""

    @property
    def difference(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def p_value(self) -> float: ...
    @property
    def n(self) -> int: ...

@final
class Mcnemar:
    """McNemar's test on paired right/wrong answers."""

    @property
    def only_a(self) -> int: ...
    @property
    def only_b(self) -> int: ...
    @property
    def statistic(self) -> float: ...
    @property
    def p_exact(self) -> float: ...
    @property
    def p_chi2(self) -> float: ...

@final
class Agreement:
    """Linear fit of y on x, and their distance."""

    @property
    def n(self) -> int: ...
    @property
    def slope(self) -> float: ...
    @property
    def intercept(self) -> float: ...
    @property
    def r2(self) -> float: ...
    @property
    def rmse(self) -> float: ...
    @property
    def rmse_identity(self) -> float: ...

def parse_genrm(
    texts: Sequence[str | None],
    *,
    format: Literal["auto", "block", "boxed", "bracket", "json", "prose"] = "auto",
    policy: Literal["last", "unanimous"] = "last",
) -> GenrmBatch:
    """Reads GenRM answers: ordered reasons and a five-level verdict (paper, Fig. 13).

    `texts` holds n strings; None, an answer that never came, reads as ``empty``. `format` picks one family of verdict spellings, `policy` says which verdict of
    free text without a block counts. Raises `TypeError` for any other item.
    """

def parse_metajudge(
    texts: Sequence[str | None],
    n_references: ArrayLike,
    n_reasons: ArrayLike,
    *,
    policy: Literal["strict", "reference"] = "strict",
) -> MetaJudgeBatch:
    """Reads MetaJudge answers: one score line a reference item (paper, App. C).

    `n_references` and `n_reasons` are the lengths of both lists, (n,) integers or one for all. `policy`
    ``reference`` reads as the authors' release does.
    """

def parse_claims(texts: Sequence[str | None]) -> ClaimsBatch:
    """Reads decomposition answers: claims and ignored statements (paper, App. A)."""

def similarity(
    references: Sequence[Sequence[str]],
    reasons: Sequence[Sequence[str]],
    *,
    scorer: Literal["ratio", "token_sort", "token_set"] = "token_set",
) -> SimilarityBatch:
    """Lexical similarity of n pairs of lists, in [0, 1]; equals RapidFuzz's scorer of that name / 100.

    A list that holds text that is not valid Unicode has NaN in that item's row or column.
    """

def match(
    scores: ArrayLike | MetaJudgeBatch | SimilarityBatch,
    n_references: ArrayLike | None = None,
    n_reasons: ArrayLike | None = None,
    *,
    policy: Literal["one_to_one", "greedy", "reference"] = "one_to_one",
    top_k: int | None = None,
) -> MatchBatch:
    """Matches references with reasons, each used at most once (Eq. 1).

    `scores` is a parsed batch, or float64 (n, H, M) in [0, 1] with `n_references` and `n_reasons` (n,) saying
    how much of each (H, M) is in use (all of it by default). A row with NaN in use has no answer: its total is NaN.
    Of several optima the one with the lexicographically earliest reasons, then references, is taken.
    `top_k` cuts each list of reasons first. ``reference`` reproduces the authors' release (no one-to-one
    constraint). Raises `RationaleError` for a score outside [0, 1] or sizes beyond the array.
    """

def match_sparse(
    row_offsets: ArrayLike,
    reference: ArrayLike,
    reason: ArrayLike,
    score: ArrayLike,
    n_references: ArrayLike,
    n_reasons: ArrayLike,
    *,
    policy: Literal["one_to_one", "greedy", "reference"] = "one_to_one",
    top_k: int | None = None,
) -> MatchBatch:
    """`match` for scores given as entries: those of row i are ``row_offsets[i]:row_offsets[i + 1]``.

    `reason` -1 means no match. A pair that is named twice keeps its higher score. Lists may have any length.
    """

def score(matches: MatchBatch, *, threshold: float = 0.0) -> ScoreBatch:
    """Scores matched rows (Eq. 2 and 3). A reason counts as a hit when its score is above `threshold`."""

def outcome_reward(verdict: ArrayLike, label: ArrayLike, *, exact: bool = False) -> _F64:
    """1 where verdict and label agree in direction (`exact`: in all five levels), else 0, float64 (n,).

    Both are int8 (n,) from +2 to -2, `NO_VERDICT` where missing. No label gives NaN, no verdict 0.
    """

def hybrid_reward(
    rationale: ArrayLike,
    outcome: ArrayLike,
    *,
    mode: Literal["product", "sum", "rationale", "outcome"] = "product",
    weight: float = 0.5,
    malformed: ArrayLike | None = None,
) -> _F64:
    """The reward of each answer (Eq. 4): rationale x outcome, float64 (n,).

    NaN means no answer and stays NaN, but a product with a factor 0 is 0. ``sum`` is
    weight * rationale + (1 - weight) * outcome. A `malformed` row (bool (n,)) is 0 in every mode.
    """

def format_reward(malformed: ArrayLike, *, penalty: float) -> _F64:
    """-penalty where the answer is malformed, else 0, float64 (n,)."""

def length_reward(lengths: ArrayLike, *, max_length: int, buffer: int) -> _F64:
    """Soft overlong punishment (DAPO): 0 up to max_length - buffer, linear to -1 at max_length, float64 (n,)."""

def group_advantages(
    rewards: ArrayLike,
    groups: ArrayLike,
    *,
    method: Literal["group_std", "center", "batch_std", "gdpo", "gdpo_batch", "papo"] = "group_std",
    weights: ArrayLike | None = None,
    eps: float = 1e-4,
    min_range: float = 1e-6,
) -> _F64:
    """Advantages within groups of samples of one prompt (Eq. 5), float64 (n,); NaN rows stay NaN.

    `rewards` is float64 (n,), or (n, k) for ``gdpo`` and ``gdpo_batch``, and (n, 2) = [outcome, rationale] for ``papo``;
    `groups` holds n integer ids in any order. Fewer than two valid rows, or a range under `min_range`, give 0.
    """

def bootstrap_ci(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the mean; NaN values are left out, whole `clusters` are resampled."""

def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Bootstrap of mean(a - b) over the rows where both are valid."""

def mcnemar(a: ArrayLike, b: ArrayLike) -> Mcnemar:
    """McNemar's test of two right/wrong columns, bool (n,)."""

def agreement(x: ArrayLike, y: ArrayLike) -> Agreement:
    """Slope, intercept, R² and RMSE of the linear fit of y on x; rows with NaN are left out."""

def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation with average ranks for ties; NaN where undefined."""

def bradley_terry(
    row_offsets: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    n_items: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    prior_std: float = 5.0,
) -> _F64:
    """Bradley-Terry strengths of the items of G groups, in log-odds: float64 (sum of `n_items`,), group after group.

    The comparisons of group g are ``row_offsets[g]:row_offsets[g + 1]``: `first` and `second` are items from 0 to
    ``n_items[g] - 1``, `outcome` in [0, 1] is what `first` won (0.5 is a tie), NaN where there is no answer. `n_items`
    is (G,) or one number for all, at most 1024; `weights`, in [0.001, 1000], say what a comparison counts as.
    `prior_std` is the standard deviation of the normal prior that makes the strengths finite for any record
    (``docs/pairwise.md``). Item i beats j with probability ``1 / (1 + exp(s[j] - s[i]))``. NaN for an item without an
    answered comparison. Raises `RationaleError` for items or outcomes out of range.
    """

def mean_win(
    row_offsets: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    n_items: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> _F64:
    """The mean result of each item over its answered comparisons, in [0, 1]; arguments and shape as `bradley_terry`."""

def next_pairs(
    row_offsets: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    n_items: ArrayLike,
    *,
    schedule: Literal["anchor", "round_robin", "swiss", "knockout"],
    weights: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
    budgets: ArrayLike | None = None,
    anchors: ArrayLike | None = None,
) -> tuple[_I64, _I64, _I64]:
    """The pairs to compare next in each of G tournaments: `row_offsets` (G + 1,), `first` and `second`.

    The comparisons so far and their `weights` are given as to `bradley_terry`; no pair is named twice, answered or not. ``anchor`` and
    ``round_robin`` name all of their pairs at once, ``swiss`` and ``knockout`` those of a round, in which no item stands
    twice; a tournament that is over has none. `budgets` (G,) or one for all: the most comparisons, unanswered ones
    included; by default all of the schedule, and ceil(log2 n) + 1 rounds of ``swiss``. `seeds` (G,) decide what is
    drawn; `anchors` (G,) name the anchors, which are drawn else.
    """

def _run_serially() -> None:
    """Runs later batches on the calling thread; for forked children, whose thread pool is dead."""
