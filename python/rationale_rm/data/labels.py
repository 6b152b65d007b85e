"""Preferences in the spellings and scales that data sets use, as verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from rationale_rm._core import RationaleError, parse_genrm
from rationale_rm.data.faults import BadValueError, kind, short

LabelScale = Literal["helpsteer3", "verdict", "index"]
LABEL_SCALES: Final[tuple[LabelScale, ...]] = ("helpsteer3", "verdict", "index")
HELPSTEER3: Final[Mapping[int, int]] = {-3: 2, -2: 2, -1: 1, 0: 0, 1: -1, 2: -2, 3: -2}
"""HelpSteer3's preference → verdict: -3 is response 1 (A) much better, ±1 slight, ±2 and ±3 clear."""
_INDEX: Final[Mapping[int, int]] = {1: 1, 2: -1}
_WORDS: Final[Mapping[str, int]] = {
    "a": 1,
    "b": -1,
    "tie": 0,
    "response1": 1,
    "response2": -1,
    "response 1": 1,
    "response 2": -1,
    "response_1": 1,
    "response_2": -1,
}


class _LabelError(RationaleError, BadValueError):
    """A reason to refuse the line here, a `RationaleError` to other callers of `parse_label`."""


def parse_label(value: Any, *, scale: LabelScale | None = None, field: str = "label") -> int | None:
    """A preference as a verdict, +2 (A = response 1 much better) to -2; None for None, NaN and blank text.

    Text is any spelling of a verdict that the core reads, or ``A``, ``B``, ``tie``, ``response1``,
    ``response2``. A whole number (also as text) needs `scale`, for 1 is "response 2 slightly better" to
    HelpSteer3, "response 1 slightly better" as a verdict and "response 1" as an index. Raises
    `RationaleError` otherwise.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None  # what data frames write to Parquet for "no value"
    number = whole(value)
    if number is None:
        if not isinstance(value, str):
            raise _LabelError(f"{field} must be text or a whole number, not {kind(value)}")
        verdict = text_label(value)
        if verdict is None:
            raise _LabelError(
                f"{field} {short(value)} is no verdict: expected A>>B, A>B, A=B, B>A or B>>A, A, B or tie"
            )
        return verdict
    if scale is None:
        raise _LabelError(
            f"{field} {number} is ambiguous: say what numbers mean with --label-scale (in recipes data.label_scale, in "
            "Python label_scale): helpsteer3 (-3 response 1 much better … 3), verdict (2 response 1 much better … -2) "
            "or index (1 or 2, the better response)"
        )
    if scale == "verdict":
        verdict = number if -2 <= number <= 2 else None
    else:
        verdict = (HELPSTEER3 if scale == "helpsteer3" else _INDEX).get(number)
    if verdict is None:
        raise _LabelError(f"{field} {number} is not on the scale {scale}")
    return verdict


def agree(a: int, b: int) -> bool:
    """Whether two labels of one pair name the same side; sources differ in how finely they grade."""
    return (a > 0) - (a < 0) == (b > 0) - (b < 0)


def finer(a: int, b: int) -> int:
    """Of two labels that agree the one that says more: "A" is read as A>B, beside A>>B it adds nothing."""
    return max(a, b, key=abs)


def whole(value: Any) -> int | None:
    """A whole number, also when written as text or as a float; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None  # Parquet keeps a column with nulls as floats
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,3}\s*", value, re.ASCII):
        return int(value)
    return None


@lru_cache(maxsize=4096)
def text_label(text: str) -> int | None:
    """The verdict that a text spells, None where it spells none."""
    if len(text) > 200 or "\n" in text:
        return None
    word = _WORDS.get(text.strip().casefold())
    if word is not None:
        return word
    # The block form takes a bare, boxed or bracketed body alike; prose is "Output (a) is better".
    for body, form in ((f"<RESULT_START>\nVerdict: {text}\n<RESULT_END>", "block"), (text, "prose")):
        parsed = parse_genrm([body], format=form, policy="unanimous")  # type: ignore[arg-type]
        if parsed.status[0] == 0:
            return int(parsed.verdict[0])
    return None
