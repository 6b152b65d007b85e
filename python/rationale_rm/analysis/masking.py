"""A reason without what is of its own pair: sides, names, numbers, quotes and code."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from rationale_rm.judge.local.sides import mentions
from rationale_rm.judge.local.words import words as split_words

MAX_CHARACTERS: Final = 2000
"""What follows in a reason is not looked at."""
SIDE, NUMBER, NAME, QUOTE = "<side>", "<number>", "<name>", "<quote>"
_QUOTES: Final = {'"': '"', "“": "”", "«": "»", "„": "“", "`": "`", "「": "」", "‘": "’"}
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")  # linear: no token can be read in two ways
_QUOTE, _SIDE = "\x00", "\x01"
"""What stands for them until the text is split."""
_FEW: Final = 3
_SIDED: Final = frozenset(("response", "assistant", "answer", "candidate", "option", "output", "model", "reply"))
_SIDES: Final = frozenset(("a", "b", "1", "2", "one", "two"))
_ENDS: Final = frozenset(".!?:;")


def mask(reason: str) -> str:
    """The reason in lower case with one blank between tokens, without what is of its own pair:

    - ``<quote>``: what stands in quotation marks or backticks that are closed;
    - ``<side>``: a response that is named, as `rationale_rm.judge.local.sides` finds them (``Response A``, ``the first
      answer``, ``B's``, a capital A that is no article), with a "the" before it; and ``response a`` in any case;
    - ``<number>``: what begins with a digit;
    - ``<name>``: identifiers (``snake_case``, ``camelCase``), and words in capitals or with a capital that do not begin
      a sentence, several in a row as one. In a text where capitals say nothing (`_shouts`) only identifiers are.

    Only the first `MAX_CHARACTERS` count. Names of languages without capitals stay as they are.
    """
    text = reason[:MAX_CHARACTERS].replace(_QUOTE, " ").replace(_SIDE, " ")
    words = _TOKEN.findall(_sides_masked(_quotes_masked(text)))
    shouts = _shouts(words)
    tokens: list[str] = []
    begins = True
    place = 0
    while place < len(words):
        word = words[place]
        if word == _QUOTE:
            tokens.append(QUOTE)
        elif word == _SIDE or _is_side(words, place):
            tokens.append(SIDE)
            place += word != _SIDE
        elif word[0].isdigit():
            tokens.append(NUMBER)
            place = _end_of_number(words, place)
        elif _is_identifier(word) or (not shouts and _has_capital(word, begins)):
            if tokens[-1:] != [NAME]:  # of several words
                tokens.append(NAME)
        else:
            tokens.append(word.lower())
        begins = word in _ENDS
        place += 1
    return " ".join(tokens)


def normalise(reason: str) -> str:
    """The reason in lower case, with one blank between words: texts that differ in nothing else are one."""
    return " ".join(reason.lower().split())


def _quotes_masked(text: str) -> str:
    """The text with each closed quotation as one NUL character; a mark that is never closed is left as it is."""
    parts = []
    start = place = 0
    while place < len(text):
        closing = _QUOTES.get(text[place])
        end = -1 if closing is None else text.find(closing, place + 1)
        if end < 0:
            place += 1
        else:
            parts += [text[start:place], f" {_QUOTE} "]
            start = place = end + 1
    return "".join([*parts, text[start:]])


def _sides_masked(text: str) -> str:
    """The text with each response that it names as one `_SIDE`."""
    found = split_words(text)
    parts = []
    start = 0
    for mention in mentions(found):
        first = mention.first
        if first and found[first - 1].lower == "the" and found[first - 1].start >= start:
            first -= 1
        parts += [text[start : found[first].start], f" {_SIDE} "]
        start = found[mention.last].end
    return "".join([*parts, text[start:]])


def _shouts(words: list[str]) -> bool:
    """Whether capitals say nothing of a word: over two thirds of those that do not begin a sentence have one, of three
    at the least.
    """
    within = [word for before, word in pairwise(words) if len(word) > 1 and word[0].isalpha() and before not in _ENDS]
    return len(within) >= _FEW and 3 * sum(word[0].isupper() for word in within) > 2 * len(within)


def _is_side(words: list[str], place: int) -> bool:
    return words[place].lower() in _SIDED and place + 1 < len(words) and words[place + 1].lower() in _SIDES


def _end_of_number(words: list[str], place: int) -> int:
    """The last token of a number such as ``1,234.5``."""
    while place + 2 < len(words) and words[place + 1] in ".,:/" and words[place + 2][0].isdigit():
        place += 2
    return place


def _is_identifier(word: str) -> bool:
    """``snake_case``, ``camelCase``, and words such as NumPy; not WORD."""
    inner = any(character.isupper() for character in word[1:])
    return "_" in word.strip("_") or (inner and not word.isupper())


def _has_capital(word: str, begins: bool) -> bool:
    return len(word) > 1 if word.isupper() else word[0].isupper() and not begins
