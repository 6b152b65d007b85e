"""How well the words of one text find a counterpart in others, from a table of word similarities.

A text is covered as well as its weakest words are: the words of the common subject are found in every reason about
it, so a mean over all words tells less than a soft minimum (docs/local-judges.md has figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALIGNMENT: Final = ("weak", "novel", "weak_back")
"""Columns of `align`."""
SHARPNESS: Final = 8.0
"""Of the soft minimum: between the mean (0) and the minimum (infinity)."""


class Texts:
    """m texts laid end to end, word by word, N words altogether."""

    def __init__(self, sizes: Sequence[int]):
        self.sizes = np.array(sizes, dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        self.blank = self.sizes == 0

    def __len__(self) -> int:
        return len(self.sizes)

    def highest(self, table: Floats) -> Floats:
        """(…, m): the maximum over the words of each text, along the last axis of `table` (…, N); 0 without words."""
        return self._over(np.maximum, table, np.float64)

    def total(self, table: NDArray[Any]) -> Floats:
        """(…, m): the sum over the words of each text."""
        return self._over(np.add, table, np.float64)

    def any(self, table: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(…, m): whether it holds for any word of each text."""
        return self._over(np.logical_or, table, np.bool_)

    def _over(self, operation: np.ufunc, table: NDArray[Any], dtype: Any) -> NDArray[Any]:
        out = np.zeros((*table.shape[:-1], len(self)), dtype=dtype)
        held = ~self.blank
        if held.any():
            out[..., held] = operation.reduceat(table, self.starts[held], axis=-1)
        return out


def align(
    similarity: Floats, shared: NDArray[np.bool_], rows: NDArray[np.bool_], columns: NDArray[np.bool_], reasons: Texts
) -> Floats:
    """Coverage of one text of n words by each of m texts of N words altogether.

    `similarity` (n, N) of words, in [-1, 1]; `shared` (n, N), whether two words are the same; `rows` (n,) and
    `columns` (N,), which words carry content: these are to be covered, by words of any kind. Returns (m, 3), the
    columns of `ALIGNMENT`: ``weak``, the soft minimum over the text's words of their best counterparts; ``novel``,
    the mean over the words that the other text does not share (of all, where it shares all); ``weak_back``,
    as ``weak`` with the texts exchanged. A text without content words covers nothing: 0.
    """
    out = np.zeros((len(reasons), 3))
    if not rows.any() or not columns.any():
        return out
    best = reasons.highest(similarity[rows])
    novel = ~reasons.any(shared[rows])
    count = novel.sum(axis=0)
    out[:, 0] = -np.log(np.exp(-SHARPNESS * best).mean(axis=0)) / SHARPNESS
    out[:, 1] = np.where(count > 0, (best * novel).sum(axis=0) / np.maximum(count, 1), best.mean(axis=0))
    back = np.where(columns, np.exp(-SHARPNESS * similarity.max(axis=0)), 0.0)
    carrying = reasons.total(columns.astype(np.float64))
    mean = reasons.total(back) / np.maximum(carrying, 1.0)
    out[:, 2] = -np.log(np.where(carrying > 0, mean, 1.0)) / SHARPNESS
    out[carrying == 0] = 0.0
    return out


def rivalry(table: Floats) -> Floats:
    """What the lists tell of each cell of `table` (n, m): (n, m, 2), its lead over the mean and over the best rival.

    Rivals of a cell are the other references for the same reason and the other reasons for the same reference; where
    there are both, the leads are averaged, and without any they are 0.
    """
    n, m = table.shape
    leads = [_leads(table, axis) for axis, size in ((0, n), (1, m)) if size > 1]
    return np.mean(leads, axis=0) if leads else np.zeros((n, m, 2))


def _leads(table: Floats, axis: int) -> Floats:
    size = table.shape[axis]
    total = table.sum(axis=axis, keepdims=True)
    over_mean = table - (total - table) / (size - 1)
    ordered = np.sort(table, axis=axis)
    top, second = np.take(ordered, [-1], axis=axis), np.take(ordered, [-2], axis=axis)
    over_best = table - np.where(table == top, second, top)
    return np.stack([over_mean, over_best], axis=-1)
