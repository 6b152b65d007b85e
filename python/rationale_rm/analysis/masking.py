"""A reason without what is of its own pair: sides, names, numbers, quotes and code."""

from __future__ import annotations

import re
from typing import Final

MAX_CHARACTERS: Final = 2000
"""What follows in a reason is not looked at."""
SIDE, NUMBER, NAME, QUOTE = "<side>", "<number>", "<name>", "<quote>"
_QUOTES: Final = {'"': '"', "“": "”", "«": "»", "„": "“", "`": "`", "「": "」", "‘": "’"}
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")  # linear: no token can be read in two ways
_SIDED: Final = frozenset(("response", "assistant", "answer", "candidate", "option", "output", "model", "reply"))
_SIDES: Final = frozenset(("a", "b", "1", "2", "one", "two"))
_ENDS: Final = frozenset(".!?:;")


def mask(reason: str) -> str:
    """The reason in lower case with one blank between tokens, and ``<side>`` for the response it is about (``Response
    A``, ``assistant 2``), ``<number>``, ``<quote>`` for what stands in quotation marks or backticks, and ``<name>`` for
    words with a capital that do not begin a sentence, and for identifiers (``snake_case``, ``camelCase``).

    Only the first `MAX_CHARACTERS` count. Names of languages without capitals stay as they are.
    """
    tokens: list[str] = []
    words = _TOKEN.findall(_quotes_masked(reason[:MAX_CHARACTERS]))
    begins = True
    place = 0
    while place < len(words):
        word = words[place]
        if word == "\x00":
            tokens.append(QUOTE)
        elif _is_side(words, place):
            tokens.append(SIDE)
            place += 1
        elif word[0].isdigit():
            tokens.append(NUMBER)
            place = _end_of_number(words, place)
        elif _is_name(word, begins):
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
    text = text.replace("\x00", " ")
    parts = []
    start = place = 0
    while place < len(text):
        closing = _QUOTES.get(text[place])
        end = -1 if closing is None else text.find(closing, place + 1)
        if end < 0:
            place += 1
        else:
            parts += [text[start:place], " \x00 "]
            start = place = end + 1
    return "".join([*parts, text[start:]])


def _is_side(words: list[str], place: int) -> bool:
    return words[place].lower() in _SIDED and place + 1 < len(words) and words[place + 1].lower() in _SIDES


def _end_of_number(words: list[str], place: int) -> int:
    """The last token of a number such as ``1,234.5``."""
    while place + 2 < len(words) and words[place + 1] in ".,:/" and words[place + 2][0].isdigit():
        place += 2
    return place


def _is_name(word: str, begins: bool) -> bool:
    if "_" in word.strip("_") or any(character.isupper() for character in word[1:]) or word.isupper():
        return len(word) > 1
    return word[0].isupper() and not begins
