"""Results in the public RationaleRM schema, and how many items lists have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from rationale_rm.atomize.decompose import Atomized
from rationale_rm.types import VERDICT_TEXTS

_OWN: Final = frozenset(
    (
        "human-checklist",
        "kept",
        "apart_reason",
        "empty_reason",
        "claims",
        "ignored",
        "status",
        "error",
        "generated_text",
        "made_by",
    )
)
"""Fields that this run writes; those of an earlier one do not go through."""


def to_record(result: Atomized) -> dict[str, Any]:
    """The record in the public schema, with what the decomposition found beside it.

    A kept list stands under ``human-checklist``; one that is kept apart does not, so that no reader of the schema takes
    it for a reference, but all claims stand under ``claims`` in both cases, with their flags and evidence. ``label`` is
    the human preference as a verdict. A failed record has ``status`` ``error``, its cause under ``error`` and the raw
    text under ``generated_text``.
    """
    record = result.record
    line: dict[str, Any] = {
        **{name: value for name, value in record.extra.items() if name not in _OWN},
        "id": record.id,
        "domain": record.domain,
        "context": record.context if isinstance(record.context, str) else [dict(item) for item in record.context],
        "response1": record.response1,
        "response2": record.response2,
    }
    if record.label is not None:
        line["label"] = VERDICT_TEXTS[record.label]
    if result.error is not None:
        return {**line, "kept": False, "status": "error", "error": result.error, "generated_text": result.text}
    if result.kept and result.claims:
        line["human-checklist"] = [claim.text for claim in result.claims]
    line["kept"] = result.kept
    if result.apart is not None:
        line["apart_reason"] = result.apart
    if not result.claims:
        line["empty_reason"] = result.empty_reason
    line["claims"] = [
        {
            "text": claim.text,
            "supported": claim.supported,
            "flags": [str(flag) for flag in claim.flags],
            "evidence": claim.evidence,
            "annotator": None if claim.annotator is None else claim.annotator + 1,
        }
        for claim in result.claims
    ]
    line["ignored"] = [{"statement": one.statement, "reason": one.reason} for one in result.ignored]
    return {**line, "status": "success"}


@dataclass(slots=True)
class Stats:
    """Counts of a run; `add` every result. The paper's benchmark has 4.37 items a kept pair (§2.1)."""

    n_kept: int = 0
    n_apart: int = 0
    n_failed: int = 0
    n_claims: int = 0
    """Of all lists, kept or not."""
    n_flagged: int = 0
    """Claims that the annotators' words do not support."""
    flags: Counter[str] = field(default_factory=Counter)
    """Kind of flag → claims that have it."""
    _items: dict[str, list[int]] = field(default_factory=dict)

    def add(self, result: Atomized) -> None:
        """Counts one result."""
        if result.error is not None:
            self.n_failed += 1
            return
        self.n_claims += len(result.claims)
        self.n_flagged += sum(not claim.supported for claim in result.claims)
        for claim in result.claims:
            self.flags.update({flag.kind for flag in claim.flags})
        if not result.kept:
            self.n_apart += 1
            return
        self.n_kept += 1
        count = self._items.setdefault(result.record.domain, [0, 0])
        count[0] += len(result.claims)
        count[1] += 1

    def mean_items(self) -> dict[str, float]:
        """Domain → mean number of items of its kept lists."""
        return {domain: total / n for domain, (total, n) in sorted(self._items.items())}

    def overall_mean_items(self) -> float | None:
        """Mean number of items of all kept lists; None without any."""
        totals = list(self._items.values())
        return sum(total for total, _ in totals) / self.n_kept if self.n_kept else None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "kept": self.n_kept,
            "apart": self.n_apart,
            "failed": self.n_failed,
            "claims": self.n_claims,
            "flagged": self.n_flagged,
            "flags": dict(sorted(self.flags.items())),
            "mean_items": self.overall_mean_items(),
            "mean_items_by_domain": self.mean_items(),
        }
