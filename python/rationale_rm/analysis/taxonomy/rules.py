"""The rule-based labeller: class and flaws of a reason by what can be found in the texts (docs/taxonomy.md).

No model: words, quotations and numbers of a reason are looked up in the conversation and in both responses, and lists
of words (``vocabulary.json``) tell what points to nothing. Every rule below is a function that can be read by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Final

from rationale_rm.analysis.taxonomy.claims import contradicts, falsely_faulted
from rationale_rm.analysis.taxonomy.evidence import Evidence, evidence
from rationale_rm.analysis.taxonomy.labels import Labels
from rationale_rm.analysis.taxonomy.reading import Reading, read
from rationale_rm.analysis.taxonomy.senses import asked_for, settled
from rationale_rm.analysis.taxonomy.sources import Sources, sources
from rationale_rm.analysis.taxonomy.vocabulary import vocabulary

NAME = "rules"
VERSION = 2
"""Of rules and vocabulary: other numbers may give other labels."""
NOTE: Final = (
    "Labels by rules: on held-out reasons Cohen's kappa was .86 for EG and F4, .82 for F2, .55 to "
    ".70 for CG, GS, F1, F3 and F5, and .24 and .07 for F6 and F7, which are not to be relied on (docs/taxonomy.md)."
)
"""What to say wherever these labels are counted."""
_GENERIC: Final = ("style", "correct", "relevant", "praise")
_CONCLUSION: Final = 8
"""Words after "so" or "therefore" in which the conclusion stands."""
_TURNED: Final = 3
"""Words behind "no" or "fewer" in which a fault is turned into praise."""
_PREDICATE: Final = 4
"""Words after a response's name in which a fault is said of it."""


def label(
    context: Any,
    response1: str,
    response2: str,
    verdict: int | None,
    reasons: Sequence[str],
    *,
    swapped: bool = False,
) -> list[Labels]:
    """Labels each of the reasons that were given for `verdict`: an int as in `Verdict`, above 0 for response 1, below 0
    for response 2, 0 for a tie; None where it is not known. TypeError for anything else, such as "A>B".

    `swapped` says that the model saw response 2 as A. Labels depend on the reason alone and the texts, not on the other
    reasons. Linear in all texts.
    """
    if verdict is not None and not isinstance(verdict, Integral):
        raise TypeError(f"verdict must be None or an int, such as Verdict.A_BETTER (1, for A>B), and not {verdict!r}")
    texts = sources(context, response1, response2)
    preferred = 0 if not verdict else 1 if verdict > 0 else 2
    return [label_one(read(reason, swapped=swapped), texts, preferred) for reason in reasons]


def label_one(reading: Reading, texts: Sources, preferred: int) -> Labels:
    """Class and flaws of one reason; `preferred` is the response it is given for, 0 where that is not known."""
    reading = settled(reading, texts)
    found = evidence(reading, texts)
    kinds = {kind: reading.kind(kind) for kind in _GENERIC}
    unsure = is_unfalsifiable(reading, found)
    false = contradicts(reading, found, texts)
    asked = found.surface_asked > 0 or asked_for(reading, texts)
    group = "GS" if unsure else class_of(reading, found, kinds, asked=asked, false=false)
    flaws = set()
    if unsure:
        flaws.add("F5")
    elif group == "GS":
        flaws |= generic_flaw(kinds)
    elif group == "CG" and kinds["correct"] and found.own <= 1:
        flaws.add("F2")
    against = preferred in falsely_faulted(reading, found, texts)
    if against or is_non_sequitur(reading, kinds, preferred):
        flaws.add("F6")
    elif is_single_sided(reading, found):
        flaws.add("F4")
    if false:
        flaws.add("F7")
    return Labels(group, tuple(sorted(flaws)))


def class_of(reading: Reading, found: Evidence, kinds: Mapping[str, int], *, asked: bool, false: bool) -> str:
    """EG, CG or GS, of a reason that is not unfalsifiable; `asked` if it speaks of style that the conversation asks
    for, `false` if it says what the texts show to be false.
    """
    if is_grounded(reading, found, kinds, false=false):
        return "EG"
    if false or (kinds["relevant"] and reading.numbers) or (kinds["style"] and (asked or reading.words("required"))):
        return (
            "CG"  # a claim that can be checked, a rule by its number (the 5-7-5 pattern), or style that was asked for
        )
    # One word that no text holds may be the name of the whole answer (its code, its maths), or one more adjective.
    few = found.own == 0 or (
        not found.in_responses and found.own <= (3 if kinds["style"] else 1 if any(kinds.values()) else 0)
    )
    return "GS" if few and not (found.own and found.in_context) else "CG"


def is_grounded(reading: Reading, found: Evidence, kinds: Mapping[str, int], *, false: bool) -> bool:
    """Whether it points to a place that is there: EG. Where something it says is `false`, what it shares with the texts
    in words alone is no place.
    """
    if found.quoted or found.numbers or found.marks:
        return True
    if false:
        return False
    if found.in_one >= 2 or found.in_responses >= 3:
        return True
    if found.in_one and 2 * found.in_one >= found.own and not any(kinds.values()):
        return True
    # What is said to be missing in one response, and is there in the other one.
    return found.in_one == 1 and _denies(reading)


