"""Rows of tokens as micro-batches: the answers to one prompt stand behind one copy of it.

A group of G answers of a tokens each to a prompt of p tokens is a sequence of p + G·a tokens instead of G rows of
p + a. Every answer takes the positions that follow the prompt's and sees the prompt and itself alone, so its
log-probabilities are those it has by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

PACKED: Final = 2048
"""Longest packed sequence, in tokens: attention looks at all pairs of tokens in it, so for long answers there is more
to lose than the prompt's copies cost."""
_PAD: Final = -1
_PROMPT: Final = 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt, of one token at least, and the tokens behind it that are scored."""

    prompt: Sequence[int]
    answer: Sequence[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


Lane = tuple[int, ...]
"""Rows with one prompt that share a sequence."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Sequences that go through the model together, padded on the right to the longest of them."""

    rows: tuple[int, ...]
    """Which of the rows that were given, sequence after sequence; empty for a micro-batch that only keeps pace with
    other processes, and holds a single token that must not count."""
    input_ids: torch.Tensor
    """int64 (lanes, width)"""
    segments: torch.Tensor | None
    """int64 (lanes, width): 0 the prompt, k the k-th answer behind it, -1 padding. None: one answer a sequence."""
    places: torch.Tensor
    """int64 (n,): which hidden state, counted through the flattened sequences, predicts each answer token."""
    targets: torch.Tensor
    """int64 (n,): the answer tokens, row after row."""
    mask: torch.Tensor
    """bool (b, t): where the answer of a row has a token; its n cells, in order, are `targets`."""

    def table(self, values: torch.Tensor) -> torch.Tensor:
        """Values (n,) of the answer tokens as (b, t), 0 beside them."""
        return torch.zeros(self.mask.shape, dtype=values.dtype, device=values.device).masked_scatter(self.mask, values)


def micro_batches(
    tokens: Sequence[Tokens], budget: int, n_processes: int = 1, *, packed: bool = False
) -> list[list[list[Lane]]]:
    """Deals rows out to micro-batches of at most `budget` tokens with padding: for each process a list of them, as many
    for each and at least one, the missing ones empty.

    `packed` puts answers to one prompt into one sequence. Sequences of like length go together, so that there is little
    padding; one longer than the budget goes alone.
    """
    lanes = _packed(tokens, min(budget, PACKED)) if packed else [((row,), len(one)) for row, one in enumerate(tokens)]
    lanes.sort(key=lambda lane: (-lane[1], lane[0]))
    longest = lanes[0][1] if lanes else 1
    budget = min(budget, -(-len(lanes) // n_processes) * longest)  # work for every process
    dealt: list[list[Lane]] = []
    width = 0
    for rows, length in lanes:
        if not dealt or (len(dealt[-1]) + 1) * width > budget:
            dealt.append([])
            width = length
        dealt[-1].append(rows)
    dealt += [[] for _ in range(-len(dealt) % n_processes or (0 if dealt else n_processes))]
    return [dealt[process::n_processes] for process in range(n_processes)]


def _packed(tokens: Sequence[Tokens], limit: int) -> list[tuple[Lane, int]]:
    """The rows of each prompt in sequences of at most `limit` tokens, with their lengths."""
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for row, one in enumerate(tokens):
        by_prompt.setdefault(tuple(one.prompt), []).append(row)
    lanes: list[tuple[Lane, int]] = []
    for prompt, rows in by_prompt.items():
        lane: list[int] = []
        length = len(prompt)
        for row in rows:
            added = len(tokens[row].answer)
            if lane and length + added > limit:
                lanes.append((tuple(lane), length))
                lane, length = [], len(prompt)
            lane.append(row)
            length += added
        lanes.append((tuple(lane), length))
    return lanes


def micro_batch(lanes: Sequence[Lane], tokens: Sequence[Tokens], pad: int, device: Any) -> MicroBatch:
    """The micro-batch of these `lanes` of the rows of `tokens`."""
    held = [[tokens[row] for row in lane] for lane in lanes] or [[Tokens((pad,), (pad,))]]
    answers = [one.answer for lane in held for one in lane]
    width = max(len(lane[0].prompt) + sum(len(one.answer) for one in lane) for lane in held)
    ids = np.full((len(held), width), pad, dtype=np.int64)
    segments = np.full((len(held), width), _PAD, dtype=np.int64)
    mask = np.zeros((len(answers), max(map(len, answers))), dtype=bool)
    places = []
    for number, lane in enumerate(held):
        prompt = lane[0].prompt
        at = len(prompt)
        ids[number, :at] = prompt
        segments[number, :at] = _PROMPT
        for segment, one in enumerate(lane, 1):
            end = at + len(one.answer)
            ids[number, at:end] = one.answer
            segments[number, at:end] = segment
            predicting = np.arange(at - 1, end - 1)
            predicting[:1] = len(prompt) - 1
            places.append(number * width + predicting)
            at = end
    for row, answer in enumerate(answers):
        mask[row, : len(answer)] = True
    return MicroBatch(
        rows=tuple(row for lane in lanes for row in lane),
        input_ids=torch.from_numpy(ids).to(device),
        segments=torch.from_numpy(segments).to(device) if any(len(lane) > 1 for lane in held) else None,
        places=torch.from_numpy(np.concatenate(places)).to(device),
        targets=torch.from_numpy(np.concatenate([np.asarray(answer, dtype=np.int64) for answer in answers])).to(device),
        mask=torch.from_numpy(mask).to(device),
    )


def positions(segments: torch.Tensor) -> torch.Tensor:
    """Int64 (lanes, width): the place of each token in its text; answers go on where the prompt ends.

    Padding stands at 0: a sequence of many answers is wider than the model may have places for.
    """
    index = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    n_prompt = (segments == _PROMPT).sum(1, keepdim=True)
    begins = torch.ones_like(segments, dtype=torch.bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    first = torch.where(begins, index, 0).cummax(1).values
    return torch.where(segments > _PROMPT, n_prompt + index - first, index.where(segments == _PROMPT, 0))


def attention_mask(segments: torch.Tensor) -> torch.Tensor:
    """Bool (lanes, 1, width, width): a token sees the prompt and its own answer, up to itself.

    No text sees padding; padding sees itself, for attention to nothing is NaN.
    """
    width = segments.shape[1]
    earlier = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    of, to = segments[:, :, None], segments[:, None, :]
    seen = earlier & ((to == _PROMPT) | (to == of)) & (to != _PAD)
    return (seen | torch.eye(width, dtype=torch.bool, device=segments.device))[:, None]
