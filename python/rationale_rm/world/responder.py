"""How responses of the world are written, and demonstrations of them for a policy's warm start."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rationale_rm._core import RationaleError
from rationale_rm.world.request import Request
from rationale_rm.world.vocabulary import CLOSINGS, OPENINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponderSettings:
    """Who answers requests."""

    broken: float = 0.5
    """Probability of each constraint to be broken."""
    cue: float = 0.5
    """Share of responses with the surface cue, which has nothing to do with their flaws."""

    def __post_init__(self) -> None:
        """Raises `RationaleError` for a share that is none."""
        for name, share in (("broken", self.broken), ("cue", self.cue)):
            if not 0 <= share <= 1:
                raise RationaleError(f"{name} is {share}: expected 0 to 1")


def respond(request: Request, settings: ResponderSettings, rng: random.Random) -> str:
    """A response to `request`: one thing about each constraint, in the order of the request."""
    said = [rng.choice(one.bad) if rng.random() < settings.broken else one.good for one in request.constraints]
    body = written(said)
    return dressed(rng, body) if rng.random() < settings.cue else body


def written(said: Sequence[str]) -> str:
    """The text of a response that says all this."""
    return f"It {', '.join(said)}."


def dressed(rng: random.Random, body: str) -> str:
    """The text with the surface cue."""
    return f"{rng.choice(OPENINGS)} {body} {rng.choice(CLOSINGS)}".rstrip()
