"""Where two reasons cannot make the same point, however alike their words are: side, tone, denial, number."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.judge.local.claims import Claim
from rationale_rm.judge.local.numbers import disagree

CONFLICTS: Final = ("side", "tone", "denial", "denied_words", "number")
"""Columns of `conflicts`. Side and number are 0 or 1. The others are in [0, 1] and grow with what both texts share, for
an opposite claim is one about the same thing: one praises and the other blames, only one denies anything, and words
that one affirms and the other denies."""


def conflicts(reference: Claim, reason: Claim, *, swapped: bool) -> NDArray[np.float64]:
    """(5,) conflicts of a human reason with a model's; `swapped` when the model calls response 2 A."""
    theirs = 3 - reason.focus if swapped and reason.focus else reason.focus
    other_side = reference.focus != 0 and theirs != 0 and reference.focus != theirs
    tone = reference.tone * reason.tone
    denial = reference.denied != reason.denied
    shared, both, turned = _shared(reference, reason)
    if other_side and (reference.both or reason.both):
        # "A is shorter than B" and "B is longer than A" are one point: the turn of the sides undoes the turn of
        # the words.
        if tone < 0 or (tone == 0 and turned > 0):
            other_side, tone, turned, denial = False, 1, 0.0, False
        elif tone > 0:
            tone = -1
    # Praise and blame are of a response: where none is named, nobody knows of whom.
    named = float(reference.focus != 0 or reason.focus != 0)
    return np.array(
        [
            other_side,
            named * shared**2 if tone < 0 else 0.0,
            named * both**2 if denial else 0.0,
            shared * turned,
            disagree(reference.numbers, reason.numbers),
        ],
        dtype=np.float64,
    )


def _shared(reference: Claim, reason: Claim) -> tuple[float, float, float]:
    """The words and concepts that both use: as a share of the shorter text's content, as a share of the longer one's,
    and how much of the shorter one's is affirmed by one text and denied by the other.
    """
    ours, theirs = reference.signs, reason.signs
    shared = [key for key in ours if key in theirs]
    turned = sum(ours[key] != theirs[key] for key in shared)
    short, long = (max(size, 1) for size in sorted((len(ours), len(theirs))))
    return len(shared) / short, len(shared) / long, turned / short
