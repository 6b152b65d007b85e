"""What every judge offers: questions in, matches out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rationale_rm.types import MatchRequest, MatchResult

OnResult = Callable[[MatchResult], None]


class Judge(Protocol):
    """Says which model reason fulfils which human reason, and how far.

    A request that cannot be answered comes back as a result without entries and with its cause in `error`;
    it is never left out, and never 0.

    `RationaleReward` awaits `match` on rationale_rm's own event loop, in a thread of its own
    (`rationale_rm.judge.loop`), not on the caller's: what belongs to a loop or a thread (connections, locks, database
    handles) must be made within `match`, and `match` must not block, for all calls of the process wait meanwhile.
    """

    @property
    def name(self) -> str:
        """How result files name the judge, such as ``openai:NAME@URL`` or ``embedding:PATH``; no secrets."""
        ...

    @property
    def stand_in(self) -> str | None:
        """What to say wherever the scores of a judge appear that is no LLM; None for a MetaJudge."""
        ...

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """One result for each request, in their order; `on_result` hears of each as soon as it is there."""
        ...
