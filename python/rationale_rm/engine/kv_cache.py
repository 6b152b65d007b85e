"""The keys and values of a model that decodes: grown in blocks, expanded from prompts to rows, cut to what goes on."""

from __future__ import annotations

from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_GROWTH = 64  # tokens of room made at a time, at the least


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer of full attention whose tensors have room at their end.

    transformers' own layer copies all keys and values for each token that comes; this one writes the token alone,
    and copies when the room is used up.
    """

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        """Takes type and device from the first keys and values."""
        super().lazy_initialization(key_states, value_states)
        self._held = 0
        self._rooms = [_empty(states, 0) for states in (key_states, value_states)]

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Takes keys and values [rows, heads, new, size] in, and gives all that it holds."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._held, self._held + key_states.shape[-2]
        if end > self._rooms[0].shape[-2]:
            # A prompt is held as it came: it is expanded to its rows next, and room is made then.
            room = end if start == 0 else end + max(_GROWTH, end // 4)
            self._rooms = [_moved(old, start, room) for old in self._rooms]
        self._rooms[0][:, :, start:end] = key_states
        self._rooms[1][:, :, start:end] = value_states
        self._show(end)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Any) -> None:
        """Row i becomes what row `beam_idx[i]` was; there may be more or fewer rows than before."""
        if self.get_seq_length() > 0:
            room = self._held + max(_GROWTH, self._held // 4)
            self._rooms = [_moved(old, self._held, room, beam_idx.to(old.device)) for old in self._rooms]
            self._show(self._held)

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


def make(module: Any) -> Any:
    """An empty cache for a causal model of transformers, or None for one that keeps another kind of state.

    Every layer of it can `reorder_cache` to other rows and another number of them.
    """
    if not module._supports_default_dynamic_cache():
        return None
    cache = DynamicCache(config=module.config.get_text_config(decoder=True))
    if not cache.layers:
        cache.layer_class_to_replicate = GrowingLayer
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
