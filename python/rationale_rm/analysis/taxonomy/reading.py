"""A reason as the rules read it: words with their kind and the response they speak of, quotations, numbers, marks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rationale_rm.analysis.taxonomy.clauses import (
    clauses_of,
    denied_words,
    is_omitted,
    named_responses,
    sides_of,
)
from rationale_rm.analysis.taxonomy.sources import content, marks, spaces, uniform, unspaced
from rationale_rm.analysis.taxonomy.vocabulary import kinds_of, vocabulary
from rationale_rm.judge.local.numbers import numbers
from rationale_rm.judge.local.sides import Mention, focus
from rationale_rm.judge.local.words import MAX_CHARACTERS, Word, words

MAX_QUOTATIONS: Final = 32
MAX_PIECES: Final = 8

_QUOTATION = re.compile(
    r'`([^`\n]{1,400})`|"([^"\n]{1,400})"|“([^”\n]{1,400})”|«([^»\n]{1,400})»|„([^“”"\n]{1,400})[“”"]|「([^」\n]{1,400})」'
)
_ASIDE = re.compile(r"\(([^()\n]{3,400})\)")
_PIECES = re.compile(r"\.\.\.|…| / ")


class Token(NamedTuple):
    """One word of a reason."""

    lower: str
    keys: tuple[str, ...]
    """What it is looked up by in the texts; nothing for stop words, numbers and names of a response."""
    kinds: frozenset[str]
    is_name: bool
    """Whether it names a response."""
    is_owned: bool
    """Whether it follows "A's" or "B's": it says what the response, or a part of it, is called."""
    side: int
    """The response that its clause speaks of: 1 or 2, 0 where that is open."""
    named: bool
    """Whether its clause names that response and no other."""
    quotation: int
    """The number of the quotation it stands in, -1 outside."""
    denied: bool
    """Whether its clause says before it that something is not there, or not so."""
    omitted: bool
    """Whether it is close behind a word such as omits or lacks, as what is not mentioned."""
    clause: int
    """The number of its clause."""


class Quotation(NamedTuple):
    """A quotation."""

    pieces: tuple[str, ...]
    """As `uniform` makes them, cut at dots that stand for what is left out."""
    side: int
    is_code: bool
    n_words: int
    denied: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A reason."""

    text: str
    """Its words outside quotations, in lower case with a space between, before and after."""
    tokens: tuple[Token, ...]
    sides: frozenset[int]
    """The responses it names."""
    focus: int
    """The one it is about, 0 where none is named."""
    compared: frozenset[int]
    """The responses that it names only as what another one is compared with (than B)."""
    quotations: tuple[Quotation, ...]
    asides: tuple[str, ...]
    """What stands in parentheses, of two words and more, as `uniform` makes it: it may quote, and may not."""
    numbers: frozenset[str]
    stated: Mapping[int, frozenset[str]]
    """By response: the numbers of two digits and more that the reason says it states."""
    counts: tuple[str, ...]
    """The numbers that stand before something that can be counted in a text (six names), as `numbers` spells them."""
    marks: tuple[str, ...]

    def has(self, phrases: str) -> bool:
        """Whether it holds one of the vocabulary's `phrases`."""
        return any(phrase in self.text for phrase in vocabulary().phrases[phrases])

    def words(self, name: str) -> list[Token]:
        """Its words outside quotations that are in one of the vocabulary's lists."""
        known = vocabulary().lists[name]
        return [token for token in self.tokens if token.lower in known and token.quotation < 0]

    def kind(self, kind: str) -> int:
        """How many of its words outside quotations are of a kind. "A's query" is no word of relevance."""
        counted = (
            token for token in self.tokens if token.quotation < 0 and not (kind == "relevant" and token.is_owned)
        )
        return sum(kind in token.kinds for token in counted)


