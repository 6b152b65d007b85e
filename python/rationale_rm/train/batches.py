"""What the model is shown: pairs as prompts, and in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

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
