"""What the local judges share: requests in, tables of probabilities, results out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Final, NamedTuple

import numpy as np

from rationale_rm.judge.answers import NO_REFERENCES
from rationale_rm.judge.local.alignment import Floats, rivalry
from rationale_rm.judge.local.claims import Claim, read
from rationale_rm.judge.local.conflicts import CONFLICTS, conflicts
from rationale_rm.judge.local.model import Coefficients
from rationale_rm.judge.local.thread import in_thread
from rationale_rm.judge.protocol import OnResult
from rationale_rm.types import MatchRequest, MatchResult, MetaJudgeStatus

PART: Final = 32
"""Requests that are answered together; a result never depends on which."""
PART_CELLS: Final = 4096
"""Their cells: a batch that is cancelled goes on for one part, a tenth of a second, or one request."""
SATURATION: Final = 4.0
"""Spreads of chance."""
LISTED: Final = ("over_mean", "over_best", "listed")
"""Features that the lists give: a cell's lead over its rivals, and whether it has any."""
FEATURES: Final = ("likeness", *LISTED, *CONFLICTS)
"""What the probability of a cell is made of, in the order of `LocalJudge.feature_tables`."""


@lru_cache(maxsize=1 << 16)
def read_cached(text: str) -> Claim:
    """`claims.read`, which many requests ask for the same human reasons."""
    return read(text)


class Background(NamedTuple):
    """Unrelated reasons (``background.json``), on which a judge's measures are put to scale."""

    praise: tuple[str, ...]
    blame: tuple[str, ...]


@cache
def background() -> Background:
    """The shipped reasons."""
    data = json.loads(resources.files(__package__).joinpath("background.json").read_text("utf-8"))
    return Background(tuple(data["praise"]), tuple(data["blame"]))


