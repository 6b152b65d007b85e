"""The MetaJudge (paper, §2.2 and App. C): an LLM that matches model reasons with human ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from rationale_rm import _core as core
from rationale_rm import prompts
from rationale_rm.engine import Sampling
from rationale_rm.judge import loop
from rationale_rm.judge.answers import NO_REFERENCES, read_samples
from rationale_rm.judge.caller import Answer, Caller, Question
from rationale_rm.judge.protocol import OnResult
from rationale_rm.types import MatchRequest, MatchResult, MetaJudgeStatus

MAX_TOKENS: Final = 2048
SEVERAL_TEMPERATURE: Final = 0.7
"""Default temperature where several samples are averaged."""


class MetaJudge:
    """Asks a model which reason fulfils each human reason, and how far.

    Each request is put to the model `samples` times, and the score of a cell is its mean over the answers that
    could be read (`read_samples`). A request whose calls all failed comes back unanswered, with cause and last
    text. `constrain` asks servers that can to hold the answer to the form that the parser reads: free
    reasoning of at most 24 lines, or of at most `reasoning_chars` characters (which servers of models with a large
    vocabulary take seconds to compile for every new pair of list lengths), then exactly one line a reference.
    """

    stand_in: str | None = None

    def __init__(
        self,
        caller: Caller,
        *,
        samples: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        max_tokens: int = MAX_TOKENS,
        constrain: bool = True,
        reasoning_chars: int | None = None,
    ):
        if samples < 1:
            raise ValueError(f"samples is {samples}: expected 1 or more")
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}: expected 1 or more")
        if constrain:
            prompts.metajudge_regex(1, 1, reasoning_chars=reasoning_chars)  # raises for a number out of range
        if temperature is not None and not 0 <= temperature <= 2:
            raise ValueError(f"temperature is {temperature}: expected 0 to 2")
        if temperature is None:
            temperature = 0.0 if samples == 1 else SEVERAL_TEMPERATURE
        if samples > 1 and temperature == 0:
            raise ValueError("several samples at temperature 0 are all the same: set a temperature, or samples=1")
        self.caller = caller
        self.samples = samples
        self.temperature = temperature
        self.seed = seed
        self.max_tokens = max_tokens
        self.constrain = constrain
        self.reasoning_chars = reasoning_chars

    @property
    def name(self) -> str:
        """The client's name."""
        return self.caller.client.name

    @property
    def template(self) -> str:
        """The id of the prompt template, which is part of every cache key."""
        return prompts.template_id("metajudge")

    def settings(self) -> dict[str, Any]:
        """What its answers depend on besides the model, as plain JSON."""
        return {
            "template": self.template,
            "samples": self.samples,
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "constrain": self.constrain,
            "reasoning_chars": self.reasoning_chars,
        }

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """One result for each request, in their order.

        `on_result` hears of each as soon as its samples are there, on the thread that makes the calls; what it
        raises stops the run.
        """
        results: list[MatchResult | None] = [None] * len(requests)

        def settle(row: int, result: MatchResult) -> None:
            results[row] = result
            if on_result is not None:
                on_result(result)

        await loop.hop(self._match(requests, settle))
        return [result for result in results if result is not None]

    async def match_each(self, requests: Iterable[MatchRequest], on_result: OnResult) -> None:
        """`match` for any number of requests: they are read as calls become free, and nothing is kept."""
        await loop.hop(self._match(requests, lambda _, result: on_result(result)))

    async def _match(self, requests: Iterable[MatchRequest], settle: Callable[[int, MatchResult], None]) -> None:
        under_way: dict[int, _Open] = {}
        places: dict[int, tuple[int, int]] = {}  # number of the question → row, sample
        numbers = count()

        def questions() -> Iterator[Question]:
            for row, request in enumerate(requests):
                settled = self.without_asking(request)
                if settled is not None:
                    settle(row, settled)
                    continue
                under_way[row] = _Open(request)
                for sample in range(self.samples):
                    places[next(numbers)] = row, sample
                    yield self.question(request, sample)

        def on_answer(number: int, answer: Answer) -> None:
            row, sample = places.pop(number)
            asked = under_way[row]
            asked.answers[sample] = answer
            if len(asked.answers) == self.samples:
                settle(row, self._result(under_way.pop(row)))

        await self.caller.ask(questions(), on_answer)

    def without_asking(self, request: MatchRequest) -> MatchResult | None:
        """The result of a request that needs no model, for one of its lists is empty; None for others."""
        if not request.references:
            return self._made(request, error=NO_REFERENCES)
        if not request.reasons:
            return self._made(request, statuses=(MetaJudgeStatus.OK,))
        return None

    def question(self, request: MatchRequest, sample: int = 0) -> Question:
        """What the model is asked about a request."""
        n_references, n_reasons = len(request.references), len(request.reasons)
        reasoning = self.reasoning_chars if self.constrain else None
        regex = None
        if self.constrain:
            regex = prompts.metajudge_regex(n_references, n_reasons, reasoning_chars=self.reasoning_chars)

        def check(text: str) -> str | None:
            status = int(core.parse_metajudge([text], n_references, n_reasons).status[0])
            return None if status == 0 else core.METAJUDGE_STATUSES[status]

        return Question(
            key={
                "ask": "metajudge",
                "template": self.template,
                "references": list(request.references),
                "reasons": list(request.reasons),
                "swapped": request.swapped,
                "sample": sample,
                "reasoning_chars": reasoning,
            },
            prompt=lambda call: prompts.metajudge(
                request.references,
                request.reasons,
                key=self.caller.key,
                call=call,
                swapped=request.swapped,
                reasoning_chars=reasoning,
            ),
            sampling=Sampling(
                max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed + sample, regex=regex
            ),
            check=check,
        )

    def _result(self, asked: _Open) -> MatchResult:
        request = asked.request
        answers = [asked.answers[sample] for sample in range(self.samples)]
        texts = tuple(answer.text for answer in answers if answer.text is not None)
        errors = [answer.error for answer in answers if answer.error is not None]
        ((entries, statuses),) = read_samples([texts], [len(request.references)], [len(request.reasons)])
        return self._made(request, entries=entries, statuses=statuses, samples=texts, error="; ".join(errors) or None)

    def _made(self, request: MatchRequest, **fields: object) -> MatchResult:
        return MatchResult(id=f"{request.id}/result", request_id=request.id, judge=self.name, **fields)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Open:
    """A request under way, with the answers that are there by their sample."""

    request: MatchRequest
    answers: dict[int, Answer] = field(default_factory=dict)
