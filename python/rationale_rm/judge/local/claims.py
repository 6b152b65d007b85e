"""What a reason claims, as far as words show it: of which response, praising or blaming, and what is denied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from rationale_rm.judge.local.numbers import numbers
from rationale_rm.judge.local.sides import Mention, focus, mentions
from rationale_rm.judge.local.words import MAX_WORDS, STOP, Word, stem, words

SCOPE: Final = 7
"""Words that a negation reaches, if its clause does not end before."""
_PREFIXES: Final = ("un", "non", "in", "im", "ir", "mis", "dis")


class Term(NamedTuple):
    """A word of a text, as it is compared with others."""

    key: str
    """Its stem, or the concept that it shares with its synonyms and opposites."""
    stem: str
    sign: int
    """-1 where it is denied or the opposite end of its concept, else 1."""
    start: int
    end: int
    """Characters of the text."""
    counts: bool
    """Whether it carries content: no stop word, number or name of a response."""
    generic: bool
    """Whether it says little about the case at hand (clear, answer, better)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A text as the judges read it; mentions are not mapped yet, so that one reading serves both orders."""

    terms: tuple[Term, ...]
    focus: int
    """1 or 2 as the text names it; 0 for neither."""
    both: bool
    """Whether it speaks of both responses."""
    tone: int
    """1 praises, -1 blames the response in focus, 0 unknown."""
    numbers: frozenset[str]
    denied: bool
    """Whether anything is denied."""
    signs: Mapping[str, int]
    """Key of each content word → its sign where it first stands."""


class _Lexicon(NamedTuple):
    concepts: dict[str, tuple[str, int, int]]
    """word → (concept, sign, praise)"""
    negators: frozenset[str]
    faults: frozenset[str]
    backward: frozenset[str]
    roots: frozenset[str]
    breaks: frozenset[str]
    generic: frozenset[str]


@cache
def _lexicon() -> _Lexicon:
    data = json.loads(resources.files(__package__).joinpath("lexicon.json").read_text("utf-8"))
    concepts: dict[str, tuple[str, int, int]] = {}
    for concept in data["concepts"]:
        name = "=" + concept["plus"].split()[0]
        for sign, end in ((1, "plus"), (-1, "minus")):
            for word in concept[end].split():
                concepts.setdefault(word, (name, sign, sign * concept["praise"]))
    lists = (frozenset(data[key].split()) for key in ("negators", "faults", "backward", "roots", "breaks", "generic"))
    return _Lexicon(concepts, *lists)


def read(text: str) -> Claim:
    """Reads a text. Linear in its length, which `words.MAX_CHARACTERS` bounds."""
    found = words(text)
    named = mentions(found)
    taken = {at for mention in named for at in range(mention.first, mention.last + 1)}
    denials = _denials(found, taken)
    lexicon = _lexicon()
    terms: list[Term] = []
    tone = 0
    for at, word in enumerate(found):
        named_here = at in taken
        key, base, sign, praise = _meaning(word.lower, lexicon)
        sign, praise = sign * denials[at], praise * denials[at]
        tone += 0 if named_here else praise * _owner(at, named)
        if len(terms) < MAX_WORDS:
            counts = not named_here and _carries(word)
            terms.append(Term(key, base, sign, word.start, word.end, counts, word.lower in lexicon.generic))
    if tone == 0 and any(word.lower in lexicon.faults for word in found):
        tone = -1
    sides = {mention.side for mention in named}
    return Claim(
        terms=tuple(terms),
        focus=focus(named),
        both=len(sides) == 2,
        tone=(tone > 0) - (tone < 0),
        numbers=numbers(text, found, taken),
        denied=any(sign < 0 for sign in denials),
        signs={term.key: term.sign for term in reversed(terms) if term.counts},
    )


def _carries(word: Word) -> bool:
    letter = len(word.lower) == 1 and word.lower.isascii()
    return word.lower not in STOP and not word.lower[0].isdecimal() and not letter


def _meaning(word: str, lexicon: _Lexicon) -> tuple[str, str, int, int]:
    """(key, stem, sign, praise) of a word by itself."""
    base = stem(word)
    known = lexicon.concepts.get(word)
    if known is not None:
        return known[0], base, known[1], known[2]
    for prefix in _PREFIXES:
        rest = word[len(prefix) :]
        if word.startswith(prefix) and rest in lexicon.roots:
            return stem(rest), base, -1, -1
    if word.endswith("less") and len(word) > 6:
        return stem(word[:-4]), base, -1, -1
    return base, base, 1, 0


def _denials(found: Sequence[Word], taken: set[int]) -> list[int]:
    """-1 for each word that stands within a negation, else 1."""
    lexicon = _lexicon()
    signs = [1] * len(found)
    for at, word in enumerate(found):
        negates = word.lower in lexicon.negators or word.lower.endswith("n't")
        if word.lower == "less" and at + 1 < len(found):  # less fluent
            signs[at + 1] = -signs[at + 1]
        if at in taken or not negates:
            continue
        for reached in range(at + 1, min(at + 1 + SCOPE, len(found))):
            if found[reached].opens or found[reached].lower in lexicon.breaks:
                break
            signs[reached] = -signs[reached]
        if word.lower in lexicon.backward:
            for reached in range(at - 1, max(at - 1 - SCOPE, -1), -1):
                if found[reached].lower in lexicon.breaks:
                    break
                signs[reached] = -signs[reached]
                if found[reached].opens:
                    break
    return signs


def _owner(at: int, named: Sequence[Mention]) -> int:
    """Whether word `at` speaks of the response in focus (1) or of the other one (-1).

    A word belongs to the response named last before it; the object of a comparison owns nothing.
    """
    subject = focus(named)
    for mention in reversed(named):
        if mention.last < at and not mention.compared:
            return 1 if mention.side == subject else -1
    return 1
