"""Any number of requests through any judge."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from rationale_rm.judge.metajudge import MetaJudge
from rationale_rm.judge.protocol import Judge, OnResult
from rationale_rm.types import MatchRequest

CHUNK: Final = 256
"""Requests that a local judge is given at once."""


async def match_each(judge: Judge, requests: Iterable[MatchRequest], on_result: OnResult) -> None:
    """Judges `requests`, which may be a generator of any length; `on_result` hears of each, and nothing is kept."""
    if isinstance(judge, MetaJudge):  # its calls overlap, so it reads the requests itself
        await judge.match_each(requests, on_result)
        return
    waiting = iter(requests)
    while chunk := list(islice(waiting, CHUNK)):
        await judge.match(chunk, on_result=on_result)
