"""Reads the answers of a labelling model: the last complete block, one line a reason (docs/taxonomy.md).

The blocks are those of docs/parsing.md. No pattern here backtracks: every repeat is of one class and bounded, or is
followed by what the class leaves out.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, NamedTuple

from rationale_rm.analysis.taxonomy.labels import CLASSES, FLAWS, Labels

_THINK = re.compile(r"<[ \t]{0,4}(/?)[ \t]{0,4}think(?:ing)?[ \t]{0,4}>", re.IGNORECASE)
_TAG = re.compile(r"<[ \t]{0,4}/?[ \t]{0,4}RESULT[_\- ]?(START|END)[ \t]{0,4}/?[ \t]{0,4}>", re.IGNORECASE)
_MARKUP: Final = " \t\r*_`~#"
_ENTRY = re.compile(
    r"[ \t*_`~\-+•·–—|]{0,16}(?:\d{1,3}[.)][ \t*_`]{0,8})?S[ \t]?(\d{1,9})[ \t*_`]{0,8}[:：.)=]", re.IGNORECASE
)
_NONE: Final = frozenset(("none", "no flaw", "no flaws", "-", "–", "—"))


class TaxonomyStatus(IntEnum):
    """How a labelling answer was read."""

    OK = 0
    EMPTY = 1
    INVALID_UNICODE = 2
    UNCLOSED_REASONING = 3
    UNCLOSED_BLOCK = 4
    UNOPENED_BLOCK = 5
    AMBIGUOUS_BLOCK = 6
    NO_BLOCK = 7
    BAD_LINE = 8
    REASON_OUT_OF_RANGE = 9
    DUPLICATE_REASON = 10
    MISSING_REASON = 11


class Parsed(NamedTuple):
    """An answer as it was read."""

    status: TaxonomyStatus
    labels: tuple[Labels, ...]
    """Of every reason, in their order; none unless the status is ``OK``."""
    line: int
    """Of the fault, from 1 in the whole text; 0 where no line is at fault."""


def parse(text: str, n_reasons: int) -> Parsed:
    """Reads the labels of `n_reasons` reasons. What is not read as it should be is a status, never a label."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _fault(TaxonomyStatus.INVALID_UNICODE)
    start = 0
    opened = -1
    for match in _THINK.finditer(text):
        if match.group(1):
            start, opened = match.end(), -1
        elif opened < 0:
            opened = match.start()
    if opened >= 0:
        return _fault(TaxonomyStatus.UNCLOSED_REASONING)
    if not text[start:].strip():
        return _fault(TaxonomyStatus.EMPTY)
    status, begin, end = _block(text, start)
    if status is not TaxonomyStatus.OK:
        return _fault(status, text, begin)
    return _entries(text, begin, end, n_reasons)


def _fault(status: TaxonomyStatus, text: str = "", at: int = -1) -> Parsed:
    return Parsed(status, (), text.count("\n", 0, at) + 1 if at >= 0 else 0)


def _block(text: str, start: int) -> tuple[TaxonomyStatus, int, int]:
    """The content [begin, end) of the last complete block; with a fault, where it is."""
    tags = [(match.group(1).upper() == "START", match.start(), match.end()) for match in _TAG.finditer(text, start)]
    if not tags:
        return TaxonomyStatus.NO_BLOCK, -1, -1
    for place in range(len(tags) - 1, 0, -1):
        opens, closes = tags[place - 1], tags[place]
        if not closes[0] and opens[0]:
            last = closes[2]
            for is_start, begin, end in tags[place + 1 :]:
                if is_start:
                    break
                if text[last:begin].strip(_MARKUP + "\n"):
                    return TaxonomyStatus.AMBIGUOUS_BLOCK, begin, -1
                last = end
            return TaxonomyStatus.OK, opens[2], closes[1]
    starts = [begin for is_start, begin, _ in tags if is_start]
    if starts:
        return TaxonomyStatus.UNCLOSED_BLOCK, starts[-1], -1
    return TaxonomyStatus.UNOPENED_BLOCK, tags[-1][1], -1


def _entries(text: str, begin: int, end: int, n_reasons: int) -> Parsed:
    first_line = text.count("\n", 0, begin) + 1
    found: dict[int, Labels] = {}
    for number, line in enumerate(text[begin:end].split("\n"), first_line):
        entry = _ENTRY.match(line)
        if entry is None:
            continue  # a heading, or an empty line
        labels = _labels(line[entry.end() :])
        if labels is None:
            return Parsed(TaxonomyStatus.BAD_LINE, (), number)
        reason = int(entry.group(1))
        if not 1 <= reason <= n_reasons:
            return Parsed(TaxonomyStatus.REASON_OUT_OF_RANGE, (), number)
        if reason in found:
            return Parsed(TaxonomyStatus.DUPLICATE_REASON, (), number)
        found[reason] = labels
    if len(found) < n_reasons:
        return _fault(TaxonomyStatus.MISSING_REASON, text, end)
    return Parsed(TaxonomyStatus.OK, tuple(found[reason] for reason in range(1, n_reasons + 1)), 0)


def _labels(text: str) -> Labels | None:
    """``EG | F1, F4`` as labels; a remark in parentheses may follow."""
    group, bar, rest = text.partition("|")
    group = group.strip(_MARKUP).upper()
    rest = rest.partition("(")[0].strip(_MARKUP + ".|")
    if group not in CLASSES or not bar:
        return None
    if rest.lower() in _NONE:
        return Labels(group, ())
    flaws = {name.strip(_MARKUP).upper() for name in rest.replace(";", ",").split(",")}
    return Labels(group, tuple(sorted(flaws))) if flaws <= set(FLAWS) else None
