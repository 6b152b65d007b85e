"""The texts that a reason may point to, prepared once for all reasons of an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from unicodedata import category

from rationale_rm.judge.local.numbers import plain
from rationale_rm.judge.local.words import STOP, stem
from rationale_rm.prompts.conversation import conversation

LONGEST_MARK: Final = 80
CONTEXT: Final = 0
"""The place of the conversation; 1 and 2 are the responses, whatever the model called them."""

# Every branch is a plain run of characters, so the search is linear.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_RUN = re.compile(r"[^\s,;:!?\"“”«»„()\[\]{}`<>]+")
_LETTER = re.compile(r"[^\W\d_]")
_CODE = re.compile(r"[_=/\\@#$%^|~+&]")
_ODD = re.compile(r"[\d.]")
_SPACED = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u3040-\u30ff\u3400-\u9fff])"
)
_UNIFORM: Final = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "-", "—": "-", "−": "-", "\u00a0": " "}
    | {"₀": "0", "₁": "1", "₂": "2", "₃": "3", "₄": "4", "²": "2", "³": "3", "`": None, "*": None}
)


@dataclass(frozen=True, slots=True)
class Source:
    """One text."""

    plain: str
    """Lower case, with spaces, quotation marks and dashes made one, for searching quotations."""
    stems: frozenset[str]
    """Of its words that carry content; of scripts without spaces, pairs of characters."""
    numbers: frozenset[str]
    marks: frozenset[str]
    """What is between spaces and has a digit, a capital within, or a mark of code, in lower case."""
    n_words: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The conversation and the responses of one answer."""

    texts: tuple[Source, Source, Source]
    """By place: `CONTEXT`, response 1, response 2."""

    def places(self, name: str, kind: str) -> frozenset[int]:
        """Where a word (``stems``), number (``numbers``) or mark (``marks``) is."""
        return frozenset(place for place, text in enumerate(self.texts) if name in getattr(text, kind))

    def quoted(self, quotation: str) -> frozenset[int]:
        """Where a quotation is, given as `uniform` makes it."""
        return frozenset(place for place, text in enumerate(self.texts) if quotation in text.plain)


def sources(context: Any, response1: str, response2: str) -> Sources:
    """Prepares the texts; linear in their length. `context` is of any chat-message shape."""
    said = "\n".join(text for _, text in conversation(context))
    return Sources((_source(said), _source(response1), _source(response2)))


def _source(text: str) -> Source:
    spaced = spaces(text)
    stems: set[str] = set()
    numbers: set[str] = set()
    n_words = 0
    for match in _TOKEN.finditer(spaced):
        word = match.group()
        n_words += 1
        if word[0].isdecimal():
            numbers.add(plain(word))
        else:
            stems.update(content(word))
    return Source(uniform(text), frozenset(stems), frozenset(numbers), frozenset(marks(spaced)), n_words)


@lru_cache(maxsize=1 << 16)
def content(word: str) -> tuple[str, ...]:
    """What a word is compared by: its stem, nothing for a stop word, and pairs of kana or Han characters."""
    lower = word.lower().replace("’", "'")
    if unspaced(lower):
        return tuple(lower[at : at + 2] for at in range(len(lower) - 1)) if len(lower) > 1 else (lower,)
    return () if lower in STOP or len(lower) < 2 else (stem(lower),)


def unspaced(word: str) -> bool:
    """Whether the word begins in a script that writes no spaces: kana and Han."""
    return "\u3040" <= word[0] <= "\u30ff" or "\u3400" <= word[0] <= "\u9fff"


def spaces(text: str) -> str:
    """The text with a space between letters of the Latin script and those of scripts without spaces."""
    return text if text.isascii() else _SPACED.sub(" ", text)


def uniform(text: str) -> str:
    """The text as quotations are compared: lower case, one kind of space, quotation mark and dash, no markup."""
    return " ".join(text.lower().translate(_UNIFORM).split())


def marks(text: str) -> list[str]:
    """The parts of a text that look like names in code, formulas or abbreviations, in lower case."""
    found = [] if text.isascii() else [c for c in text if c > "\u2000" and category(c) == "So"]
    for match in _RUN.finditer(text):
        run = match.group().strip(".'’*-–—")
        inner = run[1:].removesuffix("s")
        if not 2 <= len(run) <= LONGEST_MARK or not _LETTER.search(run):
            continue
        if _CODE.search(run) or _ODD.search(inner) or inner != inner.lower():
            found.append(run.lower())
    return found
