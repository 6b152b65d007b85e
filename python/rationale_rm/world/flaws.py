"""The true flaws of any text as a response to a request, for policies that write their own."""

from __future__ import annotations

from dataclasses import dataclass

from rationale_rm.world.request import read_request
from rationale_rm.world.vocabulary import CLOSINGS, OPENINGS


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
    """All else: what answers no constraint of the request, or is no phrase of the world."""
    malformed: bool
    """Whether the text is no sentence ``It …, …, ….``, as where it is empty or cut."""

    @property
    def total(self) -> int:
        """Number of flaws; 0 for a response that meets each constraint and says nothing else."""
        return len(self.broken + self.missing + self.contradictory + self.repeated + self.foreign) + self.malformed


def find_flaws(request: str, response: str) -> Flaws:
    """The flaws of `response`, which may be any text, to `request`, which is one of the world's.

    One opening and one closing of the surface cue are left aside; what remains is read to the letter, clause by clause,
    in time linear in its length. Raises `RationaleError` for a text that is no request of the world.
    """
    asked = read_request(request).constraints
    about = {phrase: number for number, one in enumerate(asked) for phrase in one.phrases}
    good = {one.good for one in asked}
    body = _undressed(response.strip())
    inner = body.removeprefix("It ").removesuffix(".").strip()
    malformed = not (body.startswith("It ") and body.endswith(".") and inner)
    clauses = inner.split(", ") if inner else []
    broken: dict[int, str] = {}
    said: dict[int, set[str]] = {}
    contradictory, repeated, foreign = [], [], []
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
        foreign=tuple(foreign),
        malformed=malformed,
    )


def has_cue(response: str) -> bool:
    """Whether a text has the surface cue: emphasis anywhere in it."""
    return "**" in response


def _undressed(text: str) -> str:
    """Without an opening and a closing of the surface cue."""
    for opening in OPENINGS:
        if text.startswith(opening):
            text = text.removeprefix(opening).lstrip()
            break
    for closing in filter(None, CLOSINGS):
        if text.endswith(closing):
            return text.removesuffix(closing).rstrip()
    return text
