"""Draws of next tokens for many rows at once, each row from random numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rationale_rm.engine.types import Sampling

_BLOCK = 64  # uniform numbers taken from each generator at a time
_PART = 128  # tokens whose probabilities are summed before the search looks into them


class RowDraws:
    """The random numbers and samplings of rows that step together.

    Row i takes one number a step from a generator that its seed alone determines, so what it draws does not depend
    on the rows beside it, except where rounding of the logits tips a draw. A seed of None is a fresh one.
    """

    def __init__(self, sampling: Sequence[Sampling], device: Any):
        self._device = device
        self._generators = [np.random.default_rng(None if how.seed is None else how.seed % 2**64) for how in sampling]
        self._temperature = torch.tensor([how.temperature for how in sampling], dtype=torch.float32, device=device)
        self._top_p = torch.tensor([how.top_p for how in sampling], dtype=torch.float64, device=device)
        self._uniform = torch.empty(len(sampling), 0)
        self._at = 0
        self._plan()

    def keep(self, rows: Any) -> None:
        """Goes on with `rows` alone: int64 [kept], in ascending order."""
        self._generators = [self._generators[row] for row in rows.tolist()]
        self._temperature = self._temperature[rows]
        self._top_p = self._top_p[rows]
        self._uniform = self._uniform[rows]
        self._plan()

    def draw(self, logits: Any) -> tuple[Any, Any]:
        """From logits [rows, vocabulary] the next token of each row, int64 [rows], and its log-probability, float32.

        The log-probability is that of the distribution drawn from: after temperature and `top_p`. At temperature 0
        the likeliest token is taken, and its log-probability is the model's own.
        """
        logits = logits.float()
        if self._divisor is not None:
            logits = logits / self._divisor
        probabilities = logits.softmax(-1)
        if self._cut is not None:
            probabilities[self._cut] = _nucleus(probabilities[self._cut], self._top_p[self._cut, None])
        if self._greedy is None:
            tokens = inverse_cdf(probabilities, self._numbers())
        else:
            tokens = logits.argmax(-1)
            if not self._all_greedy:
                tokens = torch.where(self._greedy, tokens, inverse_cdf(probabilities, self._numbers()))
        return tokens, probabilities.gather(1, tokens[:, None])[:, 0].log()

    def _plan(self) -> None:
        """What the rows left need of each step; decided here so that a step asks no tensor."""
        greedy = self._temperature == 0
        self._greedy = greedy if bool(greedy.any()) else None
        self._all_greedy = bool(greedy.all())
        plain = greedy | (self._temperature == 1)
        self._divisor = None if bool(plain.all()) else torch.where(greedy, 1.0, self._temperature)[:, None]
        cut = (~greedy & (self._top_p < 1)).nonzero()[:, 0]
        self._cut = cut if len(cut) else None

    def _numbers(self) -> Any:
        if self._at == self._uniform.shape[1]:
            block = np.stack([generator.random(_BLOCK) for generator in self._generators])
            self._uniform, self._at = torch.from_numpy(block).to(self._device), 0
        self._at += 1
        return self._uniform[:, self._at - 1]


def inverse_cdf(probabilities: Any, uniform: Any) -> Any:
    """The token at which the cumulated probabilities first exceed `uniform`, int64 [rows].

    `probabilities` [rows, vocabulary] need not sum to 1; `uniform` is float64 [rows] in [0, 1). A token of
    probability 0 is never taken. Sums are float64, parts of the vocabulary first, so that no cumulated copy of a
    large vocabulary is made.
    """
    rows, vocabulary = probabilities.shape
    parts = (
        probabilities if vocabulary % _PART == 0 else torch.nn.functional.pad(probabilities, (0, -vocabulary % _PART))
    )
    parts = parts.view(rows, -1, _PART)
    sums = parts.sum(-1, dtype=torch.float64)
    cumulated = sums.cumsum(-1)
    target = uniform[:, None] * cumulated[:, -1:]
    part = _first_above(cumulated, target)
    target = target - (cumulated - sums).gather(1, part)
    inside = parts.gather(1, part[:, :, None].expand(-1, -1, _PART))[:, 0].cumsum(-1, dtype=torch.float64)
    return (part * _PART + _first_above(inside, target))[:, 0].clamp(max=vocabulary - 1)


def _first_above(cumulated: Any, target: Any) -> Any:
    # Rounding may take the target up to the last sum, which nothing exceeds.
    target = torch.minimum(target, torch.nextafter(cumulated[:, -1:], torch.zeros_like(target)))
    place = torch.searchsorted(cumulated, target, right=True)
    return place.clamp(max=cumulated.shape[-1] - 1)  # past the end where they are NaN


def _nucleus(probabilities: Any, top_p: Any) -> Any:
    """The likeliest tokens that reach `top_p` [rows, 1] together, normalised; the others become 0."""
    ordered, tokens = probabilities.sort(-1, descending=True)
    before = ordered.cumsum(-1, dtype=torch.float64) - ordered
    kept = torch.zeros_like(probabilities).scatter(1, tokens, ordered.where(before < top_p, 0.0))
    return kept / kept.sum(-1, keepdim=True)
