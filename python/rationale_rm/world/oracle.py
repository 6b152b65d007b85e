"""The exact judge of the world: it knows every flaw by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from rationale_rm.types import Entry, MatchRequest, MatchResult, MetaJudgeStatus
from rationale_rm.world.vocabulary import GENERIC, flaws

_REASON: Final = re.compile(r"Response (1|2|A|B) (.{1,200})\.")


class OracleJudge:
    """Scores 1 where a reason names the very flaw of the reference in the same response, and 0 else: that the response
    breaks the same constraint in another way is not true of it. It reads the world's own sentences and no others.
    """

    name = "oracle"
    stand_in = None

    async def match(
        self, requests: Sequence[MatchRequest], *, on_result: Callable[[MatchResult], None] | None = None
    ) -> list[MatchResult]:
        """One result for each request, in their order."""
        results = []
        for request in requests:
            result = MatchResult(
                id=f"{request.id}/oracle",
                request_id=request.id,
                judge=self.name,
                entries=tuple(_entries(request)),
                statuses=(MetaJudgeStatus.OK,),
            )
            results.append(result)
            if on_result is not None:
                on_result(result)
        return results


def _entries(request: MatchRequest) -> list[Entry]:
    references = [read(text) for text in request.references]
    reasons = [read(text, swapped=request.swapped) for text in request.reasons]
    return [
        (i, j, 1.0)
        for i, reference in enumerate(references)
        for j, reason in enumerate(reasons)
        if reference is not None and reference == reason
    ]


def favours(reason: str) -> int:
    """Which response a sentence of the world speaks for, as it names them: 1 for A, -1 for B, 0 for any other text.

    Flaws blame, and shallow reasons praise.
    """
    found = _REASON.fullmatch(reason.strip())
    if found is None or (found[2] not in flaws() and found[2] not in GENERIC):
        return 0
    named = 1 if found[1] in "1A" else -1
    return named if found[2] in GENERIC else -named


def read(text: str, *, swapped: bool = False) -> tuple[int, str] | None:
    """The response (1 or 2) and the flaw that a reason names; None for any other sentence.

    `swapped` when the text calls response 2 A.
    """
    found = _REASON.fullmatch(text.strip())
    if found is None or found[2] not in flaws():
        return None
    side = 1 if found[1] in "1A" else 2
    return (3 - side if swapped else side), found[2]
