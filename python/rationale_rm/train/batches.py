"""What the model is shown: pairs as prompts, in which order, and rows of tokens as micro-batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from rationale_rm import prompts
from rationale_rm._core import RationaleError
from rationale_rm.engine import Generation
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.train.recipe import Recipe
from rationale_rm.types import Pair

Messages = tuple[Mapping[str, str], ...]
_SPREAD: Final = 64
"""Tokens by which the two orders of a pair may differ in length; prompts that are so near the limit are tried both
ways."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair in the order in which it is shown."""

    pair: Pair
    swapped: bool
    seed: int
    """What the answers to it are drawn from."""


class Prompts:
    """Puts pairs into words. Rendered prompts are not kept: they are quickly made again."""

    def __init__(self, recipe: Recipe, chat: ChatTokenizer, digest: bytes):
        self._style = recipe.prompt.style
        self._chat = chat
        self._limit = recipe.prompt.max_tokens
        # Whoever writes a text of the data cannot know the codes that it will stand behind: they depend on that text.
        self._key = hashlib.sha256(f"{recipe.seed}/".encode() + digest).digest()

    def messages(self, pair: Pair, swapped: bool, n_reasons: int | None) -> Messages:
        """The chat that shows a pair."""
        if self._style == "brief":
            return prompts.genrm_brief(pair, swapped=swapped).messages
        return prompts.genrm(
            pair, key=self._key, call=f"{pair.id}/{swapped}", swapped=swapped, n_reasons=n_reasons
        ).messages

    def ids(self, messages: Messages) -> list[int]:
        """The tokens of a chat, up to where the answer begins. Raises `RationaleError` where there are none."""
        found = self._chat.encode(messages)
        if isinstance(found, Generation):
            raise RationaleError(found.error or "the prompt cannot be read")
        return found

    def fitting(self, pairs: Sequence[Pair], n_reasons: int | None) -> tuple[list[Pair], int, str | None]:
        """The pairs whose prompt is within ``prompt.max_tokens`` in either order, how many are not, and why the last
        of them is not.
        """
        kept, why = [], None
        for pair in pairs:
            fault = self._fault(pair, n_reasons)
            if fault is None:
                kept.append(pair)
            else:
                why = f"{pair.id}: {fault}"
        return kept, len(pairs) - len(kept), why

    def _fault(self, pair: Pair, n_reasons: int | None) -> str | None:
        for swapped in (False, True):
            found = self._chat.encode(self.messages(pair, swapped, n_reasons))
            if isinstance(found, Generation):
                return found.error
            if len(found) > self._limit:
                return f"the prompt has {len(found)} tokens, prompt.max_tokens is {self._limit}"
            if len(found) + _SPREAD <= self._limit:
                return None
        return None


class Order:
    """Which pairs each step shows: all of them once in an order drawn anew each time round, and so on.

    A step depends on the seed and its number alone, so that a run can go on from any step.
    """

    def __init__(self, pairs: Sequence[Pair], seed: int, order: str = "random", *, purpose: str = "train"):
        self._pairs = pairs
        self._seed = seed
        self._order = order
        self._purpose = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
        self._epoch = -1
        self._permutation: list[int] = []

    def step(self, step: int, size: int) -> list[Shown]:
        """The `size` pairs of a step, counted from 0."""
        return [self._at(place) for place in range(step * size, (step + 1) * size)]

    def _at(self, place: int) -> Shown:
        epoch, rest = divmod(place, len(self._pairs))
        if epoch != self._epoch:
            generator = np.random.default_rng([self._seed, self._purpose, epoch])
            self._permutation = generator.permutation(len(self._pairs)).tolist()
            self._epoch = epoch
        pair = self._pairs[self._permutation[rest]]
        drawn = np.random.SeedSequence([self._seed, self._purpose, place]).generate_state(2, np.uint64)
        swapped = self._order == "swapped" or (self._order == "random" and bool(drawn[0] & np.uint64(1)))
        return Shown(pair, swapped, int(drawn[1]) >> 1)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt and the tokens behind it that are scored."""

    prompt: Sequence[int]
    answer: Sequence[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Rows that go through the model together, padded on the right to the longest of them."""

    rows: tuple[int, ...]
    """Which of the rows that were given; empty for one that only keeps pace with other processes, and holds a
    single token that must not count.
    """
    input_ids: torch.Tensor
    """int64 (b, width)"""
    places: torch.Tensor
    """int64 (n,): which hidden state, counted through the flattened rows, predicts each answer token."""
    targets: torch.Tensor
    """int64 (n,): the answer tokens, row after row."""
    mask: torch.Tensor
    """bool (b, t): where the answer of a row has a token; its n cells, in order, are `targets`."""

    def table(self, values: torch.Tensor) -> torch.Tensor:
        """Values (n,) of the answer tokens as (b, t), 0 beside them."""
        return torch.zeros(self.mask.shape, dtype=values.dtype, device=values.device).masked_scatter(self.mask, values)


def micro_batches(lengths: Sequence[int], budget: int, n_processes: int = 1) -> list[list[list[int]]]:
    """Deals rows of these lengths out to micro-batches of at most `budget` tokens with padding: for each process a list
    of lists of rows, as many for each and at least one, the missing ones empty.

    Rows of like length go together, so that there is little padding; a row longer than the budget goes alone.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    total = sum(lengths)
    budget = min(budget, max(-(-total // n_processes), 1))  # work for every process
    dealt: list[list[int]] = []
    width = 0
    for row in order:
        if not dealt or (len(dealt[-1]) + 1) * width > budget:
            dealt.append([])
            width = lengths[row]
        dealt[-1].append(row)
    dealt += [[] for _ in range(-len(dealt) % n_processes or (0 if dealt else n_processes))]
    return [dealt[process::n_processes] for process in range(n_processes)]


def micro_batch(rows: Sequence[int], tokens: Sequence[Tokens], pad: int, device: Any) -> MicroBatch:
    """The micro-batch of these `rows` of `tokens`."""
    held = [tokens[row] for row in rows] or [Tokens((pad,), (pad,))]
    width = max(map(len, held))
    ids = np.full((len(held), width), pad, dtype=np.int64)
    mask = np.zeros((len(held), max(len(one.answer) for one in held)), dtype=bool)
    places, targets = [], []
    for place, one in enumerate(held):
        prompt, answer = one.prompt, one.answer
        ids[place, : len(prompt)] = prompt
        ids[place, len(prompt) : len(prompt) + len(answer)] = answer
        mask[place, : len(answer)] = True
        first = place * width + len(prompt) - 1
        places.append(np.arange(first, first + len(answer)))
        targets.append(np.asarray(answer, dtype=np.int64))
    return MicroBatch(
        rows=tuple(rows),
        input_ids=torch.from_numpy(ids).to(device),
        places=torch.from_numpy(np.concatenate(places)).to(device),
        targets=torch.from_numpy(np.concatenate(targets)).to(device),
        mask=torch.from_numpy(mask).to(device),
    )
