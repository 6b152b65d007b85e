"""The keys and values of a model that decodes: grown in blocks, shared by answers to a prompt, cut to what goes on."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_GROWTH = 64  # tokens of room made at a time, at the least


class Groups:
    """Which row belongs to which prompt, as places in a grid of prompts x the most rows that one of them has.

    `of_row` is int64 [rows], ascending. `prompts` lists those that have a row, ascending; they are the first
    dimension of the grid. `bias` [prompts, 1, 1, tokens] is what attention adds for the padding of the prompts, or
    None where there is none.
    """

    def __init__(self, of_row: Any, bias: Any = None):
        rows = torch.arange(len(of_row), device=of_row.device)
        self.prompts, self.of_row, counts = torch.unique(of_row, return_inverse=True, return_counts=True)
        self.n_prompts, self.n = len(counts), int(counts.max())
        self.bias = bias if bias is None else bias[self.prompts]
        first = counts.cumsum(0) - counts
        self._place = self.of_row * self.n + rows - first[self.of_row]
        self._full = self.n_prompts * self.n == len(of_row)
        self._row = torch.zeros(self.n_prompts * self.n, dtype=torch.int64, device=of_row.device)
        self._row[self._place] = rows

    def grid(self, of_rows: Any) -> Any:
        """[rows, ...] as [prompts, n, ...]; places without a row hold what some row has."""
        placed = of_rows if self._full else of_rows.index_select(0, self._row)
        return placed.unflatten(0, (self.n_prompts, self.n))

    def rows(self, of_grid: Any) -> Any:
        """[prompts, n, ...] as [rows, ...]."""
        flat = of_grid.flatten(0, 1)
        return flat if self._full else flat.index_select(0, self._place)


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer of full attention whose tensors have room at their end.

    transformers' own layer copies all keys and values for each token that comes; this one writes the token alone,
    and copies when the room is used up. Once `share` was called, what it held by then stays one row a prompt,
    `prompt_keys` and `prompt_values` [prompts, heads, held, size], and `keys` and `values` are what came after, one
    row an answer.
    """

    groups: Groups | None = None
    prompt_keys: Any = None
    prompt_values: Any = None
    _prompt_length = 0

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        """Takes type and device from the first keys and values."""
        super().lazy_initialization(key_states, value_states)
        self._held = 0
        self._rooms = [_empty(states, 0) for states in (key_states, value_states)]

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Takes keys and values [rows, heads, new, size] in, and gives `keys` and `values`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._held, self._held + key_states.shape[-2]
        if end > self._rooms[0].shape[-2]:
            # Prompts are held as they came: they go over to their rows next, and room is made then.
            room = end if start == 0 and self.groups is None else end + max(_GROWTH, end // 4)
            if start == 0:
                self._rooms = [_empty(states, room) for states in (key_states, value_states)]
            else:
                self._rooms = [_moved(old, start, room) for old in self._rooms]
        self._rooms[0][:, :, start:end] = key_states
        self._rooms[1][:, :, start:end] = value_states
        self._show(end)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens held, those of the prompt included."""
        return self._prompt_length + self._held if self.is_initialized else 0

    def append(self, others: list[GrowingLayer]) -> None:
        """The rows of `others`, which hold as many tokens, come behind one another in this layer, which is empty."""
        first = others[0]
        self.lazy_initialization(first.keys, first.values)
        self._rooms = [torch.cat([other.keys for other in others]), torch.cat([other.values for other in others])]
        self._show(self._rooms[0].shape[-2])

    def share(self, groups: Groups) -> None:
        """What is held stays with the prompts, and the rows of `groups` go on from it."""
        self.groups = groups
        self.prompt_keys, self.prompt_values, self._prompt_length = self.keys, self.values, self._held
        self._show(0)
        self._rooms = [room[:, :, :0] for room in self._rooms]

    def unshare(self, own: int) -> None:
        """Each row gets a copy of what its prompt has; of what came after, the first `own` tokens are kept."""
        assert self.groups is not None
        shared = (self.prompt_keys, self.prompt_values)
        length = self._prompt_length + own
        rooms = [_moved(held, self._prompt_length, length + _GROWTH, self.groups.of_row) for held in shared]
        for room, old in zip(rooms, self._rooms, strict=True):
            if own:
                room[:, :, self._prompt_length : length] = old[:, :, :own]
        self.groups, self.prompt_keys, self.prompt_values, self._prompt_length = None, None, None, 0
        self._rooms = rooms
        self._show(length)

    def reorder_cache(self, beam_idx: Any) -> None:
        """Row i becomes what row `beam_idx[i]` was; there may be more or fewer rows than before."""
        if self.get_seq_length() > 0 and self._held > 0:
            room = self._held + max(_GROWTH, self._held // 4)
            self._rooms = [_moved(old, self._held, room, beam_idx) for old in self._rooms]
            self._show(self._held)

    def regroup(self, groups: Groups) -> None:
        """After `reorder_cache`: the groups of the rows that are left, whose `prompts` index the present prompts."""
        if len(groups.prompts) < self.prompt_keys.shape[0]:
            self.prompt_keys = self.prompt_keys.index_select(0, groups.prompts)
            self.prompt_values = self.prompt_values.index_select(0, groups.prompts)
        self.groups = groups

    def _show(self, end: int) -> None:
        self._held = end
        self.keys, self.values = (room[:, :, :end] for room in self._rooms)


def _empty(states: Any, room: int) -> Any:
    rows, heads, _, size = states.shape
    return states.new_empty(rows, heads, room, size)


def _moved(old: Any, held: int, room: int, rows: Any = None) -> Any:
    states = old[:, :, :held] if rows is None else old[:, :, :held].index_select(0, rows)
    new = _empty(states, room)
    new[:, :, :held] = states
    return new


class GroupedCache(DynamicCache):  # type: ignore[misc]
    """A cache that is filled with prompts and goes on with several rows for each of them."""

    layers: list[Any]

    def __init__(self, config: Any):
        super().__init__(config=config)
        if not self.layers:
            self.layer_class_to_replicate = GrowingLayer
        self.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in self.layers]
        self._groups: Groups | None = None

    def expand(self, of_row: Any, mask: Any, *, share: bool) -> None:
        """Goes from prompts to rows, row i answering prompt `of_row[i]`: int64 [rows], ascending.

        With `share` nothing is copied: attention must then look at the prompts' keys and values too. That takes
        layers that are all of full attention; others get a copy for each row. `mask` [prompts, tokens] is False for
        padding; None where there is none.
        """
        if share and self._all_grow:
            bias = None
            if mask is not None:
                keys = self.layers[0].keys
                bias = torch.zeros(mask.shape, dtype=keys.dtype, device=keys.device)
                bias = bias.masked_fill(~mask, torch.finfo(keys.dtype).min)[:, None, None]
            self._groups = Groups(of_row, bias)
            for layer in self.layers:
                layer.share(self._groups)
        else:
            self.reorder_cache(of_row)

    def fill(self, parts: list[GroupedCache]) -> None:
        """Takes the rows of `parts` in, one part behind the other; this cache is empty, and `fillable`."""
        for index, layer in enumerate(self.layers):
            layer.append([part.layers[index] for part in parts])

    @property
    def fillable(self) -> bool:
        """Whether `fill` can be used: all layers are of full attention."""
        return len(self.layers) > 0 and self._all_grow

    @property
    def shared(self) -> bool:
        """Whether the rows look at one copy of their prompt."""
        return self._groups is not None

    def unshare(self, own: int) -> None:
        """Gives each row a copy of its prompt, and forgets what came after the first `own` tokens of its own."""
        self._groups = None
        for layer in self.layers:
            layer.unshare(own)

    @property
    def _all_grow(self) -> bool:
        return all(type(layer) is GrowingLayer for layer in self.layers)

    def keep(self, rows: Any) -> None:
        """Goes on with `rows` alone: int64 [kept], ascending."""
        self.reorder_cache(rows)
        if self._groups is not None:
            self._groups = Groups(self._groups.of_row[rows], self._groups.bias)
            for layer in self.layers:
                layer.regroup(self._groups)


def make(module: Any) -> GroupedCache | None:
    """An empty cache for a causal model of transformers, or None for one that keeps another kind of state."""
    takes = "past_key_values" in inspect.signature(module.forward).parameters
    if not takes or not module._supports_default_dynamic_cache():
        return None
    return GroupedCache(module.config.get_text_config(decoder=True))
