"""Records into questions, answers into lists of checked claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from rationale_rm import _core as core
from rationale_rm import prompts
from rationale_rm.atomize.records import Annotated
from rationale_rm.atomize.support import Checked, check_claims
from rationale_rm.engine import Sampling
from rationale_rm.judge import Answer, Caller, Question
from rationale_rm.types import ClaimsStatus

MIN_ITEMS: Final = 3
MAX_ITEMS: Final = 7
"""The benchmark keeps pairs with 3 to 7 items (paper, §2.1)."""
MAX_TOKENS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomizeSettings:
    """How records are decomposed, and which lists are kept."""

    min_items: int = MIN_ITEMS
    max_items: int = MAX_ITEMS
    strengths: bool = False
    """Keep strengths as well as faults, as for creative writing."""
    drop_flagged: bool = False
    """Move claims that the annotators' words do not support to the ignored statements, instead of marking them."""
    temperature: float = 0.0
    max_tokens: int = MAX_TOKENS
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `ValueError` for bounds that no list can meet."""
        if not 0 <= self.min_items <= self.max_items:
            raise ValueError(f"min_items {self.min_items} and max_items {self.max_items}: expected 0 ≤ min ≤ max")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, for the head of an output."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A statement of the annotators that became no claim, and why."""

    statement: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Atomized:
    """What became of one record."""

    record: Annotated
    claims: tuple[Checked, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    empty_reason: str | None = None
    """Why the model found nothing concrete, where its list is empty."""
    kept: bool = False
    """Whether the list has as many items as asked for."""
    apart: str | None = None
    """Why it is not kept."""
    status: ClaimsStatus | None = None
    """How the answer was read; None where none came."""
    error: str | None = None
    """Why there is no list: the cause of the failed call, and what happened."""
    text: str | None = None
    """The model's answer as it came; the last unreadable one where the record failed."""


OnAtomized = Callable[[Atomized], None]


async def atomize(
    caller: Caller,
    records: Iterable[Annotated],
    on_result: OnAtomized,
    settings: AtomizeSettings | None = None,
    *,
    done: Callable[[str], bool] = lambda record_id: False,
) -> None:
    """Decomposes every record through the caller's model.

    Records are read as calls become free, and nothing is kept. `on_result` hears of each as soon as its answer is
    there, on the thread that makes the calls; what it raises stops the run. A record whose calls failed for good, or
    whose answers could not be read, is a result with `error` and the last text. `done` says which records (by id)
    are there already.
    """
    settings = settings or AtomizeSettings()
    under_way: dict[int, Annotated] = {}

    def questions() -> Iterator[Question]:
        number = 0
        for record in records:
            if done(record.id):
                continue
            under_way[number] = record
            number += 1
            yield question(caller, record, settings)

    def on_answer(number: int, answer: Answer) -> None:
        on_result(read_answer(answer, under_way.pop(number), settings))

    await caller.ask(questions(), on_answer)


def question(caller: Caller, record: Annotated, settings: AtomizeSettings) -> Question:
    """The question that shows `record` to the model."""
    context = record.context if isinstance(record.context, str) else [dict(message) for message in record.context]

    def check(text: str) -> str | None:
        batch = core.parse_claims([text])
        status = core.CLAIMS_STATUSES[batch.status[0]]
        return None if status == "ok" else f"{status} (line {batch.line[0]})" if batch.line[0] > 0 else status

    return Question(
        key={
            "ask": "decomposition",
            "template": prompts.template_id("decomposition"),
            "context": context,
            "responses": [record.response1, record.response2],
            "annotators": [[one.reasoning, one.feedback1, one.feedback2, one.score] for one in record.annotators],
            "strengths": settings.strengths,
        },
        prompt=lambda call: prompts.decomposition(
            record.context,
            record.response1,
            record.response2,
            record.annotators,
            key=caller.key,
            call=call,
            strengths=settings.strengths,
        ),
        sampling=Sampling(max_tokens=settings.max_tokens, temperature=settings.temperature, seed=settings.seed),
        check=check,
    )


def read_answer(answer: Answer, record: Annotated, settings: AtomizeSettings) -> Atomized:
    """An answer as checked claims; whether the list is kept depends on the settings."""
    status = None
    batch = None
    if answer.text is not None:
        batch = core.parse_claims([answer.text])
        status = ClaimsStatus(int(batch.status[0]))
    if answer.error is not None or batch is None or status is not ClaimsStatus.OK:
        error = answer.error or "malformed: " + ("no answer" if status is None else status.name.lower())
        return Atomized(record=record, status=status, error=error, text=answer.text, apart="no list")
    ignored = [Ignored(statement, reason) for statement, reason in batch.ignored[0]]
    claims = check_claims(_merged(batch.claims[0], ignored), record.annotators)
    if settings.drop_flagged:
        ignored += [Ignored(one.text, "; ".join(map(str, one.flags))) for one in claims if one.flags]
        claims = [one for one in claims if one.supported]
    apart = _apart(len(claims), settings)
    return Atomized(
        record=record,
        claims=tuple(claims),
        ignored=tuple(ignored),
        empty_reason=batch.empty_reason[0],
        kept=apart is None,
        apart=apart,
        status=status,
        text=answer.text,
    )


def _merged(claims: list[str], ignored: list[Ignored]) -> list[str]:
    """The claims without those that say the same in the same words; these go to `ignored`."""
    first: dict[str, int] = {}
    kept: list[str] = []
    for claim in claims:
        plain = "".join(letter for letter in claim.casefold() if letter.isalnum())
        if plain in first:
            ignored.append(Ignored(claim, f"duplicate of claim {first[plain]}"))
            continue
        kept.append(claim)
        first[plain] = len(kept)
    return kept


def _apart(n: int, settings: AtomizeSettings) -> str | None:
    """Why a list of n items is not kept."""
    items = "1 item" if n == 1 else f"{n} items"
    if n < settings.min_items:
        return f"{items}, fewer than {settings.min_items}"
    if n > settings.max_items:
        return f"{items}, more than {settings.max_items}"
    return None
