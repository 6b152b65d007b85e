"""What a labeller says of a reason (paper, Fig. 4 and 5; the manual is prompts/taxonomy/rules.j2)."""

from __future__ import annotations

from typing import NamedTuple

from rationale_rm.analysis.rates import CLASSES, FLAWS

__all__ = ["CLASSES", "FLAWS", "Labels"]


class Labels(NamedTuple):
    """The labels of one reason."""

    group: str
    """One of `CLASSES`: evidence-grounded, criterion-grounded, generic or style."""
    flaws: tuple[str, ...]
    """Of `FLAWS`, in rising order: style only, generic correctness, generic relevance, single-sided praise,
    unfalsifiable, non sequitur, contradiction."""