def is_unfalsifiable(reading: Reading, found: Evidence) -> bool:
    """F5: moods, minds and guesses, with nothing that can be found."""
    if found.quoted or found.numbers or found.marks or found.in_one >= 2:
        return False
    if reading.has("unsure"):
        return True
    ineffable, minds, guesses = (len(reading.words(name)) for name in ("ineffable", "minds", "guesses"))
    certain = ineffable > 0 or minds >= 2 or (minds >= 1 and guesses >= 1) or _has_a_mind(reading)
    return not found.in_responses and certain


def _has_a_mind(reading: Reading) -> bool:
    """Whether a response is the one that believes, hopes or cares."""
    inward = vocabulary().lists["inward"]
    near = 0
    for token in reading.tokens:
        near = _PREDICATE if token.is_name else near - 1
        if near > 0 and token.lower in inward:
            return True
    return False


def generic_flaw(kinds: Mapping[str, int]) -> set[str]:
    """F1, F2 or F3 of a generic reason: the kind of word that it rests on."""
    if kinds["correct"]:
        return {"F2"}
    if kinds["style"] and kinds["style"] >= kinds["praise"] and kinds["style"] > kinds["relevant"]:
        return {"F1"}
    return {"F3"} if kinds["relevant"] and kinds["relevant"] >= kinds["praise"] else set()


def is_single_sided(reading: Reading, found: Evidence) -> bool:
    """F4: it names or quotes at most one response, and compares with nothing."""
    return (
        len(reading.sides | found.quoted_from) < 2 and not reading.has("compares") and not reading.words("comparatives")
    )


def is_non_sequitur(reading: Reading, kinds: Mapping[str, int], preferred: int) -> bool:
    """F6: it draws a conclusion of its own, finds both alike, or speaks for the response that lost."""
    return concludes(reading) or equates(reading) or (preferred != 0 and speaks_against(reading, kinds, preferred))


def concludes(reading: Reading) -> bool:
    """Whether it argues that one response is better *because* of something (so A is preferable): what is a reason
    says what is good, and leaves the conclusion to the verdict.
    """
    lists = vocabulary().lists
    for at, token in enumerate(reading.tokens):
        if token.lower in lists["concluding"]:
            after = reading.tokens[at + 1 : at + 1 + _CONCLUSION]
            named = any(word.is_name or word.lower == "it" for word in after)
            if named and any(word.lower in lists["verdicts"] for word in after):
                return True
    return reading.has("concludes")


def equates(reading: Reading) -> bool:
    """Whether it says that both responses are alike, with no word for a difference."""
    return reading.has("equal") and not reading.words("contrasts")


def speaks_against(reading: Reading, kinds: Mapping[str, int], preferred: int) -> bool:
    """Whether it faults the preferred response and not the other one, or praises the other one, alone or above it."""
    praises = kinds["praise"] + kinds["correct"] + kinds["relevant"] > _wishes(reading)
    blames = _denies(reading) or reading.words("faults") or reading.words("worsens")
    if len(reading.sides) == 2:
        if reading.compared == {preferred} and (praises or kinds["style"]) and not blames:
            return True
        return _faulted(reading, preferred, denials=False) and not _faulted(reading, 3 - preferred, denials=True)
    if reading.sides == {preferred}:
        return _faulted(reading, preferred, denials=True) and not reading.has("compares")
    return reading.sides == {3 - preferred} and praises and not blames and not reading.words("restricts")


def _wishes(reading: Reading) -> int:
    """How many words of relevance say what the user wanted, in a clause of its own, and so nothing of a response."""
    named = {token.clause for token in reading.tokens if token.is_name}
    return sum("relevant" in token.kinds and token.clause not in named for token in reading.words("required"))


def _faulted(reading: Reading, side: int, *, denials: bool) -> bool:
    """Whether a word of fault, or of mere denial, stands close behind a name of the response or before "in A"."""
    near = 0
    faults = _faults(reading, denials=denials)
    for at, token in enumerate(reading.tokens):
        if token.is_name:
            near = _PREDICATE if token.side == side else 0
            continue
        near = max(near - 1, 0)
        if at in faults and side == (_placed(reading, at) or (token.side if near else 0)):
            return True
    return False


def _faults(reading: Reading, *, denials: bool) -> set[int]:
    """Where words of fault stand, with `denials` also words such as not; what is denied itself is none (no errors)."""
    lists = vocabulary().lists
    found: set[int] = set()
    turned = -1  # the word up to which a fault is turned round
    opened = -1
    for at, token in enumerate(reading.tokens):
        if token.lower in lists["denials"] or token.lower.endswith("n't"):
            turned, opened = at + _TURNED, at
            if denials:
                found.add(at)
        elif token.lower in lists["lessens"]:
            turned, opened = at + _TURNED, at
        elif token.lower in lists["faults"]:
            if at <= turned:
                found.discard(opened)
            else:
                found.add(at)
    return found


def _placed(reading: Reading, at: int) -> int:
    """The response of "in A" or "from B" close behind word `at`; 0 where none is."""
    for before, token in zip(reading.tokens[at + 1 : at + 4], reading.tokens[at + 2 : at + 5], strict=False):
        if token.is_name and before.lower in vocabulary().lists["places"]:
            return token.side
    return 0


def _denies(reading: Reading) -> bool:
    return any(token.denied for token in reading.tokens) or bool(reading.words("negators"))
