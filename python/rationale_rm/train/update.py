"""From gradients to weights: the optimiser, its learning rate, and the check before each update."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from rationale_rm._core import RationaleError

if TYPE_CHECKING:
    from rationale_rm.train.run import Run


class NonFiniteError(RationaleError):
    """A loss or gradient is NaN or infinite; the update was not made."""

    started = True


def prepare(run: Run, lr: float, weight_decay: float) -> None:
    """Gives the run an optimiser without a past: AdamW over the weights that are trained.

    It is made once, together with what is around the policy for several processes, and emptied for a new phase.
    """
    how = run.recipe.optimiser
    if run.optimiser is None:
        trained = [weight for weight in run.bare.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=lr, betas=how.betas, eps=how.eps, weight_decay=weight_decay)
        run.policy, run.optimiser = run.accelerator.prepare(run.bare, optimiser)
        # Accelerate's own `unwrap_model` would import DeepSpeed wherever that is installed.
        run.bare = getattr(run.policy, "module", run.policy)
    inner = run.optimiser.optimizer
    inner.state.clear()
    for group in inner.param_groups:
        group.update(lr=lr, weight_decay=weight_decay)


def set_lr(optimiser: Any, lr: float, update: int, total: int, warmup: int, schedule: str) -> float:
    """Sets the learning rate of update number `update` of `total`, counted from 1, and gives it.

    It rises linearly over the first `warmup` updates, and then stays, or falls to 0 after the last one along a line or
    half a cosine.
    """
    if update <= warmup:
        value = lr * update / warmup
    else:
        left = (total - update + 1) / max(total - warmup, 1)
        share = {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[schedule]
        value = lr * share
    for group in optimiser.param_groups:
        group["lr"] = value
    return value


def apply_gradients(run: Run, max_norm: float | None, loss: float) -> float:
    """Makes the update, and gives the length of the gradient before it was cut to `max_norm`.

    Raises `NonFiniteError`, before the weights are touched, where the loss or the gradient is not finite.
    """
    weights = [weight for weight in run.policy.parameters() if weight.requires_grad]
    norm = run.accelerator.clip_grad_norm_(weights, math.inf if max_norm is None else max_norm)
    length = float(norm)
    check_finite("loss", loss)
    check_finite("gradient", length)
    run.optimiser.step()
    run.optimiser.zero_grad()
    return length


def check_finite(what: str, value: float) -> None:
    """Raises `NonFiniteError` unless `value` is finite."""
    if not math.isfinite(value):
        raise NonFiniteError(
            f"the {what} is {value}: stopped before the update, the last checkpoint is untouched. Lower optimiser.lr, "
            "check the data, or use float32"
        )
