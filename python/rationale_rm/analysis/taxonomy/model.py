"""The labeller that asks a language model (prompts/taxonomy), for all reasons of an answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rationale_rm import prompts
from rationale_rm.analysis.taxonomy.labels import Labels
from rationale_rm.analysis.taxonomy.parse import TaxonomyStatus, parse
from rationale_rm.engine import Sampling
from rationale_rm.judge import Answer, Caller, Question

MAX_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings:
    """How the model is asked."""

    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = MAX_TOKENS
    constrain: bool = True
    """Hold answers to the form, where the server can."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for numbers out of range."""
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature is {self.temperature}: expected 0 to 2")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens}: expected 1 or more")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, with the prompt's template: what an answer depends on besides the model."""
        return {"template": prompts.template_id("taxonomy"), **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """The reasons of one answer, and what they are about."""

    id: str
    context: tuple[Mapping[str, Any], ...] | str
    response1: str
    response2: str
    verdict: int | None
    """What they are reasons for (`Verdict`, about response 1 and 2)."""
    reasons: tuple[str, ...]
    swapped: bool = False
    """Whether the model that gave them saw response 2 as A."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelResult:
    """What became of a request."""

    request: LabelRequest
    labels: tuple[Labels, ...] | None
    """One for each reason; None where there is no answer, which is not the same as no flaw."""
    status: TaxonomyStatus | None
    """How the last answer was read; None where none came."""
    error: str | None = None
    """Why there are no labels: the cause (`rationale_rm.judge.faults`), and what happened."""
    text: str | None = None
    """The model's last answer."""


OnLabels = Callable[[LabelResult], None]


async def label_each(
    caller: Caller, requests: Iterable[LabelRequest], on_labels: OnLabels, settings: LabelSettings | None = None
) -> None:
    """Asks the caller's model about every request.

    Requests are read as calls become free, and nothing is kept. `on_labels` hears of each as soon as it has ended, in
    any order; what it raises stops the run. An answer that cannot be read is asked for again, within the caller's
    attempts.
    """
    settings = settings or LabelSettings()
    under_way: dict[int, LabelRequest] = {}

    def questions() -> Iterator[Question]:
        number = 0
        for request in requests:
            if not request.reasons:
                on_labels(LabelResult(request=request, labels=(), status=TaxonomyStatus.OK))
                continue
            under_way[number] = request
            number += 1
            yield question(caller, request, settings)

    def on_answer(number: int, answer: Answer) -> None:
        on_labels(read_answer(answer, under_way.pop(number)))

    await caller.ask(questions(), on_answer)


def question(caller: Caller, request: LabelRequest, settings: LabelSettings) -> Question:
    """What the model is asked about a request, which has reasons."""
    context = request.context if isinstance(request.context, str) else [dict(message) for message in request.context]
    n_reasons = len(request.reasons)

    def check(text: str) -> str | None:
        read = parse(text, n_reasons)
        if read.status is TaxonomyStatus.OK:
            return None
        return f"{read.status.name.lower()} (line {read.line})" if read.line else read.status.name.lower()

    return Question(
        key={
            "ask": "taxonomy",
            "template": prompts.template_id("taxonomy"),
            "context": context,
            "responses": [request.response1, request.response2],
            "reasons": list(request.reasons),
            "verdict": request.verdict,
            "swapped": request.swapped,
        },
        prompt=lambda call: prompts.taxonomy(
            context,
            request.response1,
            request.response2,
            request.reasons,
            key=caller.key,
            call=call,
            verdict=request.verdict,
            swapped=request.swapped,
        ),
        sampling=Sampling(
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            regex=prompts.taxonomy_regex(n_reasons) if settings.constrain else None,
        ),
        check=check,
    )


def read_answer(answer: Answer, request: LabelRequest) -> LabelResult:
    """The answer as labels."""
    read = None if answer.text is None else parse(answer.text, len(request.reasons))
    labels: Sequence[Labels] | None = None if read is None or answer.error is not None else read.labels
    return LabelResult(
        request=request,
        labels=None if labels is None else tuple(labels),
        status=None if read is None else read.status,
        error=answer.error,
        text=answer.text,
    )
