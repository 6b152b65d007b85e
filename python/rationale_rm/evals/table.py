"""The table that figures and comparisons are made of: one row an item, with what it is worth under each rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rationale_rm.documents import OVERALL
from rationale_rm.types import SCHEMA_VERSION, Record

ITEMS_FILE: Final = "items.jsonl"
"""In the folder of a run: one `ScoredItem` a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredItem(Record):
    """One item of a benchmark, scored."""

    id: str
    """Unique in a run; items of two runs are paired by it."""
    cluster: str
    """What a bootstrap draws as a whole: items that share it are not independent."""
    slices: tuple[str, ...] = ()
    """Those that it belongs to, besides `OVERALL`."""
    values: Mapping[str, float | None]
    """``rule/metric`` → value; None where it should have one and an answer is missing, no entry where it has none."""
    digest: str | None = None
    """What was asked, in short; None where the texts are not known."""
    schema_version: int = SCHEMA_VERSION

    @property
    def all_slices(self) -> tuple[str, ...]:
        """With `OVERALL` first."""
        return (OVERALL, *self.slices)


def item_line(item: ScoredItem) -> bytes:
    """A line of `ITEMS_FILE`."""
    return json.dumps(item.to_dict(), allow_nan=False).encode("ascii") + b"\n"


def slices_of(items: Iterable[ScoredItem]) -> list[str]:
    """All slices, `OVERALL` first, the others in the order in which they are met."""
    return list(dict.fromkeys([OVERALL, *(name for item in items for name in item.slices)]))


def names_of(items: Iterable[ScoredItem]) -> list[str]:
    """All ``rule/metric``, in the order in which they are met."""
    return list(dict.fromkeys(name for item in items for name in item.values))
