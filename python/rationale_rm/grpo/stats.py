"""Figures of the loss, kept as sums so that those of micro-batches and processes add up exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class LossStats:
    """Figures of some part of an update batch. `a + b` are those of both parts together.

    All tensors are detached float64 scalars ([2] in `sums`) on the device of the loss; `means` waits for them.
    """

    totals: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Add up as they are: the shares of the loss, and counts."""
    sums: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Name → (sum, count): figures of tokens or of rows, whose mean is of interest."""
    peaks: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Of which the largest is of interest; minus infinity where nothing counted."""

    def __add__(self, other: LossStats) -> LossStats:
        return LossStats(
            _merged(self.totals, other.totals, torch.add),
            _merged(self.sums, other.sums, torch.add),
            _merged(self.peaks, other.peaks, torch.maximum),
        )

    def all_reduce(self, group: Any = None) -> LossStats:
        """The figures of all processes of `group` (default: all) together.

        Every process must call it with figures of the same names, so each must have had a micro-batch (one without a
        token that counts will do). Itself where torch.distributed is not in use.
        """
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        operations = torch.distributed.ReduceOp
        return LossStats(
            _reduced(self.totals, operations.SUM, group),
            _reduced(self.sums, operations.SUM, group),
            _reduced(self.peaks, operations.MAX, group),
        )

    def means(self) -> dict[str, float]:
        """Name → total, mean or maximum; NaN where nothing counted."""
        nan = float("nan")
        found = {name: float(value) for name, value in self.totals.items()}
        for name, pair in self.sums.items():
            total, count = pair.tolist()
            found[name] = total / count if count else nan
        for name, value in self.peaks.items():
            peak = float(value)
            found[name] = nan if peak == float("-inf") else peak
        return found


def _merged(left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor], join: Any) -> dict[str, torch.Tensor]:
    both = {name: join(value, right[name]) for name, value in left.items() if name in right}
    return {**left, **right, **both}


def _reduced(values: Mapping[str, torch.Tensor], operation: Any, group: Any) -> dict[str, torch.Tensor]:
    if not values:
        return {}
    names = sorted(values)
    stacked = torch.stack([values[name] for name in names])
    torch.distributed.all_reduce(stacked, op=operation, group=group)
    return dict(zip(names, stacked.unbind(), strict=True))
