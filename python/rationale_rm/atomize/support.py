"""Whether the annotators' own words support a claim, as far as words can show it.

A claim that fails is flagged and stays: this is a check of words, and people who read the list decide. It finds
claims with words, numbers or quotations that no annotator wrote, claims about the other response, claims that turn a
statement round, and claims that repeat another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from rationale_rm import _core as core
from rationale_rm.judge.local.claims import Claim, read
from rationale_rm.prompts import Annotator

FlagKind = Literal["unsupported", "number", "quotation", "side", "polarity", "duplicate", "vague"]

COVERED: Final = 0.6
"""Share of a claim's content words that the annotators must use somewhere."""
COVERED_TOGETHER: Final = 0.4
"""Share that they must use in one place: a sentence, or two that follow each other."""
NEAR: Final = 0.2
"""Passages that cover at most so much less than the best one are evidence too."""
SIDE_BONUS: Final = 0.15
"""What a passage about the same response is worth as evidence to show."""
SAME_WORD: Final = 0.8
"""Similarity of two words (RapidFuzz ratio) from which one is the other misspelt or inflected."""
SAME_CLAIM: Final = 0.9
"""Similarity of two claims (token-set) from which the later one is flagged as a duplicate."""
TURNED: Final = 0.5
"""A claim is flagged when it affirms more than this share of the shared content words where all its evidence denies
them, or the reverse."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？])[\s\"')\]*]+|\n+")
# How most reasoning opens; only the first response is what the sentence goes on about.
_PREFERENCE: Final = re.compile(r"(@?Response [12]) is (?:\w+ ){0,2}better than @?Response [12]", re.IGNORECASE)
_QUOTED: Final = re.compile(r"\"([^\"\n]{2,200})\"|“([^”\n]{2,200})”|`([^`\n]{2,200})`")


@dataclass(frozen=True, slots=True)
class Flag:
    """Why a claim is not taken as supported."""

    kind: FlagKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A claim and what the check found."""

    text: str
    flags: tuple[Flag, ...] = ()
    evidence: str | None = None
    """The annotators' sentences that are nearest to the claim."""
    annotator: int | None = None
    """Who wrote them, from 0."""

    @property
    def supported(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.flags


@dataclass(frozen=True, slots=True)
class _Passage:
    """One sentence, or two that follow each other, of one annotator."""

    text: str
    annotator: int
    claim: Claim
    side: int
    """The response it speaks of: named, carried on from the sentence before, or that of the feedback; 0 unknown."""
    keys: frozenset[str]


def check_claims(claims: Sequence[str], annotators: Sequence[Annotator]) -> list[Checked]:
    """Checks each claim against what the annotators wrote. Linear in the claims times the annotators' words."""
    passages = [passage for number, one in enumerate(annotators) for passage in _passages(one, number)]
    words = frozenset().union(*(passage.keys for passage in passages))
    stems = sorted({term.stem for passage in passages for term in passage.claim.terms})
    numbers = frozenset().union(*(passage.claim.numbers for passage in passages))
    whole = _plain("\n".join(text for one in annotators for text in _texts(one)))
    known = _Known(words, stems, numbers, whole, passages)
    return _flag_duplicates([_check(claim, known) for claim in claims])


@dataclass(frozen=True, slots=True)
class _Known:
    """What the annotators wrote, prepared once for all claims."""

    words: frozenset[str]
    stems: list[str]
    numbers: frozenset[str]
    whole: str
    passages: list[_Passage]


def _check(text: str, known: _Known) -> Checked:
    claim = read(text)
    content = {term.key: term.stem for term in claim.terms if term.counts}
    concrete = any(term.counts and not term.generic for term in claim.terms) or claim.numbers or _QUOTED.search(text)
    if not concrete:
        return Checked(text=text, flags=(Flag("vague", "it names no concrete point"),))
    flags = []
    alike = _alike([stem for key, stem in content.items() if key not in known.words], known.stems)
    missing = sorted(stem for key, stem in content.items() if key not in known.words and stem not in alike)
    covered = 1 - len(missing) / len(content) if content else 1.0
    scores = [_overlap(content, alike, passage) for passage in known.passages]
    best = max(scores, default=0.0)
    if covered < COVERED:
        flags.append(Flag("unsupported", f"no annotator says {', '.join(missing)}"))
    elif content and best < COVERED_TOGETHER:
        flags.append(Flag("unsupported", "its words stand nowhere together in what the annotators wrote"))
    flags += [Flag("number", f"no annotator states {number}") for number in sorted(claim.numbers - known.numbers)]
    flags += [
        Flag("quotation", f"no annotator writes {quoted!r}")
        for quoted in _quotations(text)
        if _plain(quoted) not in known.whole
    ]
    near = [
        passage
        for passage, score in zip(known.passages, scores, strict=True)
        if score >= max(COVERED_TOGETHER, best - NEAR)
    ]
    flags += _contradictions(claim, near)
    score, passage = max(
        zip(scores, known.passages, strict=True), key=lambda item: _nearness(claim, *item), default=(0.0, None)
    )
    return Checked(
        text=text,
        flags=tuple(flags),
        evidence=passage.text if passage is not None and score > 0 else None,
        annotator=passage.annotator if passage is not None and score > 0 else None,
    )


def _nearness(claim: Claim, score: float, passage: _Passage) -> tuple[float, int]:
    """By words, then by side, then the shorter passage."""
    same_side = claim.focus != 0 and passage.side == claim.focus
    return score + (SIDE_BONUS if same_side else 0.0), -len(passage.text)


def _contradictions(claim: Claim, near: Sequence[_Passage]) -> Iterator[Flag]:
    """Flags for which all of the nearest passages speak: one that agrees is enough."""
    if not near:
        return
    same_side = [
        passage
        for passage in near
        if claim.both or passage.claim.both or 0 in (claim.focus, passage.side) or claim.focus == passage.side
    ]
    if not same_side:
        yield Flag("side", f"the annotators say it of Response {3 - claim.focus}")
        return
    # Where both responses are named, what is denied of one is affirmed of the other.
    turned = [0.0 if passage.claim.both else _turned(claim, passage.claim) for passage in same_side]
    if min(turned) > TURNED:
        passage = same_side[int(np.argmin(turned))]
        yield Flag("polarity", f"the annotators say the opposite: {_short(passage.text)!r}")


def _turned(claim: Claim, passage: Claim) -> float:
    """The share of shared content words that one affirms and the other denies."""
    shared = [key for key in claim.signs if key in passage.signs]
    if not shared:
        return 0.0
    # A negated sentence denies words on both sides of a contrast, so a word counts as turned only if no mention
    # of it agrees.
    signs: dict[str, set[int]] = {}
    for term in passage.terms:
        signs.setdefault(term.key, set()).add(term.sign)
    return sum(claim.signs[key] not in signs[key] for key in shared) / len(shared)


def _overlap(content: dict[str, str], alike: dict[str, str], passage: _Passage) -> float:
    """The share of the claim's content words that the passage uses, misspelt ones included."""
    if not content:
        return 0.0
    stems = {term.stem for term in passage.claim.terms}
    return sum(key in passage.keys or alike.get(stem) in stems for key, stem in content.items()) / len(content)


def _alike(missing: list[str], stems: list[str]) -> dict[str, str]:
    """Word of the claim → the annotators' word that it is another form or a misspelling of."""
    if not missing or not stems:
        return {}
    batch = core.similarity([missing], [stems], scorer="ratio")
    table = np.asarray(batch.scores)[0][: len(missing), : len(stems)]
    best = table.argmax(axis=1)
    return {
        word: stems[at]
        for row, (word, at) in enumerate(zip(missing, best.tolist(), strict=True))
        if len(word) > 3 and table[row, at] >= SAME_WORD
    }


def _passages(annotator: Annotator, number: int) -> Iterator[_Passage]:
    """Sentences and pairs of neighbouring sentences, each with the response it speaks of."""
    for text, default in (
        (annotator.reasoning, 0),
        (annotator.feedback1 or "", 1),
        (annotator.feedback2 or "", 2),
    ):
        sentences = [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
        side = default
        before: tuple[str, int] | None = None
        for sentence in sentences:
            passage = _passage(sentence, number, side)
            # "It also fails …" speaks of the response of the sentence before.
            side = passage.side
            yield passage
            if before is not None and (before[1] == side or 0 in (before[1], side)):
                yield _passage(f"{before[0]} {sentence}", number, side)
            before = (sentence, side)


def _passage(text: str, number: int, side: int) -> _Passage:
    claim = read(_PREFERENCE.sub(r"\1", text))
    return _Passage(text, number, claim, claim.focus or side, frozenset(term.key for term in claim.terms))


def _texts(annotator: Annotator) -> list[str]:
    return [text for text in (annotator.reasoning, annotator.feedback1, annotator.feedback2) if text]


def _quotations(text: str) -> list[str]:
    return [next(group for group in found.groups() if group) for found in _QUOTED.finditer(text)]


def _plain(text: str) -> str:
    """Without case, white space and the marks in which quotations vary."""
    return re.sub(r"[\s\"'“”‘’`*_.,]+", " ", text.casefold()).strip()


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "…"


def _flag_duplicates(checked: list[Checked]) -> list[Checked]:
    """Flags a claim that nearly repeats an earlier one about the same response."""
    if len(checked) < 2:
        return checked
    texts = [one.text for one in checked]
    table = np.asarray(core.similarity([texts], [texts], scorer="token_sort").scores)[0]
    claims = [read(text) for text in texts]
    flagged = []
    for at, one in enumerate(checked):
        twin = next(
            (
                earlier
                for earlier in range(at)
                if table[at, earlier] >= SAME_CLAIM
                and claims[at].focus == claims[earlier].focus
                and claims[at].numbers == claims[earlier].numbers
                and _turned(claims[at], claims[earlier]) == 0
            ),
            None,
        )
        if twin is not None:
            one = replace(one, flags=(*one.flags, Flag("duplicate", f"it nearly repeats claim {twin + 1}")))
        flagged.append(one)
    return flagged
