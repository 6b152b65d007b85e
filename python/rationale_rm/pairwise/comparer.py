"""Who compares two responses: a GenRM behind a `Caller`, or any async function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

from rationale_rm import critique, prompts
from rationale_rm._core import RationaleError
from rationale_rm.critique import CritiqueSettings
from rationale_rm.judge import Answer, Cache, Caller, Limits, Question
from rationale_rm.judge.openai_client import DEFAULT_KEY_VARIABLE
from rationale_rm.judge.spec import open_client, parse_spec
from rationale_rm.types import GenrmStatus, Pair

Context: TypeAlias = "str | Sequence[Mapping[str, Any]]"
"""A prompt as one text, or as chat messages."""
PromptStyle = Literal["full", "brief"]
"""``full`` is the prompt of evaluations and of critique runs (`prompts.genrm`), ``brief`` the line that small models
are trained on (`prompts.genrm_brief`)."""
UNREADABLE: Final = "unreadable"
"""Cause of a comparison whose answer came and holds no verdict; the status of `parse_genrm` follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPair:
    """Two responses to one prompt, in the order in which a judge sees them."""

    context: Context
    a: str
    b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a judge said of a `ShownPair`."""

    verdict: int | None = None
    """+2 (A much better) to -2 (B much better), 0 a tie; None where there is no answer."""
    error: str | None = None
    """Why there is none."""


class Comparer(Protocol):
    """Compares pairs: one `Compared` for each, in their order.

    Any ``async def`` of that form will do. It is awaited on the package's own event loop (`rationale_rm.judge.loop`),
    once a round with the pairs of all groups, each in both orders. A pair that it cannot judge is a `Compared` without
    a verdict; what it raises goes to the caller of the reward.
    """

    async def __call__(self, pairs: Sequence[ShownPair], /) -> Sequence[Compared]:
        """The answers to `pairs`."""
        ...


class GenrmComparer:
    """Asks a generative reward model for its verdict.

    Args:
        caller: The model, its limits and its cache.
        style: The prompt.
        settings: Temperature, lengths, seed and number of reasons (with ``brief`` the prompt asks for none); greedy by
            default. One sample a question; the order is the tournament's business.
    """

    def __init__(self, caller: Caller, *, style: PromptStyle = "full", settings: CritiqueSettings | None = None):
        if style not in get_args(PromptStyle):
            raise RationaleError(f"unknown style {style!r}: choose from {', '.join(get_args(PromptStyle))}")
        settings = settings or CritiqueSettings(n_reasons=None)
        if settings.samples != 1 or settings.order != "given":
            raise RationaleError('a comparison is one answer to a pair as it is shown: samples=1, order="given"')
        self.caller = caller
        self.style: PromptStyle = style
        self.settings = settings

    @property
    def name(self) -> str:
        """The client's name."""
        return self.caller.client.name

    async def __call__(self, pairs: Sequence[ShownPair], /) -> list[Compared]:
        """A verdict for each pair; a call that failed for good, or an answer without a verdict, has an error."""
        shown = [self._pair(pair) for pair in pairs]
        results: list[Compared] = [Compared()] * len(pairs)

        def on_answer(number: int, answer: Answer) -> None:
            results[number] = self._read(answer, shown[number])

        await self.caller.ask(map(self.question, shown), on_answer)
        return results

    async def close(self) -> None:
        """Closes the client's connections and the cache."""
        await self.caller.close()

    def question(self, pair: Pair) -> Question:
        """What the model is asked; a full one is that of critique runs, whose cache serves it."""
        asked = critique.question(self.caller, pair, False, 0, self.settings)
        if self.style == "full":
            return asked
        key = {**asked.key, "template": prompts.template_id("genrm_brief"), "n_reasons": None}
        return replace(asked, key=key, prompt=lambda call: prompts.genrm_brief(pair))

    def _read(self, answer: Answer, pair: Pair) -> Compared:
        read = critique.read(answer, pair, self.caller.client.model, False, 0)
        if read.error is not None:
            return Compared(error=read.error)
        if read.verdict is None:
            status = read.status or GenrmStatus.NO_VERDICT
            return Compared(error=f"{UNREADABLE}: {status.name.lower()}")
        return Compared(verdict=read.verdict)

    @staticmethod
    def _pair(pair: ShownPair) -> Pair:
        context = pair.context if isinstance(pair.context, str) else tuple(pair.context)
        return Pair(id="", domain="", context=context, response1=pair.a, response2=pair.b, references=())


def open_genrm(
    model: str,
    *,
    style: PromptStyle = "full",
    settings: CritiqueSettings | None = None,
    cache: str | None = None,
    limits: Limits | None = None,
    key_variable: str = DEFAULT_KEY_VARIABLE,
) -> GenrmComparer:
    """A GenRM named by a text: ``openai:NAME@URL``, ``vllm:PATH`` or ``hf:PATH``.

    `cache` is the path of the file that keeps its answers; None keeps none. Raises `ValueError` for a text that names
    no model, `OSError` for a missing folder, and what names the extra for a missing library.
    """
    client = open_client(parse_spec(model), key_variable=key_variable)
    kept = None if cache is None else Cache(cache)
    return GenrmComparer(Caller(client, cache=kept, limits=limits), style=style, settings=settings)
