"""Which response a reason speaks of: response 1 or 2, however it is named.

Human lists call response 1 A. A model that was shown the pair in the other order means response 2 by A, so its
mentions are mapped here; the text itself is never rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rationale_rm.judge.local.words import Word

_HEADS: Final = frozenset(
    {
        "response",
        "responses",
        "answer",
        "answers",
        "assistant",
        "model",
        "output",
        "completion",
        "reply",
        "option",
        "candidate",
        "solution",
    }
)
_LABELS: Final = {"a": 1, "b": 2, "1": 1, "2": 2, "one": 1, "two": 2}
_ORDINALS: Final = {"first": 1, "second": 2, "former": 1, "latter": 2, "1st": 1, "2nd": 2}
_VERBS_TEXT: Final = """
is was has had does did will would can could should may might must never also only always just either both not fails
simply still even then cannot can't doesn't isn't hasn't won't didn't wasn't got gave made used wrote left kept went
and or but than vs versus over while whereas on
"""
_VERBS: Final = frozenset(_VERBS_TEXT.split())
"""After a capital A that opens a clause, these show that it names a response and is no article."""
_COMPARES: Final = frozenset({"than", "unlike", "versus", "vs", "over", "from", "to"})


class Mention(NamedTuple):
    """A response that is named."""

    side: int
    """1 or 2: the response, whatever it was called."""
    first: int
    last: int
    """Words [first, last] that name it."""
    compared: bool
    """Whether it is only what another one is compared with (than B, unlike B)."""


def mentions(words: Sequence[Word], *, swapped: bool = False) -> list[Mention]:
    """The responses that a text names, in its order; `swapped` when it calls response 2 A."""
    found: list[Mention] = []
    at = 0
    while at < len(words):
        side, length = _named(words, at)
        if side:
            before = words[at - 1].lower if at else ""
            compared = before in _COMPARES and (before not in ("from", "to", "over") or _comparing(words, at - 1))
            found.append(Mention(3 - side if swapped else side, at, at + length - 1, compared))
        at += length
    return found


def _comparing(words: Sequence[Word], at: int) -> bool:
    return at > 0 and words[at - 1].lower in {"compared", "preferable", "superior", "inferior", "different", "prefer"}


def _named(words: Sequence[Word], at: int) -> tuple[int, int]:
    """(side, words it takes) of the mention that begins at word `at`; (0, 1) when none does."""
    word = words[at]
    after = words[at + 1] if at + 1 < len(words) else None
    if word.lower in _HEADS and after is not None and not after.opens:
        side = _LABELS.get(_bare(after), 0)
        article = after.text == "a" or (after.lower in ("one", "two") and word.lower.endswith("s"))
        if side and not article:
            return side, 2
    if word.lower in _ORDINALS and after is not None and after.lower.removesuffix("'s") in _HEADS:
        return _ORDINALS[word.lower], 2
    if word.lower in ("former", "latter"):
        return _ORDINALS[word.lower], 1
    if word.text in ("B", "B's", "B’s"):
        return 2, 1
    if word.text in ("A's", "A’s") or (word.text == "A" and (not _article(words, at))):
        return 1, 1
    return 0, 1


def _bare(word: Word) -> str:
    return word.lower.removesuffix("'s")


def _article(words: Sequence[Word], at: int) -> bool:
    """Whether a capital A is an article: only where it opens the text or a sentence, and no verb follows."""
    if not words[at].opens:
        return False
    for word in words[at + 1 : at + 3]:
        if word.opens or word.lower in _VERBS or _third_person(word.lower):
            return False
        if not word.lower.endswith("ly"):
            return True
    return at + 1 < len(words)


def _third_person(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "ous", "'s"))


def focus(found: Sequence[Mention]) -> int:
    """The response that the text is about: the first that is no mere comparison; 0 when none is named."""
    for mention in found:
        if not mention.compared:
            return mention.side
    return 3 - found[0].side if found else 0
