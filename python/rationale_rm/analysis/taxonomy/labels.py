"""What a labeller says of a reason (paper, Fig. 4 and 5; the manual is prompts/taxonomy/rules.j2)."""

from __future__ import annotations

from typing import Final, NamedTuple

CLASSES: Final = ("EG", "CG", "GS")
"""Evidence-grounded, criterion-grounded, generic or style."""
FLAWS: Final = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
"""Style only, generic correctness, generic relevance, single-sided praise, unfalsifiable, non sequitur,
contradiction."""


class Labels(NamedTuple):
    """The labels of one reason."""

    group: str
    """One of `CLASSES`."""
    flaws: tuple[str, ...]
    """Of `FLAWS`, in rising order."""
