"""A text as words: lower case, with where each stands, its stem, and whether it carries content."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_CHARACTERS: Final = 8192
"""What is read of a text. A reason is a sentence or two; the rest of a longer text is not looked at."""
MAX_WORDS: Final = 192
"""Words that are compared; the first of a longer text."""

# Both branches are plain runs, so the search is linear. A number keeps its inner points and commas.
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_BREAK = re.compile(r"[.,;:!?()\n\u3001\u3002]")

_STOP: Final = """
a about after again all also although an and any are as at be because been before being both but by can could did do
does doing done during each either else even ever every for from further get gets give given gives had has have having
he her here hers him his how however i if in into is it its itself just like make makes made many may me might more
most much must my no nor not now of off on once one only onto or other others our out over own per quite rather really
same shall she should since so some such than that the their them then there these they this those though through to
too toward towards under until up upon us very via was we well were what when where whereas whether which while who
whom whose why will with within without would yet you your yours never none neither cannot instead response responses
answer's
"""
STOP: Final = frozenset(_STOP.split())
"""Words that carry no point of their own. Those that turn a claim round (not, never, without) are read by `claims`."""


class Word(NamedTuple):
    """One word of a text."""

    text: str
    """As written."""
    lower: str
    start: int
    end: int
    """Characters [start, end) of the text."""
    opens: bool
    """Whether it follows a mark that ends a clause, or opens the text."""


def words(text: str) -> list[Word]:
    """The words of the first `MAX_CHARACTERS` characters of `text`; of scripts without spaces, the characters."""
    text = text[:MAX_CHARACTERS]
    found: list[Word] = []
    last = 0
    for match in _WORD.finditer(text):
        start, end = match.span()
        opens = not found or _BREAK.search(text, last, start) is not None
        if _unspaced(text[start]):
            found.extend(Word(text[at], text[at], at, at + 1, opens and at == start) for at in range(start, end))
        else:
            piece = match.group()
            found.append(Word(piece, piece.lower().replace("’", "'"), start, end, opens))
        last = end
    return found


def _unspaced(character: str) -> bool:
    """Whether the character belongs to a script that writes no spaces: kana and Han."""
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"


def stem(word: str) -> str:
    """A crude English stem: enough that sorts, sorted and sorting are one."""
    word = word.removesuffix("'s")
    if len(word) <= 3 or not word.isascii():
        return word
    for suffix, ending in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) + len(ending) >= 3:
            word = word[: len(word) - len(suffix)] + ending
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioulsz":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


_SUFFIXES: Final = (
    ("ational", "ate"),
    ("ations", "ate"),
    ("ation", "ate"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ness", ""),
    ("ically", "ic"),
    ("ities", "ity"),
    ("ments", "ment"),
    ("ingly", ""),
    ("edly", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("sses", "ss"),
    ("ings", ""),
    ("ing", ""),
    ("ely", ""),
    ("ly", ""),
    ("ed", ""),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)
