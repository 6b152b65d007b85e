"""The judge as the server's requests reach it: its work is bounded and counted, and its address stays here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rationale_rm.judge import Judge
from rationale_rm.judge.protocol import OnResult
from rationale_rm.server.problems import Problem, busy
from rationale_rm.server.settings import ServerSettings
from rationale_rm.types import MatchRequest, MatchResult

_CAUSE: Final = re.compile(r"[a-z_]+")
_STATUS: Final = re.compile(r" answered (\d{3})\b")


class ServedJudge:
    """A judge behind the server's limits.

    A cell is a human reason beside a model reason: what a judge has to look at. Cells count until the judge has really
    ended, also those of a request that was given up before: the thread of a local judge cannot be stopped.

    `match` runs on the loop of `rationale_rm.judge.loop` alone, so nothing here locks.
    """

    def __init__(self, judge: Judge, settings: ServerSettings):
        self._judge = judge
        self._settings = settings
        self.cells = 0
        """Cells that the judge is at."""

    @property
    def name(self) -> str:
        """The judge's, without its address."""
        return self._judge.name.partition("@")[0]

    @property
    def stand_in(self) -> str | None:
        """The judge's."""
        return self._judge.stand_in

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """Asks the judge. Raises `Problem` 413 for too many cells, and 429 while too many are under way; a batch that
        is alone always fits.
        """
        cells = sum(len(request.references) * len(request.reasons) for request in requests)
        limit = self._settings.max_cells
        if cells > limit:
            raise Problem(
                413,
                "too_many_cells",
                f"{cells} cells (human reasons times model reasons, over all rows) in one request: at most {limit} "
                "(max_cells), so send fewer rows or shorter lists",
            )
        if self.cells and self.cells + cells > self._settings.max_cells_pending:
            raise busy("cells")
        self.cells += cells
        try:
            results = await self._judge.match(requests, on_result=on_result)
        finally:
            self.cells -= cells
        return [
            result if result.error is None else replace(result, error=without_address(result.error))
            for result in results
        ]


def without_address(error: str | None) -> str | None:
    """A cause that names a URL, cut to the cause itself and the status: what stands beside them is where the judge is,
    and what it or a proxy before it said.
    """
    if error is None or "://" not in error:
        return error
    cause, status = _CAUSE.match(error), _STATUS.search(error)
    return f"{cause[0] if cause else 'failed'}: the judge {f'answered {status[1]}' if status else 'gave no answer'}"