def read(reason: str, *, swapped: bool) -> Reading:
    """Reads the first `MAX_CHARACTERS` characters of a reason, in linear time; `swapped` if its A is response 2."""
    text = spaces(reason[:MAX_CHARACTERS])
    found = words(text)
    named = named_responses(found, swapped, text)
    taken = {at for mention in named for at in range(mention.first, mention.last + 1)}
    clauses = clauses_of(found, named, text)
    sides = sides_of(clauses, found, named)
    denied = denied_words(clauses, found)
    quotations, inside = _quotations(text, found, named, clauses, denied)
    keys = [() if at in taken or word.lower[0].isdecimal() else _keys(found, at) for at, word in enumerate(found)]
    tokens = tuple(
        Token(
            word.lower,
            keys[at],
            frozenset() if at in taken else kinds_of(keys[at][0] if keys[at] and unspaced(word.lower) else word.lower),
            at in taken,
            at > 0 and at - 1 in taken and found[at - 1].lower.endswith("'s"),
            *sides[at],
            inside[at],
            denied[at],
            is_omitted(found, at, clauses),
            clauses[at],
        )
        for at, word in enumerate(found)
    )
    return Reading(
        text=f" {' '.join(token.lower for token in tokens if token.quotation < 0)} ",
        tokens=tokens,
        sides=frozenset(mention.side for mention in named),
        focus=focus(named),
        compared=frozenset(one.side for one in named) - {one.side for one in named if not one.compared},
        quotations=quotations,
        asides=_asides(text),
        numbers=numbers(text, found, taken),
        stated=_stated(text, found, sides, taken),
        counts=_counts(text, found, taken),
        marks=tuple(dict.fromkeys(marks(text))),
    )


def _quotations(
    text: str, found: Sequence[Word], named: Sequence[Mention], clauses: Sequence[int], denied: Sequence[bool]
) -> tuple[tuple[Quotation, ...], list[int]]:
    """The quotations, and for each word the number of the one it stands in, or -1."""
    quotations: list[Quotation] = []
    inside = [-1] * len(found)
    at = 0
    for match in _QUOTATION.finditer(text):
        held = uniform(next(part for part in match.groups() if part is not None))
        pieces = tuple(piece for part in _PIECES.split(held)[:MAX_PIECES] if (piece := part.strip(" .,;:!?'\"-")))
        while at < len(found) and found[at].end <= match.start():
            at += 1
        if not pieces or not found or len(quotations) == MAX_QUOTATIONS:
            continue
        place = min(at, len(found) - 1)
        while at < len(found) and found[at].start < match.end():
            inside[at] = len(quotations)
            at += 1
        before = {mention.side for mention in named if mention.last < place and clauses[mention.last] == clauses[place]}
        side = next(iter(before)) if len(before) == 1 else 0
        quotations.append(Quotation(pieces, side, match.group(1) is not None, len(held.split()), denied[place]))
    return tuple(quotations), inside


def _asides(text: str) -> tuple[str, ...]:
    held = [uniform(match.group(1)).strip(" .,;:!?") for match in _ASIDE.finditer(text)]
    return tuple(aside for aside in held if " " in aside)[:MAX_QUOTATIONS]


def _stated(
    text: str, found: Sequence[Word], sides: Sequence[tuple[int, bool]], taken: Collection[int]
) -> dict[int, frozenset[str]]:
    known, countable = vocabulary().lists["states"], vocabulary().lists["countable"]
    stated: dict[int, set[str]] = {1: set(), 2: set()}
    verb = False
    for at, word in enumerate(found):
        said = word.lower == "of" and at > 0 and found[at - 1].lower in vocabulary().lists["quantities"]
        verb = (verb and not word.opens) or said or word.lower in known
        side, alone = sides[at]
        after = found[at + 1].lower if at + 1 < len(found) else ""
        is_number = at not in taken and len(word.lower) > 1 and word.lower[0].isdecimal()
        if verb and alone and is_number and after not in countable:
            stated[side] |= numbers(text[word.start : word.end], [word], ())
    return {side: frozenset(held) for side, held in stated.items()}


def _counts(text: str, found: Sequence[Word], taken: Collection[int]) -> tuple[str, ...]:
    countable = vocabulary().lists["countable"]
    counts: list[str] = []
    for at, word in enumerate(found):
        following = [after.lower for after in found[at + 1 : at + 3] if not after.opens]
        if at not in taken and any(name in countable for name in following):
            counts += numbers(text[word.start : word.end], [word], ())
    return tuple(counts)


def _keys(found: Sequence[Word], at: int) -> tuple[str, ...]:
    word = found[at]
    if unspaced(word.lower):  # `words` gives single characters, the sources are kept by pairs
        after = found[at + 1] if at + 1 < len(found) else None
        return (word.lower + after.lower,) if after and after.start == word.end and unspaced(after.lower) else ()
    return content(word.lower)
