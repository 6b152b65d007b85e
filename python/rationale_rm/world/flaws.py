"""The true flaws of any text as a response to a request, for policies that write their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rationale_rm.world.request import read_request
from rationale_rm.world.vocabulary import CLOSINGS, OPENINGS, domains


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """What is wrong with a response, by kind; each entry counts one."""

    broken: tuple[str, ...]
    """For each constraint that is broken, what the response says first that breaks it; in the order of the text."""
    missing: tuple[str, ...]
    """Constraints that the response says nothing about, as the request states them."""
    contradictory: tuple[str, ...]
    """What is said about a constraint after something else was said about it."""
    repeated: tuple[str, ...]
    """What is said once more, word for word."""
    foreign: tuple[str, ...]
    """All else that is said: what answers no constraint of the request, what is no phrase of the world, and more of the
    cue than one opening and one closing."""
    malformed: bool
    """Whether what is left without all that is no sentence ``It …, …, ….``, as where the text is empty or cut."""

    @property
    def total(self) -> int:
        """Number of flaws; 0 for a response that meets each constraint and says nothing else."""
        return self.unmet + len(self.contradictory + self.repeated + self.foreign) + self.malformed

    @property
    def unmet(self) -> int:
        """Constraints of the request that the response breaks or says nothing about."""
        return len(self.broken) + len(self.missing)


def find_flaws(request: str, response: str) -> Flaws:
    """The flaws of `response`, which may be any text, to `request`, which is one of the world's.

    What is said is told by the world's phrases, to the letter, wherever they stand; the form by what stands between
    them, so that one slip of it is one flaw. Linear in the length of the text. Raises `RationaleError` for a text
    that is no request of the world.
    """
    asked = read_request(request).constraints
    about = {phrase: number for number, one in enumerate(asked) for phrase in one.phrases}
    good = {one.good for one in asked}
    body, foreign = _undressed(response.strip())
    between, clauses = _taken_apart(body)
    malformed, strange = _read_between(between)
    broken: dict[int, str] = {}
    said: dict[int, set[str]] = {}
    contradictory, repeated = [], []
    for clause in clauses:
        number = about.get(clause)
        if number is None:
            foreign.append(clause)
            continue
        before = said.setdefault(number, set())
        if clause in before:
            repeated.append(clause)
        elif before:
            contradictory.append(clause)
        before.add(clause)
        if clause not in good:
            broken.setdefault(number, clause)
    return Flaws(
        broken=tuple(broken.values()),
        missing=tuple(one.want for number, one in enumerate(asked) if number not in said),
        contradictory=tuple(contradictory),
        repeated=tuple(repeated),
        foreign=(*foreign, *strange),
        malformed=malformed,
    )


def has_cue(response: str) -> bool:
    """Whether a text has the surface cue: emphasis anywhere in it."""
    return "**" in response


def _undressed(text: str) -> tuple[str, list[str]]:
    """The text without the cue, and what is more of it than an opening and a closing at their places."""
    pieces = _cue().split(text)
    rest, extra = pieces[::2], pieces[1::2]
    if extra and not rest[0] and extra[0] in OPENINGS:
        extra = extra[1:]
    if extra and not rest[-1] and extra[-1] in CLOSINGS:
        extra = extra[:-1]
    return " ".join(piece.strip() for piece in rest).strip(), extra


def _taken_apart(body: str) -> tuple[list[str], list[str]]:
    """The n + 1 texts around and between the n phrases of the world in `body`, and these phrases."""
    pieces = _phrase().split(body)
    return pieces[::2], pieces[1::2]


def _read_between(between: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether the form is broken, and what is said there in words that are no phrases of the world.

    A beginning or an end that is not the world's is one flaw of form, its words included, such as where a text is cut.
    """
    if len(between) == 1:
        words = _words(between[0].removeprefix("It "))
        return not (between[0].startswith("It ") and between[0].endswith(".") and words), words
    malformed, strange = False, []
    for place, text in enumerate(between):
        first, last = place == 0, place == len(between) - 1
        if text == ("It " if first else "." if last else ", "):
            continue
        words = _words(text.removeprefix("It ") if first else text)
        slip = (first and not text.startswith("It ")) or (last and not text.endswith("."))
        malformed = malformed or slip or not words
        strange += words[: len(words) - 1] if slip and words else words
    return malformed, strange


def _words(text: str) -> list[str]:
    """What is said between commas and full stops, but for the ``It`` that begins a sentence."""
    return [words for run in re.split("[.,]", text) if (words := run.strip()) and words != "It"]


@cache
def _cue() -> re.Pattern[str]:
    parts = sorted(filter(None, (*OPENINGS, *CLOSINGS)), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, parts))})")


@cache
def _phrase() -> re.Pattern[str]:
    """Any phrase that responses of the world are made of, as whole words; of two that fit the longer one."""
    words = domains().values()
    asked = [trait for domain in words for trait in domain.traits]
    asked += [choice.asked(value) for domain in words for choice in domain.choices for value in choice.values]
    parts = sorted({phrase for one in asked for phrase in one.phrases}, key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, parts))})(?!\w)")
