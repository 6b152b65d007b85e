"""The clauses of a reason, the response that each speaks of, and what is denied in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rationale_rm.analysis.taxonomy.vocabulary import vocabulary
from rationale_rm.judge.local.sides import Mention, focus, mentions
from rationale_rm.judge.local.words import Word

_REACH: Final = 8
"""Words behind "omits" that are said to be missing."""
_ORDINALS: Final = {"first": 1, "second": 2}


def named_responses(found: Sequence[Word], swapped: bool, text: str) -> list[Mention]:
    """The responses that a text names: those of `mentions`, answers called by what they are (the second poem), and each
    capital A that is no article: after a mark within a sentence, or at the head of a text of another language.
    """
    named = mentions(found, swapped=swapped)
    known = vocabulary().lists["answer_names"]
    for at in range(1, len(found) - 1):  # "the second poem": an answer called by what it is
        number = _ORDINALS.get(found[at].lower)
        after = found[at + 1]
        if number and found[at - 1].lower == "the" and not after.opens and after.lower.removesuffix("'s") in known:
            named.append(
                Mention(3 - number if swapped else number, at, at + 1, found[at - 2 if at > 1 else 0].lower == "than")
            )
    taken = {at for mention in named for at in range(mention.first, mention.last + 1)}
    lists = vocabulary().lists
    english = any(word.lower in lists["english"] for word in found)
    a = 2 if swapped else 1
    for at, word in enumerate(found):
        if at in taken or word.text != "A":
            continue
        before = text[found[at - 1].end : word.start] if at else ""
        within = at > 0 and not any(mark in before for mark in ".!?\n:")
        if within or (not english and at + 1 < len(found) and found[at + 1].lower not in lists["articles"]):
            named.append(Mention(a, at, at, False))
    return sorted(named, key=lambda mention: mention.first)


def clauses_of(found: Sequence[Word], named: Sequence[Mention], text: str) -> list[int]:
    """The number of each word's clause. They end at marks, at dashes and before words that turn to something else."""
    turns = vocabulary().lists["turns"]
    begins = {mention.first for mention in named}
    numbers_: list[int] = []
    clause = 0
    for at, word in enumerate(found):
        joins = word.lower == "and" and any(at + step in begins for step in (1, 2))
        dash = at > 0 and any(c in text[found[at - 1].end : word.start] for c in "—–")
        if at and (word.opens or dash or word.lower in turns or joins):
            clause += 1
        numbers_.append(clause)
    return numbers_


def sides_of(clauses: Sequence[int], found: Sequence[Word], named: Sequence[Mention]) -> list[tuple[int, bool]]:
    """The response each word speaks of, and whether that is sure.

    It is the only one that its clause names, else the one named last before it; what stands before the first name
    belongs to that. Not sure is it in a clause that names both.
    """
    of_clause: dict[int, set[int]] = {}
    for mention in named:
        if not mention.compared:
            of_clause.setdefault(clauses[mention.first], set()).add(mention.side)
    sides: list[tuple[int, bool]] = []
    last = focus(named)
    upcoming = 0
    for at in range(len(found)):
        while upcoming < len(named) and named[upcoming].first <= at:
            if not named[upcoming].compared:
                last = named[upcoming].side
            upcoming += 1
        own = of_clause.get(clauses[at], set())
        sides.append((next(iter(own)), True) if len(own) == 1 else (last, not own and last != 0))
    return sides


def is_omitted(found: Sequence[Word], at: int, clauses: Sequence[int]) -> bool:
    """Whether word `at` stands close behind a word such as omits in the same clause, as what is not mentioned.

    A word that is there shows "omits prices" to be false, and not "fails to give prices", nor "does not use" them.
    """
    lists = vocabulary().lists
    for place in range(at - 1, max(-1, at - 1 - _REACH), -1):
        if clauses[place] != clauses[at] or found[place].lower in lists["deeds"]:
            return False
        if found[place].lower in lists["omissions"]:
            return True
    return False


def denied_words(clauses: Sequence[int], found: Sequence[Word]) -> list[bool]:
    """Whether each word stands after a negation in its clause."""
    negators = vocabulary().lists["negators"]
    denied: list[bool] = []
    open_in = -1
    for at, word in enumerate(found):
        denied.append(clauses[at] == open_in)
        if word.lower in negators or word.lower.endswith("n't"):
            open_in = clauses[at]
    return denied
