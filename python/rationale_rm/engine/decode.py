"""The sampler of this package over a causal model of transformers: prefill, decode, draw."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rationale_rm.engine import attention, kv_cache
from rationale_rm.engine.draws import RowDraws
from rationale_rm.engine.types import EngineError, Sampling

_ALL = slice(None)
_PREFILL = 4096  # tokens of prompts read at a time, and at least one prompt: what they take beside the cache is bounded
_DONE_SHARE = 0.25  # of the rows that step, before the finished ones are taken out


@dataclass(frozen=True, slots=True)
class Row:
    """One answer to draw."""

    prompt: int
    """Which prompt it answers."""
    sampling: Sampling
    room: int
    """Tokens it may have, at least 1."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tokens of a row, with the one that ended it if `ended`, and the log-probability of each."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    ended: bool
    """False where the room was used up."""


class Decoder:
    """Draws answers from `module`, a causal model of transformers, until one of the tokens `ends` or no room.

    The module is used as it is: put it in eval mode (`sampling_mode`). Each different prompt is read once, and what
    it leaves in the cache is shared out to its rows; rows that are done leave the batch. A model that keeps no
    cache of transformers' usual kind reads the whole text again for each token: slow, and right.
    """

    def __init__(self, module: Any, ends: Sequence[int]):
        self._module = module
        self._device = module.get_input_embeddings().weight.device
        self._ends = torch.tensor(list(ends), device=self._device)
        parameters = inspect.signature(module.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._keeps_last = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}

    def run(self, prompts: Sequence[Sequence[int]], rows: Sequence[Row], on_row: Callable[[int, Drawn], None]) -> None:
        """Draws all `rows` together and calls `on_row(index, drawn)` as soon as one is done.

        `prompts` are token ids, none of them empty; each has a row, and the rows stand in the order of their prompts.
        """
        if list(rows) != sorted(rows, key=lambda row: row.prompt):
            raise ValueError("the rows must be in the order of their prompts")
        state = _State(prompts, rows, self._ends)
        of_row = torch.tensor([row.prompt for row in rows], device=self._device)
        cache = kv_cache.make(self._module)
        with torch.no_grad():
            if cache is None:
                state.expand(of_row)
                self._without_cache(state, on_row)
            else:
                with attention.grouped(self._module, cache) as can_share:
                    logits = self._prefill(state, cache)[of_row]
                    cache.expand(of_row, state.mask, share=can_share)
                    state.expand(of_row)
                    self._with_cache(state, logits, cache, on_row)

    def _prefill(self, state: _State, cache: Any) -> Any:
        """Reads the prompts, a few thousand tokens at a time, and gives the logits after each."""
        step = max(1, _PREFILL // state.ids.shape[1])
        if not cache.fillable or step >= state.n_prompts:
            return self._forward(state, state.ids, cache)
        logits, parts = [], []
        for start in range(0, state.n_prompts, step):
            rows = slice(start, start + step)
            parts.append(kv_cache.make(self._module))
            logits.append(self._forward(state, state.ids[rows], parts[-1], rows))
        cache.fill(parts)
        return torch.cat(logits)

    def _with_cache(self, state: _State, logits: Any, cache: Any, on_row: Callable[[int, Drawn], None]) -> None:
        first = True
        while (tokens := state.step(logits, on_row)) is not None:
            if state.kept is not None:
                cache.keep(state.kept)
            logits = self._first(state, tokens, cache) if first else self._forward(state, tokens, cache)
            first = False

    def _first(self, state: _State, tokens: Any, cache: Any) -> Any:
        """The first step after the prompts, which shows whether the model's attention lets answers share them."""
        if not cache.shared:
            return self._forward(state, tokens, cache)
        try:
            logits = self._forward(state, tokens, cache)
            seen = attention.all_layers_seen()
        except RuntimeError:  # shapes that do not go together; another fault comes again below
            seen = False
        if not seen:
            cache.unshare(0)
            return self._forward(state, tokens, cache)
        state.mask = None  # the cache has what it says of the prompts
        return logits

    def _without_cache(self, state: _State, on_row: Callable[[int, Drawn], None]) -> None:
        while (tokens := state.step(self._forward(state, state.ids, None), on_row)) is not None:
            state.ids = torch.cat([state.ids, tokens], dim=1)

    def _forward(self, state: _State, ids: Any, cache: Any, rows: slice = _ALL) -> Any:
        """Logits [rows, vocabulary] after the last of `ids` [rows, new], those of the rows `rows` of the state."""
        output = self._module(
            input_ids=ids,
            attention_mask=None if state.mask is None else state.mask[rows],
            use_cache=cache is not None,
            **({} if cache is None else {"past_key_values": cache}),
            **({"position_ids": state.positions(ids.shape[1])[rows]} if self._takes_positions else {}),
            **self._keeps_last,
        )
        return output.logits[:, -1]


class _State:
    """The rows that step together, padded on the left to one width."""

    def __init__(self, prompts: Sequence[Sequence[int]], rows: Sequence[Row], ends: Any):
        width = max(map(len, prompts))
        self.n_prompts = len(prompts)
        self.kept: Any = None
        self._rows = rows
        self._ends = ends
        self._device = device = ends.device
        self.draws = RowDraws([row.sampling for row in rows], device)
        self.ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        self._lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        self._padded = bool((self._lengths < width).any())
        self.mask = (torch.arange(width, device=device) >= width - self._lengths[:, None]) if self._padded else None
        self._step = 0

    def expand(self, of_row: Any) -> None:
        """Goes from prompts to rows: row i answers prompt `of_row[i]`."""
        self.ids, self._lengths = self.ids[of_row], self._lengths[of_row]
        self.mask = None if self.mask is None else self.mask[of_row]
        self._index = list(range(len(self._rows)))
        self._limits = torch.tensor([row.room for row in self._rows], device=self._device)
        self._live = torch.ones(len(self._rows), dtype=torch.bool, device=self._device)
        self._tokens: list[Any] = []
        self._logprobs: list[Any] = []
        self.n_live = len(self._rows)

    def positions(self, new: int) -> Any:
        """Positions [rows, new] of the last tokens, 0 being the first that is no padding."""
        last = self._lengths[:, None] + (self._step - 1)
        return (last + torch.arange(1 - new, 1, device=self._device)).clamp(min=0)

    def _record(self, tokens: Any, logprobs: Any, at_end: Any) -> list[tuple[int, Drawn]]:
        """Takes the tokens of a step in, and gives the rows that are done with it."""
        self._tokens.append(tokens)
        self._logprobs.append(logprobs)
        self._step += 1
        broken = logprobs.isnan()
        done = self._live & (at_end | (self._limits <= self._step) | broken)
        places = done.nonzero()[:, 0].tolist()
        if not places:
            return []
        if bool(broken[places].any()):
            raise EngineError("the model's logits are not numbers: its weights or activations have overflowed")
        self._live &= ~done
        self.n_live -= len(places)
        self._merge()
        tokens_of = self._tokens[0][places].tolist()
        logprobs_of = self._logprobs[0][places].tolist()
        ended = at_end[places].tolist()
        return [
            (self._index[place], Drawn(tuple(row), tuple(values), end))
            for place, row, values, end in zip(places, tokens_of, logprobs_of, ended, strict=True)
        ]

    def _compact(self) -> Any:
        """Takes the rows that are done out; which rows are kept, int64 [kept]."""
        kept = self._live.nonzero()[:, 0]
        self._merge()
        self._index = [self._index[place] for place in kept.tolist()]
        self._tokens, self._logprobs = [self._tokens[0][kept]], [self._logprobs[0][kept]]
        self._limits, self._lengths, self._live = self._limits[kept], self._lengths[kept], self._live[kept]
        self.ids = self.ids[kept]
        self.mask = None if self.mask is None else self.mask[kept]
        self.draws.keep(kept)
        return kept

    def step(self, logits: Any, on_row: Callable[[int, Drawn], None]) -> Any:
        """Draws a token for each row; the tokens [rows, 1] of the rows that go on, or None where none does.

        `kept` says which rows went on where some were taken out, int64 [kept], and is None where all are there.
        """
        tokens, logprobs = self.draws.draw(logits)
        for index, drawn in self._record(tokens, logprobs, torch.isin(tokens, self._ends)):
            on_row(index, drawn)
        if not self.n_live:
            return None
        self.kept = self._compact() if self.n_live <= (1 - _DONE_SHARE) * len(self._index) else None
        tokens = tokens[:, None] if self.kept is None else tokens[self.kept, None]
        if self.mask is not None:
            self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=True)
        return tokens

    def _merge(self) -> None:
        """What was recorded step by step becomes one tensor [rows, steps]."""
        for steps in (self._tokens, self._logprobs):
            columns = [step if step.ndim == 2 else step[:, None] for step in steps]
            steps[:] = [torch.cat(columns, dim=1)]


@contextlib.contextmanager
def sampling_mode(module: Any) -> Iterator[None]:
    """Dropout and gradient checkpointing off, for both work in training mode alone; afterwards all is as it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
