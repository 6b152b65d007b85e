"""Runs a GenRM over pairs: a conversation and two responses in, reasons and a verdict out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from rationale_rm import _core as core
from rationale_rm import prompts
from rationale_rm.engine import Sampling
from rationale_rm.judge import Answer, Caller, Question
from rationale_rm.judge.faults import EMPTY_ANSWER
from rationale_rm.types import Critique, GenrmStatus, Pair

Order = Literal["given", "swapped", "both", "random"]
"""Which response is shown as A: response 1, response 2, each once, or one of them by a seeded draw a pair."""
Style = Literal["full", "brief"]
"""The whole prompt, or the question in one line, for small models that training has taught what to do."""
N_REASONS: Final = 5
"""Reasons that evaluations ask for (paper, §2.2); training asks for no number."""
MAX_TOKENS: Final = 4096
REASONING_CHARACTERS: Final = 2000

OnCritique = Callable[[Pair, Critique], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueSettings:
    """How a GenRM is asked."""

    order: Order = "given"
    samples: int = 1
    """Answers a pair and order."""
    n_reasons: int | None = N_REASONS
    """Exactly so many reasons are asked for; None leaves the number to the model."""
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    max_tokens: int = MAX_TOKENS
    constrain: bool = False
    """Hold the answer to the form by constrained output, where the server can. Off by default: form is part of
    what a GenRM is judged by."""
    style: Style = "full"
    """A brief prompt asks for no number of reasons."""

    @property
    def template(self) -> str:
        """The id of the prompt's template."""
        return prompts.template_id("genrm" if self.style == "full" else "genrm_brief")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, with the prompt's template: what an answer depends on besides the model."""
        return {"template": self.template, **{k: v for k, v in asdict(self).items() if k != "style"}}

    def __post_init__(self) -> None:
        """Raises `ValueError` for numbers out of range."""
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}: expected 1 or more")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("several samples at temperature 0 are all the same: set a temperature, or samples=1")
        if self.n_reasons is not None and self.n_reasons < 1:
            raise ValueError(f"n_reasons is {self.n_reasons}: expected None or 1 and more")
        if self.constrain and self.n_reasons is None:
            raise ValueError("constrained answers need n_reasons")


async def critique(
    caller: Caller,
    pairs: Iterable[Pair],
    on_critique: OnCritique,
    settings: CritiqueSettings | None = None,
    *,
    done: Callable[[str], bool] = lambda critique_id: False,
) -> None:
    """Asks the caller's model about every pair, in the orders and samples that the settings name.

    Pairs are read as calls become free, and nothing is kept. `on_critique` hears of each answer as soon as it is
    there; what it raises stops the run. An answer that breaks the form is the model's own fault: it is a critique
    with that status and is not asked again. A call that failed for good is a critique with an `error`. `done` says
    which critiques (by id) are there already.
    """
    settings = settings or CritiqueSettings()
    under_way: dict[int, tuple[Pair, bool, int]] = {}

    def questions() -> Iterator[Question]:
        number = 0
        for pair in pairs:
            for swapped, sample in shown(pair.id, settings):
                if done(critique_id(pair.id, swapped, sample)):
                    continue
                under_way[number] = (pair, swapped, sample)
                number += 1
                yield question(caller, pair, swapped, sample, settings)

    def on_answer(number: int, answer: Answer) -> None:
        pair, swapped, sample = under_way.pop(number)
        on_critique(pair, read(answer, pair, caller.client.model, swapped, sample))

    await caller.ask(questions(), on_answer)


def shown(pair_id: str, settings: CritiqueSettings) -> Iterator[tuple[bool, int]]:
    """The orders (whether swapped) and samples in which a pair is shown."""
    drawn = hashlib.sha256(f"{settings.seed}/{pair_id}".encode("utf-8", "replace")).digest()[0] & 1 == 1
    orders = {"given": (False,), "swapped": (True,), "both": (False, True), "random": (drawn,)}
    for swapped in orders[settings.order]:
        for sample in range(settings.samples):
            yield swapped, sample


def critique_id(pair_id: str, swapped: bool, sample: int) -> str:
    """The id of one answer: the pair's own for the first, ``ID#swapped``, ``ID#1`` and ``ID#swapped#1`` else."""
    return f"{pair_id}{'#swapped' if swapped else ''}{f'#{sample}' if sample else ''}"


def question(caller: Caller, pair: Pair, swapped: bool, sample: int, settings: CritiqueSettings) -> Question:
    """The question that shows `pair` to the model."""
    context = pair.context if isinstance(pair.context, str) else [dict(message) for message in pair.context]
    regex = None
    if settings.constrain and settings.n_reasons is not None:
        regex = prompts.genrm_regex(settings.n_reasons)

    def prompt(call: str) -> prompts.Prompt:
        if settings.style == "brief":
            return prompts.genrm_brief(pair, swapped=swapped)
        return prompts.genrm(pair, key=caller.key, call=call, swapped=swapped, n_reasons=settings.n_reasons)

    return Question(
        key={
            "ask": "genrm",
            "template": settings.template,
            "context": context,
            "responses": [pair.response1, pair.response2],
            "n_reasons": settings.n_reasons,
            "swapped": swapped,
            "sample": sample,
        },
        prompt=prompt,
        sampling=Sampling(
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed + sample,
            regex=regex,
        ),
        check=lambda text: None,
    )


def read(answer: Answer, pair: Pair, model: str, swapped: bool, sample: int) -> Critique:
    """The answer as a critique, its verdict flipped back where the pair was shown swapped."""
    error = answer.error
    text = answer.text
    if error is not None and error.startswith(EMPTY_ANSWER):
        error, text = None, ""  # the server is there, and the model says nothing
    status, verdict, reasons = None, None, None
    if error is None:
        parsed = core.parse_genrm([text])
        status = GenrmStatus(int(parsed.status[0]))
        reasons = tuple(parsed.reasons[0])
        if status is GenrmStatus.OK:
            verdict = int(parsed.verdict[0]) * (-1 if swapped else 1)
    return Critique(
        id=critique_id(pair.id, swapped, sample),
        pair_id=pair.id,
        model=model,
        reasons=reasons,
        verdict=verdict,
        status=status,
        text=text,
        swapped=swapped,
        sample=sample,
        error=error,
    )
