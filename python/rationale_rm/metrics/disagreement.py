"""Reason–verdict disagreement: reasons that speak for one response under a verdict for the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rationale_rm.judge.local.claims import read
from rationale_rm.metrics.results import Floats
from rationale_rm.types import Critique

Favours = Callable[[str], int]
"""Which response a reason speaks for, as it names them: 1 for A, -1 for B, 0 where that cannot be told."""


def disagreement(critiques: Sequence[Critique], *, favours: Favours | None = None) -> Floats:
    """1 where most reasons of an answer speak for the other response than its verdict does, else 0, float64 (n,).

    Each reason that speaks for a side counts once; as many for either side is no disagreement. NaN where there is
    nothing to compare: no verdict or a tied one, or no reason that speaks for a side. `favours` tells the sides apart,
    by default from the words (`favours_by_words`).
    """
    favours = favours or favours_by_words
    found = np.full(len(critiques), np.nan)
    for row, critique in enumerate(critiques):
        sides = [side for side in map(favours, critique.reasons or ()) if side]
        if critique.verdict and sides:
            shown_verdict = -critique.verdict if critique.swapped else critique.verdict
            found[row] = float(sum(sides) * shown_verdict < 0)
    return found


def favours_by_words(reason: str) -> int:
    """`Favours` of English: the response named first, praised or blamed. A rough reading (docs/local-judges.md)."""
    claim = read(reason)
    if claim.focus == 0 or claim.tone == 0:
        return 0
    return claim.tone if claim.focus == 1 else -claim.tone
