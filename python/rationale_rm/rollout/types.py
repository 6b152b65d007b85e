"""What every sampler of rollouts offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rationale_rm.engine import EngineError, Generation, Message, Sampling
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.engine.chat import check as check_sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer of a group."""

    prompt: int
    """Which prompt of the call it answers."""
    sample: int
    """Which answer to that prompt, from 0."""
    prompt_ids: tuple[int, ...] = ()
    """The tokens of the prompt; empty where `error` kept it from being tokenised or from fitting."""
    token_ids: tuple[int, ...] = ()
    """The tokens drawn, with the one that ended the answer unless `truncated`."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each of `token_ids` under the distribution it was drawn from: after temperature
    (at temperature 0 the model's own)."""
    text: str = ""
    """`token_ids` as text, without special tokens."""
    truncated: bool = False
    """Whether its length ended it: `max_tokens`, or the model's context."""
    error: str | None = None
    """Why there is no answer, such as a prompt longer than the model's context."""


OnGroup = Callable[[int, list[Completion]], None]
"""Called as ``on_group(prompt, completions)``, from the thread that samples."""


class Rollouts(Protocol):
    """Samples groups of answers from a policy. All tokens can be drawn: ``top_p=1``, no top-k."""

    def sample(
        self,
        prompts: Sequence[Sequence[Message]],
        n: int,
        *,
        max_tokens: int,
        temperature: float,
        seeds: Sequence[int],
        on_group: OnGroup | None = None,
    ) -> list[list[Completion]]:
        """`n` answers to each prompt, of up to `max_tokens` tokens, in the order of the prompts.

        Answer i to a prompt is drawn from the prompt's seed and i alone, so that a run that is resumed draws the same.
        `on_group` is told of each prompt as soon as all its answers are there, in any order, before this returns; what
        it raises ends the sampling. A prompt that cannot be answered is a group of completions with an `error`.
        Raises `EngineError` on misuse.
        """
        ...

    def sync(self, model: Any) -> None:
        """Gives the sampler the present weights of the trainer's module `model`."""
        ...

    def close(self) -> None:
        """Gives back what the sampler holds. Closing twice is fine."""
        ...


def row_seed(seed: int, sample: int) -> int:
    """The seed of answer `sample` to a prompt whose seed is `seed`: 63 bits, mixed by numpy's SeedSequence."""
    state = np.random.SeedSequence([seed % 2**64, sample]).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def sampling_of(
    prompts: Sequence[Sequence[Message]], n: int, seeds: Sequence[int], max_tokens: int, temperature: float
) -> Sampling:
    """How the answers of a call are drawn, but for their seeds. Raises `EngineError` for what no sampler can do."""
    if n < 1:
        raise EngineError(f"n must be at least 1, not {n}")
    if len(seeds) != len(prompts):
        raise EngineError(f"{len(prompts)} prompts but {len(seeds)} seeds")
    how = Sampling(max_tokens=max_tokens, temperature=temperature)
    check_sampling(prompts, [how] * len(prompts))
    return how


class GroupsOfRows:
    """Collects completions in any order, and tells `on_group` of each group that is complete."""

    def __init__(self, n_prompts: int, n: int, on_group: OnGroup | None):
        self._n = n
        self._on_group = on_group
        self._groups: list[dict[int, Completion]] = [{} for _ in range(n_prompts)]

    def encode(self, prompts: Sequence[Sequence[Message]], chat: ChatTokenizer) -> dict[int, list[int]]:
        """Prompt → its tokens; the groups of those that have none are filled with why."""
        encoded: dict[int, list[int]] = {}
        for index, messages in enumerate(prompts):
            ids = chat.encode(messages)
            if isinstance(ids, Generation):
                self.failed(index, ids.error or "")
            else:
                encoded[index] = ids
        return encoded

    def add(self, completion: Completion) -> None:
        """Takes one completion in."""
        group = self._groups[completion.prompt]
        group[completion.sample] = completion
        if len(group) == self._n and self._on_group is not None:
            self._on_group(completion.prompt, self._ordered(group))

    def failed(self, prompt: int, error: str) -> None:
        """Fills the group of a prompt that cannot be answered."""
        for sample in range(self._n):
            self.add(Completion(prompt=prompt, sample=sample, error=error))

    def complete(self) -> list[list[Completion]]:
        """All groups, which must be complete."""
        return [self._ordered(group) for group in self._groups]

    def _ordered(self, group: dict[int, Completion]) -> list[Completion]:
        return [group[sample] for sample in range(self._n)]
