"""Log-probabilities of tokens from hidden states, without the logits."""

from __future__ import annotations

from typing import Any, Final

import torch

from rationale_rm._core import RationaleError

TILE: Final = {"cpu": (1024, 2048)}
"""Tokens and vocabulary entries at a time, by device type. 8 MiB of float32: a tile stays in a CPU's last cache."""
LARGE_TILE: Final = (2048, 8192)
"""The same on other devices, which are not kept busy by less. 64 MiB."""
_HALF: Final = frozenset({torch.float16, torch.bfloat16})


def token_logprobs(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    temperature: float = 1.0,
    chunk: int | None = None,
    accumulate: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability and entropy of each target under softmax((hidden @ weight.T + bias) / temperature).

    The logits [n, V] exist neither in the forward pass nor in the backward pass, which computes them anew: both go
    through tiles of at most 1,024 tokens (2,048 on accelerators) and `chunk` vocabulary entries, of which two exist at
    a time. Log-sum-exp and entropy are kept up from tile to tile (online softmax, arXiv 1805.02867). Products are
    accumulated in float32 whatever the dtype of `hidden`, and so are the gradients over tiles; each part of the
    weight's gradient is finished before the next is begun, so a bfloat16 weight's needs no float32 copy.

    Args:
        hidden: Hidden states that predict the targets, [n, d], float32, bfloat16 or float16.
        weight: The output projection, [V, d]; read in the dtype of `hidden` chunk by chunk. Frozen (without
            `requires_grad`), its gradient is not computed. A sharded one (DTensor) must be gathered first.
        targets: int64 [n], each in 0..V-1.
        bias: [V].
        temperature: What the logits are divided by, > 0.
        chunk: Vocabulary entries at a time. None: 2,048 on a CPU, 8,192 elsewhere.
        accumulate: Adds the weight's gradient to ``weight.grad`` itself, chunk by chunk, instead of making one that
            autograd then adds: one [V, d] less. Only for a weight that is a leaf, in a plain ``backward()``;
            ``torch.autograd.grad`` and hooks on the weight would not see it.

    Returns:
        Both float32 [n], both with a gradient.

    Raises:
        RationaleError: Shapes, targets or a temperature that make no sense; `accumulate` with a weight that is no leaf.
    """
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise RationaleError(f"hidden must be [n, d] and weight [V, d], not {[*hidden.shape]} and {[*weight.shape]}")
    if targets.shape != hidden.shape[:1]:
        raise RationaleError(f"targets are {[*targets.shape]} for {hidden.shape[0]} hidden states")
    if len(targets):
        least, most = (int(end) for end in targets.aminmax())
        if least < 0 or most >= weight.shape[0]:
            raise RationaleError(f"targets reach from {least} to {most} in a vocabulary of {weight.shape[0]}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RationaleError(f"bias is {[*bias.shape]} for a vocabulary of {weight.shape[0]}")
    if not temperature > 0:
        raise RationaleError(f"temperature is {temperature}: expected a number above 0")
    if chunk is not None and chunk < 1:
        raise RationaleError(f"chunk is {chunk}: expected at least 1")
    if accumulate and weight.requires_grad and not weight.is_leaf:
        raise RationaleError("accumulate needs a weight that is a leaf: this one was computed from others")
    rows, columns = TILE.get(hidden.device.type, LARGE_TILE)
    columns = min(columns if chunk is None else chunk, weight.shape[0])
    found: tuple[torch.Tensor, torch.Tensor] = _TokenLogprobs.apply(
        hidden, weight, bias, targets, 1 / temperature, rows, columns, accumulate
    )
    return found


class _TokenLogprobs(torch.autograd.Function):  # type: ignore[misc]
    """The tiles. With z the logits over temperature, p = softmax(z), H the entropy and g, h the incoming gradients:

    d/dz_j = g (1[j = target] − p_j) − h p_j (log p_j + H).
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        inverse: float,
        n_rows: int,
        columns: int,
        accumulate: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n, size = hidden.shape[0], weight.shape[0]
        tiles = _Tiles(hidden, n_rows, columns)
        peak = hidden.new_full((n,), float("-inf"), dtype=torch.float32)
        # Σ exp(z − peak), and Σ exp(z − peak)(z − peak).
        total, weighted, chosen = (hidden.new_zeros(n, dtype=torch.float32) for _ in range(3))
        for start in range(0, size, columns):
            part = weight[start : start + columns].to(hidden.dtype)
            part_bias = None if bias is None else bias[start : start + columns].float()
            for rows in tiles.rows:
                z = tiles.logits(rows, part, part_bias, inverse)
                place, here = _places(targets[rows], start, z)
                chosen[rows] = torch.where(here, z.gather(1, place[:, None]).squeeze(1), chosen[rows])
                before = peak[rows]
                now = torch.maximum(before, z.amax(1))
                z -= now[:, None]
                shrunk = torch.exp(before - now)
                e = torch.exp(z, out=tiles.second(z))
                # A part without weight so far adds none; 0 · (−inf) would be NaN.
                drop = torch.where(total[rows] > 0, before - now, 0.0)
                weighted[rows] = shrunk * (weighted[rows] + drop * total[rows]) + z.mul_(e).sum(1)
                total[rows] = shrunk * total[rows] + e.sum(1)
                peak[rows] = now
        log_sum = total.log()
        log_z = peak + log_sum
        # log p = z − log_z; H = −Σ p log p = log Σ − Σ p (z − peak).
        entropy = log_sum - weighted / total
        ctx.save_for_backward(hidden, weight, bias, targets, log_z, entropy)
        ctx.inverse, ctx.n_rows, ctx.columns, ctx.accumulate = inverse, n_rows, columns, accumulate
        ctx.set_materialize_grads(False)
        return chosen - log_z, entropy

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(
        ctx: Any, of_logprobs: torch.Tensor | None, of_entropy: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, bias, targets, log_z, entropy = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        columns, size = ctx.columns, weight.shape[0]
        tiles = _Tiles(hidden, ctx.n_rows, columns)
        into = _gradient(weight, ctx.accumulate) if needs_weight else None
        grad_hidden = torch.zeros_like(hidden, dtype=torch.float32) if needs_hidden else None
        grad_bias = torch.zeros(size, dtype=torch.float32, device=weight.device) if needs_bias else None
        for start in range(0, size, columns):
            part = weight[start : start + columns].to(hidden.dtype)
            part_bias = None if bias is None else bias[start : start + columns].float()
            grad_part = None
            for rows in tiles.rows:
                z = tiles.logits(rows, part, part_bias, ctx.inverse)
                z -= log_z[rows, None]
                p = torch.exp(z, out=tiles.second(z))
                if of_entropy is not None:
                    z += entropy[rows, None]
                    z *= of_entropy[rows, None]
                    if of_logprobs is not None:
                        z += of_logprobs[rows, None]
                    p *= z
                    p.neg_()
                elif of_logprobs is not None:
                    p *= -of_logprobs[rows, None]
                if of_logprobs is not None:
                    place, here = _places(targets[rows], start, p)
                    p.scatter_add_(1, place[:, None], torch.where(here, of_logprobs[rows], 0.0)[:, None])
                p *= ctx.inverse
                if grad_bias is not None:
                    grad_bias[start : start + columns] += p.sum(0)
                p = p.to(hidden.dtype)
                if grad_hidden is not None:
                    _add_product(grad_hidden[rows], p, part)
                if into is not None:
                    grad_part = _add_product(grad_part, p.t(), hidden[rows])
            if into is not None and grad_part is not None:
                into[start : start + columns] += grad_part
        return (
            None if grad_hidden is None else grad_hidden.to(hidden.dtype),
            None if ctx.accumulate else into,
            None if grad_bias is None else grad_bias.to(bias.dtype),
            *(None,) * 5,
        )


class _Tiles:
    """Two tiles of float32, used over and over, and which rows are done together."""

    def __init__(self, hidden: torch.Tensor, n_rows: int, columns: int):
        n = hidden.shape[0]
        self.rows = [slice(start, min(start + n_rows, n)) for start in range(0, n, n_rows)]
        self._hidden = hidden
        self._first, self._second = (hidden.new_empty(min(n, n_rows) * columns, dtype=torch.float32) for _ in range(2))

    def logits(self, rows: slice, part: torch.Tensor, bias: torch.Tensor | None, inverse: float) -> torch.Tensor:
        """Logits over temperature of some rows and vocabulary entries, in the first tile."""
        hidden = self._hidden[rows]
        z = self._first[: hidden.shape[0] * part.shape[0]].view(hidden.shape[0], part.shape[0])
        _product(hidden, part.t(), z)
        if bias is not None:
            z += bias
        return z.mul_(inverse) if inverse != 1 else z

    def second(self, like: torch.Tensor) -> torch.Tensor:
        return self._second[: like.numel()].view(like.shape)


def _product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """`a @ b` into float32 `out`, accumulated in float32 whatever the factors are."""
    if a.dtype in _HALF and a.device.type == "cuda":
        return torch.mm(a, b, out_dtype=torch.float32, out=out)
    return torch.mm(a.float(), b.float(), out=out)


def _add_product(to: torch.Tensor | None, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`to + a @ b` in place, in float32; None starts from nothing."""
    if to is None:
        return _product(a, b, a.new_empty(a.shape[0], b.shape[1], dtype=torch.float32))
    if a.dtype in _HALF and a.device.type == "cuda":
        return torch.addmm(to, a, b, out_dtype=torch.float32, out=to)
    return to.addmm_(a.float(), b.float())


def _places(targets: torch.Tensor, start: int, tile: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Column of each row's target, clamped into the tile, and whether it is in the tile."""
    local = targets - start
    return local.clamp(0, tile.shape[1] - 1), (local >= 0) & (local < tile.shape[1])


def _gradient(weight: torch.Tensor, accumulate: bool) -> torch.Tensor:
    """What the weight's gradient is added to."""
    if not accumulate:
        return torch.zeros_like(weight)
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad
