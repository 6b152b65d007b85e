"""What a run would come to, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rationale_rm.engine import Generation, Message, Sampling
from rationale_rm.judge.cache import Cache
from rationale_rm.judge.caller import Question, question_key
from rationale_rm.judge.limits import CHARACTERS_A_TOKEN
from rationale_rm.judge.prices import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Calls and tokens to come. Prompt tokens are estimated from characters, answers counted at their longest."""

    questions: int
    cached: int
    """Questions whose answer is in the cache, or that equal an earlier one."""
    prompt_tokens: int
    max_completion_tokens: int

    @property
    def calls(self) -> int:
        """Calls without retries."""
        return self.questions - self.cached

    def cost(self, price: Price | None) -> tuple[float, float] | None:
        """US dollars for the prompts alone, and with every answer at its longest; None without a price."""
        if price is None:
            return None
        return price.cost(self.prompt_tokens, 0, 0), price.cost(self.prompt_tokens, 0, self.max_completion_tokens)


def plan(questions: Iterable[Question], model: str, cache: Cache | None = None) -> Plan:
    """Renders every question, and asks none."""
    seen: set[bytes] = set()
    n_questions, n_cached, n_characters, n_tokens = 0, 0, 0, 0
    for question in questions:
        n_questions += 1
        key = question_key(model, question)
        if key in seen or (cache is not None and cache.get(key) is not None):
            n_cached += 1
            continue
        seen.add(key)
        prompt = question.prompt(key.hex())
        n_characters += sum(len(message["content"]) for message in prompt.messages)
        n_tokens += question.sampling.max_tokens
    return Plan(
        questions=n_questions,
        cached=n_cached,
        prompt_tokens=round(n_characters / CHARACTERS_A_TOKEN),
        max_completion_tokens=n_tokens,
    )


class UnaskedClient:
    """Stands for a model that is planned with and not asked: no key, no connection, nothing loaded."""

    constrains = True

    def __init__(self, name: str, model: str):
        self.name = name
        self.model = model

    async def complete(self, messages: Sequence[Message], sampling: Sampling, *, timeout: float) -> Generation:
        """Raises: a plan asks nothing."""
        raise RuntimeError(f"{self.name} was only to be planned with")

    async def close(self) -> None:
        """There is nothing to close."""
