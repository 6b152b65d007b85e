"""What a batch of tournaments came to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.types import SCHEMA_VERSION, Record

ANCHOR: Final = -1
"""Stands for the anchor where it is not one of the responses."""
_COUNTS: Final = (
    "n_asked", "n_answered", "n_missing", "n_one_order", "n_tied", "n_round_robin", "budget_used", "order_consistency",
)  # fmt: skip
_COLUMNS: Final[Mapping[str, Any]] = {"group": np.int64, "score": np.float64, "comparisons": np.int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedPair(Record):
    """One comparison: two responses, shown in both orders."""

    group: int
    round: int
    """From 0; what was asked at once."""
    first: int
    """Row of a response; `ANCHOR` for an anchor from outside."""
    second: int
    """Row of the other one."""
    outcome: float
    """What `first` won: 1 for a win, 0.5 for a tie, 0 for a loss, as the mean over the orders with a verdict; NaN
    without any."""
    weight: float
    """How many comparisons it counts as."""
    verdicts: tuple[int | None, int | None]
    """With `first` and with `second` shown first, both as +2 (`first` is much better) to -2."""
    errors: tuple[str | None, str | None]
    """Why there is no verdict, in the same order."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        if name == "outcome":
            return float("nan") if value is None else value
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairwiseBatch(Record):
    """Scores of N responses as columns, and the comparisons they come from."""

    id: str
    group: NDArray[np.int64]
    """(N,): which responses answer the same prompt."""
    score: NDArray[np.float64]
    """(N,): Bradley-Terry strength in log-odds, or mean win in [0, 1]; comparable within a group alone. NaN where no
    comparison of the response was answered."""
    comparisons: NDArray[np.int64]
    """(N,): answered comparisons behind a score; copies of a response share them."""
    errors: tuple[str | None, ...]
    """Why a score is NaN; None where it is not."""
    played: tuple[PlayedPair, ...]
    """Each comparison that was asked, round by round."""
    n_round_robin: int
    """Comparisons that round-robins of these groups, copies left out, would take."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        if name == "played":
            return tuple(PlayedPair.from_dict(pair) for pair in value)
        if name in _COLUMNS:
            return np.array([np.nan if item is None else item for item in value], dtype=_COLUMNS[name])
        return tuple(value) if isinstance(value, list) else value

    def __len__(self) -> int:
        return len(self.score)

    @property
    def n_asked(self) -> int:
        """Comparisons asked, two calls each."""
        return len(self.played)

    @property
    def n_answered(self) -> int:
        """Comparisons with a verdict in at least one order."""
        return self.n_asked - self.n_missing

    @property
    def n_missing(self) -> int:
        """Comparisons without a verdict in either order."""
        return sum(math.isnan(pair.outcome) for pair in self.played)

    @property
    def n_one_order(self) -> int:
        """Comparisons with a verdict in one order alone, which count half."""
        return sum(sum(verdict is None for verdict in pair.verdicts) == 1 for pair in self.played)

    @property
    def n_tied(self) -> int:
        """Comparisons that neither won, orders that contradict each other included."""
        return sum(pair.outcome == 0.5 for pair in self.played)

    @property
    def budget_used(self) -> float:
        """Comparisons asked as a share of those of round-robins; NaN where there is nothing to compare."""
        return self.n_asked / self.n_round_robin if self.n_round_robin else float("nan")

    @property
    def order_consistency(self) -> float:
        """Of the comparisons with both verdicts, the share whose verdicts agree in direction; NaN without any."""
        both = [pair.verdicts for pair in self.played if None not in pair.verdicts]
        agree = sum(np.sign(a) == np.sign(b) for a, b in both)  # type: ignore[arg-type]
        return float(agree / len(both)) if both else float("nan")

    def counts(self) -> Mapping[str, float]:
        """The figures of the batch by name, for a log."""
        return {name: getattr(self, name) for name in _COUNTS}
