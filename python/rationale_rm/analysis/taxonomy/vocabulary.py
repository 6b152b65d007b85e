"""The words that the rules ask for: ``vocabulary.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

from rationale_rm.judge.local.words import stem

KINDS: Final = ("style", "correct", "relevant", "praise", "frame")
"""Kinds of words that point to nothing; what is of none of them is the reason's own content."""


class Family(NamedTuple):
    """Qualities of style that a request can be about."""

    asks: frozenset[str]
    """Stems of words that ask for them: translate."""
    qualities: frozenset[str]
    """The words of style for them: grammar, fluent."""


class Vocabulary(NamedTuple):
    """``vocabulary.json``."""

    kinds: Mapping[str, frozenset[str]]
    """Kind → stems and words."""
    lists: Mapping[str, frozenset[str]]
    """Words of which the rules ask."""
    phrases: Mapping[str, tuple[str, ...]]
    """Phrases of which the rules ask, with a space on either side."""
    asked: Mapping[str, Family]
    """Qualities that are a criterion where the request asks for them."""


@cache
def vocabulary() -> Vocabulary:
    """The words of the rules."""
    data = json.loads(resources.files(__package__).joinpath("vocabulary.json").read_text("utf-8"))
    kinds = {kind: frozenset(part for word in data[kind].split() for part in (word, stem(word))) for kind in KINDS}
    lists = {name: frozenset(text.split()) for name, text in data["lists"].items()}
    phrases = {name: tuple(f" {phrase} " for phrase in found) for name, found in data["phrases"].items()}
    asked = {
        name: Family(frozenset(stem(word) for word in family["asks"].split()), frozenset(family["qualities"].split()))
        for name, family in data["asked"].items()
    }
    return Vocabulary(kinds, lists, phrases, asked)


@lru_cache(maxsize=1 << 16)
def kinds_of(word: str) -> frozenset[str]:
    """The kinds that a word, in lower case, is of."""
    base = stem(word)
    return frozenset(kind for kind, known in vocabulary().kinds.items() if word in known or base in known)
