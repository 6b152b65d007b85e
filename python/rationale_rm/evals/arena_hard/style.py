"""The style of an answer, and how two answers to one question differ in it.

The features are upstream's (LMSYS, "Does style matter?", 2024, and Arena-Hard-Auto): length, and headers, list items
and bold passages per unit of length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rationale_rm.metrics.results import Floats

Control = Literal["length", "markdown"]
FEATURES: Final = ("length", "headers", "lists", "bold")
CONTROLS: Final[dict[Control, tuple[int, ...]]] = {"length": (0,), "markdown": (1, 2, 3)}
"""What can be controlled for → its columns among `FEATURES`."""

# Each is anchored at a line's start or runs up to the next mark, so that all are linear in the text.
_FENCED: Final = re.compile(r"```[^`]*```")
_HEADER: Final = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST_ITEM: Final = re.compile(r"^[^\S\n]*(?:[0-9]+\.|[-*+])\s", re.MULTILINE)
_BOLD: Final = (re.compile(r"\*\*[^*\n]+\*\*"), re.compile(r"__[^_\n]+__"))


@dataclass(frozen=True, slots=True)
class Style:
    """What is counted in one answer."""

    length: int
    """In tokens where the answer's file says so, else in characters; never compared across units."""
    headers: int
    lists: int
    bold: int


def style_of(text: str) -> Style:
    """Counts in `text`, code in fences left out; `length` in characters, code included."""
    prose = _FENCED.sub("``````", text)
    return Style(
        length=len(text),
        headers=len(_HEADER.findall(prose)),
        lists=len(_LIST_ITEM.findall(prose)),
        bold=sum(len(mark.findall(prose)) for mark in _BOLD),
    )


def differences(model: Floats, baseline: Floats) -> Floats:
    """How each answer differs from the baseline's: (…, 4) counts in the order of `FEATURES` → (…, 4).

    Length: (m − b) / (m + b). The others, as densities d = count / length: (d_m − d_b) / (d_m + d_b + 1). An empty
    answer has the densities 0, and two empty answers are equally long. Exchanging the two turns every sign.
    """
    result = np.empty_like(model)
    length_m, length_b = model[..., :1], baseline[..., :1]
    result[..., :1] = (length_m - length_b) / np.maximum(length_m + length_b, 1.0)
    density_m = model[..., 1:] / np.maximum(length_m, 1.0)
    density_b = baseline[..., 1:] / np.maximum(length_b, 1.0)
    result[..., 1:] = (density_m - density_b) / (density_m + density_b + 1.0)
    return result
