"""Demonstrations for the warm start: what a GenRM that can do both might write.

A careful annotator names flaws, but overlooks some, and goes by those seen; a shallow one goes by the surface cue
and says what could be said of any text. The mixture is a policy that can judge for the right reasons and for the
wrong ones, which is what the reward has to choose between.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from rationale_rm._core import RationaleError
from rationale_rm.types import VERDICT_TEXTS, Pair
from rationale_rm.world.generate import FAR_AHEAD
from rationale_rm.world.oracle import read
from rationale_rm.world.vocabulary import GENERIC


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorSettings:
    """Who demonstrates."""

    careful: float = 0.5
    """Share of careful demonstrations."""
    attention: float = 0.6
    """Share of the flaws that a careful annotator sees."""

    def __post_init__(self) -> None:
        """Raises `RationaleError` for a share that is none."""
        for name, share in (("careful", self.careful), ("attention", self.attention)):
            if not 0 <= share <= 1:
                raise RationaleError(f"{name} is {share}: expected 0 to 1")


def demonstrate(pair: Pair, settings: AnnotatorSettings, rng: random.Random, *, swapped: bool = False) -> str:
    """An answer about `pair`, in the form of the paper's Fig. 13; `swapped` shows response 2 as A.

    Raises `RationaleError` for a pair that is not of the world.
    """
    if pair.extra.get("cue") not in (1, 2) or not all(map(read, pair.references)):
        raise RationaleError(f"pair {pair.id!r} is not of the world: it has no cue, or reasons that name no flaw")
    if rng.random() < settings.careful:
        reasons, verdict = _careful(pair, settings.attention, rng, swapped)
    else:
        reasons, verdict = _shallow(pair, rng, swapped)
    lines = "".join(f"{number}. {reason}\n" for number, reason in enumerate(reasons, 1))
    return (
        f"<RESULT_START>\nList of reasons:\n{lines}Final assessment result:\n"
        f"\\boxed{{{VERDICT_TEXTS[verdict]}}}\n<RESULT_END>"
    )


def _careful(pair: Pair, attention: float, rng: random.Random, swapped: bool) -> tuple[list[str], int]:
    flaws = [flaw for flaw in map(read, pair.references) if flaw is not None]
    seen = [flaw for flaw in flaws if rng.random() < attention] or [rng.choice(flaws)]
    blamed = [_side(response, swapped) for response, _ in seen]
    ahead = blamed.count("B") - blamed.count("A")
    if not ahead:
        ahead = 1 if _side(pair.extra["cue"], swapped) == "A" else -1
    # In the order of reading: the flaws of the response shown first come first.
    named = sorted(zip(blamed, seen, strict=True), key=lambda one: one[0])
    return [f"Response {side} {what}." for side, (_, what) in named], _level(ahead)


def _shallow(pair: Pair, rng: random.Random, swapped: bool) -> tuple[list[str], int]:
    side = _side(pair.extra["cue"], swapped)
    reasons = [f"Response {side} {what}." for what in rng.sample(GENERIC, rng.randint(2, 4))]
    return reasons, (1 if side == "A" else -1) * rng.choice((1, 1, 2))


def _side(response: int, swapped: bool) -> str:
    """What response 1 or 2 is called."""
    return "A" if (response == 1) != swapped else "B"


def _level(ahead: int) -> int:
    """The verdict where B has `ahead` flaws more than A."""
    size = 2 if abs(ahead) >= FAR_AHEAD else 1
    return size if ahead > 0 else -size
