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
        bool(found.misquoted)
        or misnumbered(reading, texts)
        or bool(miscounted(reading, texts, over=False) or falsely_faulted(reading, found, texts))
    )


def falsely_faulted(reading: Reading, found: Evidence, texts: Sources) -> frozenset[int]:
    """The responses of which it says falsely that something is missing, or too long."""
    return found.denied_there | miscounted(reading, texts, over=True) | misdenied(reading, texts)


def misnumbered(reading: Reading, texts: Sources) -> bool:
    """Whether a response is said to state a number that no text holds."""
    return any(not texts.places(number, "numbers") for held in reading.stated.values() for number in held)


def miscounted(reading: Reading, texts: Sources, *, over: bool) -> frozenset[int]:
    """The responses that are said to have over (else under) so many words and have not."""
    lists = vocabulary().lists
    wrong: set[int] = set()
    for at, token in enumerate(reading.tokens[:-1]):
        if not (token.lower.isdecimal() and len(token.lower) < 8 and reading.tokens[at + 1].lower == "words"):
            continue
        before = {word.lower for word in reading.tokens[max(0, at - _REACH) : at]}
        said = [bool(before & lists["over"]), bool(before & lists["under"])]
        if token.side and token.named and said == [over, not over]:
            actual = texts.texts[token.side].n_words
            if (actual > int(token.lower)) != over:
                wrong.add(token.side)
    return frozenset(wrong)


def misdenied(reading: Reading, texts: Sources) -> frozenset[int]:
    """The responses that it names and says have no number, question or emoji, and that have one."""
    tokens = reading.tokens
    return frozenset(
        token.side
        for at, token in enumerate(tokens[:-1])
        if token.lower in ("no", "without") and token.named and _there(tokens[at + 1], texts.texts[token.side])
    )


def _there(token: Token, text: Source) -> bool:
    holds = _HOLDS.get(token.lower.removesuffix("s"))
    return holds is not None and holds(text)