class LocalJudge(ABC):
    """A stand-in for a MetaJudge that reads no more than words, or a small model's idea of them.

    A request is answered from its own two lists, so its result is the same whatever else is asked with it.
    """

    name: str
    stand_in: str | None
    measures: tuple[str, ...]
    """Names of the similarity measures; their mean, on the scale of unrelated reasons, is ``likeness``."""

    def __init__(self, coefficients: Coefficients):
        self.coefficients = coefficients

    @abstractmethod
    def measure(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """A table (references, reasons, len(measures)) for each request, all of valid Unicode."""

    @abstractmethod
    def leading(self, table: Floats) -> Floats:
        """(references, reasons): what a cell's rivals are compared by, from the scaled measures."""

    def scale(self) -> tuple[Floats, Floats]:
        """Mean and spread (len(measures),) of each measure over pairs of unrelated reasons."""
        lists = background()
        requests = [_unrelated(lists.praise, lists.blame), _unrelated(lists.blame, lists.praise)]
        cells = np.concatenate([table.reshape(-1, len(self.measures)) for table in self.measure(requests)])
        return cells.mean(axis=0), np.maximum(cells.std(axis=0), 1e-6)

    @cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        return self.scale()

    def scaled(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """The measures of each request in units of chance: 0 is what unrelated reasons have, 1 is one spread more."""
        mean, spread = self._scale
        for table in self.measure(requests):
            yield (table - mean) / spread

    def feature_tables(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """(references, reasons, len(FEATURES)) for each request; what the coefficients are fitted on."""
        for request, measures in zip(requests, self.scaled(requests), strict=True):
            n, m = measures.shape[:2]
            table = np.zeros((n, m, len(FEATURES)))
            if n and m:
                table[..., 0] = _saturated(self.likeness(measures))
                table[..., 1:3] = rivalry(self.leading(measures))
                table[..., 3] = n > 1 or m > 1
                table[..., 4:] = self.conflicts(request)
            yield table

    def likeness(self, measures: Floats) -> Floats:
        """(references, reasons): the mean of the scaled measures."""
        mean: Floats = measures.mean(axis=-1)
        return mean

    def conflicts(self, request: MatchRequest) -> Floats:
        """(references, reasons, len(CONFLICTS))."""
        references = [read_cached(text) for text in request.references]
        reasons = [read_cached(text) for text in request.reasons]
        rows = [[conflicts(ours, theirs, swapped=request.swapped) for theirs in reasons] for ours in references]
        return np.array(rows, dtype=np.float64)

    def probabilities(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """(references, reasons) for each request: the chance that the two make the same point, before the floor.

        Texts must be valid Unicode. A blank text makes no point: its chances are 0.
        """
        for request, table in zip(requests, self.feature_tables(requests), strict=True):
            chances = self.coefficients.probability(table, FEATURES)
            chances[[not text.strip() for text in request.references], :] = 0.0
            chances[:, [not text.strip() for text in request.reasons]] = 0.0
            yield chances

    def answer(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """One result for each request, in their order.

        A list with text that is not valid Unicode has a result without an answer, and says where; so has a request
        without human reasons.
        """
        results: list[MatchResult] = []
        for asked in parts(requests):
            part = self._part(asked)
            results += part
            for result in part if on_result else ():
                on_result(result)  # type: ignore[misc]
        return results

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """As `answer`, beside the event loop: a trainer goes on while a thread computes. Cancelled, it ends with the
        part that the thread is at.
        """
        results: list[MatchResult] = []
        for asked in parts(requests):
            part = await in_thread(self._part, asked)
            results += part
            for result in part if on_result else ():
                on_result(result)  # type: ignore[misc]
        return results

    def _part(self, requests: Sequence[MatchRequest]) -> list[MatchResult]:
        faults = [_fault(request) for request in requests]
        sound = [request for request, fault in zip(requests, faults, strict=True) if fault is None]
        tables = iter(list(self.probabilities(sound)))
        return [
            self._made(request, fault=fault) if fault else self._made(request, table=next(tables))
            for request, fault in zip(requests, faults, strict=True)
        ]

    def _made(self, request: MatchRequest, *, table: Floats | None = None, fault: str | None = None) -> MatchResult:
        entries: list[tuple[int, int, float]] = []
        status = MetaJudgeStatus.OK if fault is None else MetaJudgeStatus.INVALID_UNICODE
        if table is not None:
            scores = np.round(table, 4)
            kept = np.argwhere((scores >= self.coefficients.floor) & (scores > 0))
            entries = [(i, j, float(scores[i, j])) for i, j in kept.tolist()]
        return MatchResult(
            id=f"{request.id}/result",
            request_id=request.id,
            judge=self.name,
            entries=tuple(entries),
            statuses=() if fault == NO_REFERENCES else (status,),
            error=fault,
        )


def parts(requests: Sequence[MatchRequest]) -> Iterator[Sequence[MatchRequest]]:
    """Runs of at most `PART` requests and `PART_CELLS` cells; a request of more cells is a part of its own."""
    start = cells = 0
    for at, request in enumerate(requests):
        size = len(request.references) * len(request.reasons)
        if at > start and (at - start == PART or cells + size > PART_CELLS):
            yield requests[start:at]
            start, cells = at, 0
        cells += size
    if start < len(requests):
        yield requests[start:]


def _saturated(likeness: Floats) -> Floats:
    """Past `SATURATION` the texts speak of the same thing, and more likeness must not outweigh a conflict."""
    bounded: Floats = SATURATION * np.tanh(likeness / SATURATION)
    return bounded


def _unrelated(references: Sequence[str], reasons: Sequence[str]) -> MatchRequest:
    return MatchRequest(
        id="", critique_id="", pair_id="", model="", references=tuple(references), reasons=tuple(reasons)
    )


def _fault(request: MatchRequest) -> str | None:
    if not request.references:
        return NO_REFERENCES
    for kind, texts in (("reference", request.references), ("reason", request.reasons)):
        for at, text in enumerate(texts):
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                return f"{kind} {at + 1} is not valid Unicode: lone surrogate at character {error.start + 1}"
    return None
