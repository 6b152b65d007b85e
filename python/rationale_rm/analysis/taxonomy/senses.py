"""What a word means here: words that point to nothing in one sense, and to the task in another.

A table is layout, or what an SQL query is about; fluent is style, or the point of a translation. What stands beside the
word and what the texts speak of decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rationale_rm.analysis.taxonomy.evidence import RESPONSES
from rationale_rm.analysis.taxonomy.reading import Reading, Token
from rationale_rm.analysis.taxonomy.sources import CONTEXT, Sources
from rationale_rm.analysis.taxonomy.vocabulary import vocabulary

_ARTICLES: Final = frozenset({"a", "an"})
_MANNER: Final = frozenset({"clearly", "well"})
"""Praise as adverbs of manner (clearly written), and none elsewhere (clearly too long, well intended)."""
_COPULAS: Final = frozenset({"is", "are", "was", "were"})
_PARTICIPLES: Final = ("ed", "en", "ught", "done", "made", "put")
_NONE: Final[frozenset[str]] = frozenset()


def settled(reading: Reading, texts: Sources) -> Reading:
    """The reading, with each word of the kinds that it is of in this reason about these texts."""
    tokens = reading.tokens
    kinds = [token.kinds for token in tokens]
    behind: dict[str, int] = {}  # the clause in which a word of a list stood last
    for at, token in enumerate(tokens):
        if "style" in token.kinds and _is_subject(token, texts):
            kinds[at] = _NONE
        if behind.get("advises") == token.clause:
            kinds[at] -= {"style"}
        if token.lower in _MANNER and _is_of_degree(tokens, at):
            kinds[at] -= {"praise"}
        if "relevant" in token.kinds and _is_emphasis(tokens, at):
            kinds[at] -= {"relevant"}
        measured = behind.get("follows") == token.clause or _is_measure(tokens, at)
        if "frame" in token.kinds and measured and _holds(texts, token, CONTEXT):
            kinds[at] = _NONE
        behind.update(
            {name: token.clause for name in ("advises", "follows") if token.lower in vocabulary().lists[name]}
        )
    return replace(reading, tokens=tuple(t._replace(kinds=k) for t, k in zip(tokens, kinds, strict=True)))


def asked_for(reading: Reading, texts: Sources) -> bool:
    """Whether it speaks of a quality that the request is about: the grammar of a translation, the tone of a polite
    letter. The conversation asks for a family of qualities by a word of its own.
    """
    said = texts.texts[CONTEXT].stems
    style = [token for token in reading.tokens if "style" in token.kinds and token.quotation < 0]
    return any(
        any(token.lower in family.qualities for token in style) and not family.asks.isdisjoint(said)
        for family in vocabulary().asked.values()
    )


def _is_subject(token: Token, texts: Sources) -> bool:
    """Whether a word for a part of a layout is what the responses speak of: a text seldom names its own layout."""
    return token.lower in vocabulary().lists["layout"] and any(_holds(texts, token, place) for place in RESPONSES)


def _is_of_degree(tokens: Sequence[Token], at: int) -> bool:
    """Whether an adverb of manner stands between "is" and something else than a participle that it can praise."""
    after = [token.lower for token in tokens[at + 1 : at + 3] if token.clause == tokens[at].clause]
    if at == 0 or tokens[at - 1].lower not in _COPULAS or not after:
        return False
    participle = after[0].endswith(_PARTICIPLES) and after[0] not in vocabulary().lists["inward"]
    return not participle or after[1:] == ["by"]


def _is_emphasis(tokens: Sequence[Token], at: int) -> bool:
    """Whether it is the all of "at all", which says nothing of completeness."""
    return tokens[at].lower == "all" and at > 0 and tokens[at - 1].lower == "at"


def _is_measure(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word is what something is measured by: (too long) for a haiku."""
    return at > 1 and tokens[at - 2].lower == "for" and tokens[at - 1].lower in _ARTICLES


def _holds(texts: Sources, token: Token, place: int) -> bool:
    return any(key in texts.texts[place].stems for key in token.keys)
