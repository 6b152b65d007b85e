"""What one benchmark brings to the harness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rationale_rm.data import Row
from rationale_rm.evals.answers import Answers
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A set of pairs with labels, how its files read, and what each item is worth."""

    name: str
    """As in ``rationale-rm eval NAME``."""
    title: str
    where: str
    """How to get the data: repository and file."""
    items: Callable[[Sequence[Row]], list[Pair]]
    """The pairs of data files. Raises `DataError`."""
    is_recorded: Callable[[Mapping[str, Any]], bool]
    """Whether a record is of upstream's own output format."""
    recorded: str
    """That format, for messages: which program writes it, and its fields."""
    read_recorded: Callable[[Sequence[Row], Sequence[Pair] | None], Answers]
    """The answers in upstream's own files, to the pairs of the data or else of the files. Raises `DataError`."""
    score: Callable[[Answers], list[ScoredItem]]
    """What each item is worth, under every rule."""
    strata: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Slice → the slices that it is the plain mean of, however many items they have."""
    headline: tuple[str, ...] = ()
    """The figures to show first, each ``rule/metric``."""
