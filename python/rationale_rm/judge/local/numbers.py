"""The numbers that a reason states. A judge holds numbers and thresholds to agree (paper, App. C)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from rationale_rm.judge.local.words import MAX_CHARACTERS, Word

_DIGITS: Final = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_SPELLED: Final = {
    **{name: str(value) for value, name in enumerate(_DIGITS)},
    **{"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60"},
    **{"hundred": "100", "thousand": "1000"},
}
_VAGUE: Final = frozenset({"one", "zero"})
"""Spelled out, these are mostly no count ("one could", "the one that")."""
_GROWTH = re.compile(r"O\(([^()]{1,40})\)")
_POWER: Final = str.maketrans({"²": "^2", "³": "^3", " ": None, "*": None})


def numbers(text: str, words: Sequence[Word], taken: Collection[int]) -> frozenset[str]:
    """Numbers in a common spelling, and growth rates such as ``O(nlogn)``.

    `taken` are words that name a response, whose numbers are no claims.
    """
    text = text[:MAX_CHARACTERS]
    growth = [(match.span(), match.group(1)) for match in _GROWTH.finditer(text)]
    found = {f"O({inside.lower().translate(_POWER)})" for _, inside in growth}
    spans = [span for span, _ in growth]
    for at, word in enumerate(words):
        if at in taken or any(start <= word.start < end for start, end in spans[:16]):
            continue
        if word.lower[0].isdecimal():
            found.add(plain(word.lower))
        elif word.lower in _SPELLED and word.lower not in _VAGUE:
            found.add(_SPELLED[word.lower])
    return frozenset(found)


def plain(number: str) -> str:
    """``1,200`` and ``1200.0`` are 1200; a comma with other than three digits after it is a decimal point."""
    head, *tail = number.split(",")
    if tail and all(len(part.split(".")[0]) == 3 for part in tail):
        number = head + "".join(tail)
    else:
        number = number.replace(",", ".")
    if number.count(".") == 1:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0" if number.isdecimal() else number


def disagree(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether each side states a number that the other does not: one may leave a number out, not change it."""
    return bool(ours - theirs) and bool(theirs - ours)
