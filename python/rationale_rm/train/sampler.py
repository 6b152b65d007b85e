"""What samples in a run: the policy's own module, or vLLM beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rationale_rm._core import RationaleError
from rationale_rm.engine import Message, VllmEngine
from rationale_rm.rollout import Completion, HfRollouts, Rollouts, VllmRollouts
from rationale_rm.train.run import Run


def open_rollouts(run: Run, start: Path) -> Rollouts:
    """The sampler that the recipe names, with the policy's present weights.

    `start` is the folder of the model that GRPO starts from, where the run made it: vLLM needs files to begin with.
    Raises `RationaleError` for one that cannot be had.
    """
    how = run.recipe.rollout
    if how.engine == "transformers":
        return HfRollouts(
            run.bare.model,
            run.tokenizer,
            max_model_len=run.recipe.context,
            batch_size=how.batch_size,
            template_options=run.recipe.model.template_options,
        )
    rollouts = _vllm(run, str(start) if start.exists() else str(run.recipe.model.path))
    rollouts.sync(run.bare.model)
    return rollouts


def _vllm(run: Run, path: str) -> Rollouts:
    recipe, how = run.recipe, run.recipe.rollout.vllm
    options: dict[str, Any] = {
        "tensor_parallel_size": how.tensor_parallel_size,
        "max_num_seqs": how.max_num_seqs,
        **({"revision": recipe.model.revision} if recipe.model.revision is not None else {}),
    }
    eager: bool | None = how.enforce_eager
    if torch.accelerator.is_available():
        options["gpu_memory_utilization"] = how.gpu_memory_utilization
        options["enable_sleep_mode"] = how.sleep
    elif "enforce_eager" not in how.model_fields_set:
        eager = None  # graphs are of no use there
    try:
        engine = VllmEngine(
            path,
            max_model_len=recipe.context,
            dtype=recipe.model.dtype,
            enforce_eager=eager,
            template_options=recipe.model.template_options,
            **{**options, **how.options},
        )
    except RationaleError:
        raise
    except Exception as error:  # vLLM's own, of many kinds: too little memory, an architecture it does not have
        raise RationaleError(f"vLLM cannot load {path}: {type(error).__name__}: {error}") from error
    return VllmBeside(engine, sleeps=how.sleep and torch.accelerator.is_available())


class VllmBeside:
    """vLLM on the devices that the policy is updated on.

    If it `sleeps`, its weights are in main memory and its cache is given back while it does not sample.
    """

    def __init__(self, engine: VllmEngine, *, sleeps: bool):
        self._engine = engine
        self._rollouts = VllmRollouts(engine)
        self._sleeps = sleeps
        self._asleep = False

    def sample(self, prompts: Sequence[Sequence[Message]], n: int, **how: Any) -> list[list[Completion]]:
        """See `Rollouts.sample`."""
        self._wake()
        groups = self._rollouts.sample(prompts, n, **how)
        if self._sleeps:
            self._engine.sleep()
            self._asleep = True
        return groups

    def sync(self, model: Any) -> None:
        """See `Rollouts.sync`."""
        self._wake()
        self._rollouts.sync(model)

    def close(self) -> None:
        """See `Rollouts.close`."""
        self._rollouts.close()
        self._engine.close()

    def _wake(self) -> None:
        if self._asleep:
            self._engine.wake()
            self._asleep = False
