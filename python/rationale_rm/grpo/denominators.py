"""What counts in an update, over all its micro-batches and processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rationale_rm._core import RationaleError


def counted(mask: torch.Tensor, advantages: torch.Tensor, truncated: torch.Tensor | None = None) -> torch.Tensor:
    """The tokens that count, bool [b, t]: those of `mask` in rows that may be learned from.

    A row leaves with all its tokens where its advantage is NaN (no reward could be had), and, if `truncated` bool [b]
    is given, where the completion was cut at its length limit (DAPO, arXiv 2503.14476, section 3.4, overlong
    filtering).
    """
    kept = ~torch.isnan(advantages)
    if truncated is not None:
        kept = kept & ~truncated.bool()
    return mask.bool() & kept[:, None]


@dataclass(frozen=True, slots=True)
class Denominators:
    """What the losses are divided by: completions and tokens that count, over the whole update batch.

    A loop computes them once an update, before its first backward pass, and gives the same ones to the loss of each
    micro-batch in each process. That is what makes the sum over micro-batches independent of how the batch was cut.
    """

    rows: int
    """Completions with at least one token that counts."""
    tokens: int
    """Tokens that count."""

    @classmethod
    def of(cls, counted: torch.Tensor) -> Denominators:
        """Those of the rows of one process (or of one micro-batch): `counted` bool [b, t], see `counted`."""
        counted = counted.bool()
        return cls(rows=int(counted.any(dim=-1).sum()), tokens=int(counted.sum()))

    def __add__(self, other: Denominators) -> Denominators:
        return Denominators(self.rows + other.rows, self.tokens + other.tokens)

    def all_reduce(self, device: torch.device | str = "cpu", group: Any = None) -> Denominators:
        """The sums over all processes of `group` (default: all); itself where torch.distributed is not in use.

        Every process must call it. `device` must suit the group's backend: the accelerator for NCCL, any for gloo.
        """
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        sums = torch.tensor([self.rows, self.tokens], dtype=torch.int64, device=device)
        torch.distributed.all_reduce(sums, group=group)
        rows, tokens = sums.tolist()
        return Denominators(rows, tokens)

    def check(self, counted: torch.Tensor) -> None:
        """Raises `RationaleError` where a part of the batch has more rows than are said to be in all of it."""
        part = Denominators.of(counted)
        if part.rows > self.rows or part.tokens > self.tokens:
            raise RationaleError(
                f"the denominators ({self.rows} rows, {self.tokens} tokens) are those of the whole update batch, but "
                f"this part of it has {part.rows} rows and {part.tokens} tokens"
            )
