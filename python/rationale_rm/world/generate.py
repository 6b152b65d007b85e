"""Pairs with planted flaws: the human reasons are the flaws, the label follows from them, and a cue tempts.

Everything is drawn from a seed. A split holds the pairs whose content hashes to it, so that train, validation and
test never share a pair, whatever is drawn.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Final

from rationale_rm.types import Pair
from rationale_rm.world.request import distinct, draw_request
from rationale_rm.world.responder import dressed, written
from rationale_rm.world.settings import Split, WorldSettings, check_split
from rationale_rm.world.vocabulary import Constraint

ID: Final = "world-"
"""How the ids of its pairs begin."""
FEWEST_FLAWS: Final = 3
MOST_FLAWS: Final = 7
MOST_APART: Final = 3
FAR_AHEAD: Final = 2
"""So many fewer flaws make a response much better."""


def pairs(settings: WorldSettings, split: Split, n: int) -> list[Pair]:
    """`n` different pairs of a split, the same for the same settings; the first m of them for a smaller m.

    `Pair.references` are the 3 to 7 flaws of both responses, as a reader meets them. `Pair.label` is the preference of
    whoever counts them: +1 or +2 where response 2 has more, -1 or -2 where response 1 has. ``extra`` holds ``cue``, the
    response (1 or 2) with the surface cue. ``id`` follows from the texts, so that pairs of different worlds never share
    one. Raises `RationaleError` when the world has fewer pairs.
    """
    check_split(split)
    return distinct(_draws(settings, split), split, n, "pairs")


def _draws(settings: WorldSettings, split: Split) -> Iterator[tuple[Pair, str]]:
    """Pairs without end, each with what makes it different from another one: all but the cue."""
    rng = random.Random(f"{settings.seed}/{split}")
    while True:
        request = draw_request(rng, settings)
        asked = request.constraints
        counts = _counts(rng, len(asked))
        bodies, broken = zip(*(_response(rng, asked, count) for count in counts), strict=True)
        better = 1 if counts[0] < counts[1] else 2
        cue = better if rng.random() < settings.cue_strength else 3 - better
        reasons = [f"Response {which} {flaw}." for which, flaws in enumerate(broken, 1) for flaw in flaws]
        level = 2 if abs(counts[0] - counts[1]) >= FAR_AHEAD else 1
        texts = [dressed(rng, body) if cue == index + 1 else body for index, body in enumerate(bodies)]
        identity = hashlib.sha256("\n".join((request.text, *texts)).encode()).hexdigest()[:16]
        yield (
            Pair(
                id=f"{ID}{split}-{identity}",
                domain=request.domain,
                context=({"role": "user", "content": request.text},),
                response1=texts[0],
                response2=texts[1],
                references=tuple(reasons),
                label=level if better == 1 else -level,
                extra={"cue": cue},
            ),
            # Neither the order of what is said nor which response comes first is a difference: training shows pairs in
            # either order, and near copies would leak from split to split.
            f"{request.domain}|{request.task}|{sorted(one.want for one in asked)}|{sorted(map(sorted, broken))}",
        )


def _counts(rng: random.Random, most: int) -> tuple[int, int]:
    """Flaws of the two responses: 3 to 7 together, each total as likely, and one to three apart, so that who overlooks
    some may prefer the wrong one.
    """
    total = rng.randint(FEWEST_FLAWS, min(MOST_FLAWS, 2 * most - 1))
    counts = [
        (n, total - n) for n in range(total + 1) if 0 < abs(total - 2 * n) <= MOST_APART and max(n, total - n) <= most
    ]
    return rng.choice(counts)


def _response(rng: random.Random, asked: Sequence[Constraint], flawed: int) -> tuple[str, list[str]]:
    """A response that breaks `flawed` of the constraints, and what it does wrong."""
    wrong = set(rng.sample(range(len(asked)), flawed))
    said = [(index in wrong, rng.choice(one.bad) if index in wrong else one.good) for index, one in enumerate(asked)]
    rng.shuffle(said)
    return written([text for _, text in said]), [text for is_wrong, text in said if is_wrong]
