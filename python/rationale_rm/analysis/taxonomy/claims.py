"""F7: what a reason says of the texts that they show to be false."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rationale_rm.analysis.taxonomy.evidence import Evidence
from rationale_rm.analysis.taxonomy.reading import Reading, Token
from rationale_rm.analysis.taxonomy.sources import Source, Sources
from rationale_rm.analysis.taxonomy.vocabulary import vocabulary

_REACH: Final = 3
"""Words between "over" and the number, or between "no" and what there is none of."""
_HOLDS: Final[Mapping[str, Callable[[Source], bool]]] = {
    "number": lambda text: bool(text.numbers),
    "question": lambda text: "?" in text.plain,
    "emoji": lambda text: any(mark > "\u2000" and len(mark) == 1 for mark in text.marks),
}
"""What a text has or has not, by the word for it."""


def contradicts(reading: Reading, found: Evidence, texts: Sources) -> bool:
    """Whether the texts show something to be false that the reason says."""
    return (
        bool(found.misquoted or found.denied_there)
        or misnumbered(reading, texts)
        or miscounted(reading, texts)
        or misdenied(reading, texts)
    )


def misnumbered(reading: Reading, texts: Sources) -> bool:
    """Whether a response is said to state a number that no text holds."""
    return any(not texts.places(number, "numbers") for held in reading.stated.values() for number in held)


def miscounted(reading: Reading, texts: Sources) -> bool:
    """Whether a response is said to have over (under) so many words and has not."""
    lists = vocabulary().lists
    for at, token in enumerate(reading.tokens[:-1]):
        if not (token.lower.isdecimal() and len(token.lower) < 8 and reading.tokens[at + 1].lower == "words"):
            continue
        before = {word.lower for word in reading.tokens[max(0, at - _REACH) : at]}
        if token.side and token.named:
            actual = texts.texts[token.side].n_words
            over, under = bool(before & lists["over"]), bool(before & lists["under"])
            if over != under and (actual > int(token.lower)) != over:
                return True
    return False


def misdenied(reading: Reading, texts: Sources) -> bool:
    """Whether a response that it names is said to have no number, question or emoji and has one."""
    tokens = reading.tokens
    return any(
        token.lower in ("no", "without")
        and token.named
        and at + 1 < len(tokens)
        and _there(tokens[at + 1], texts.texts[token.side])
        for at, token in enumerate(tokens)
    )


def _there(token: Token, text: Source) -> bool:
    holds = _HOLDS.get(token.lower.removesuffix("s"))
    return holds is not None and holds(text)
