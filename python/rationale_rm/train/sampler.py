"""What samples in a run: the policy's own module, vLLM beside it, or a vLLM server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rationale_rm._core import RationaleError
from rationale_rm.engine import EngineError, Message, VllmEngine
from rationale_rm.rollout import Completion, HfRollouts, Rollouts, VllmRollouts, VllmServerRollouts
from rationale_rm.rollout.served import check_takes_weights, open_client, served_model
from rationale_rm.train import checkpoint
from rationale_rm.train.processes import Processes
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.recipe.checks import parallel_fault
from rationale_rm.train.run import Run, TrainingError

_ANSWERS_WITHIN = 30.0
"""Seconds that a server has to say what it serves."""


def check_sampler(recipe: Recipe, processes: int) -> None:
    """Raises `RationaleError` for a sampler that a run of so many processes cannot have."""
    fault = parallel_fault(recipe, processes)
    if fault is not None:
        raise TrainingError(f"{fault}: accelerate launch --num_processes with a multiple of it, or set it to 1")
    server = recipe.rollout.server
    if recipe.rollout.engine == "vllm_server" and server.url is not None:
        with open_client(server.url, _ANSWERS_WITHIN) as client:
            served_model(client, server.url, server.model, at_least=recipe.context)
            check_takes_weights(client, server.url)


def open_rollouts(run: Run, start: Path) -> Rollouts:
    """The sampler that the recipe names, with the policy's present weights.

    `start` is the folder of the model that GRPO starts from, where the run made it: vLLM needs files to begin with. All
    processes call this together. Raises `RationaleError` for one that cannot be had.
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
    before = checkpoint.generators()
    rollouts = _server(run) if how.engine == "vllm_server" else _vllm(run, start)
    checkpoint.set_generators(before)  # vLLM seeds those of this process
    rollouts.sync(run.bare.model)
    return rollouts


def _server(run: Run) -> Rollouts:
    recipe, how = run.recipe, run.recipe.rollout.server
    assert how.url is not None
    rollouts = VllmServerRollouts(
        how.url,
        how.model,
        run.tokenizer,
        address=how.address,
        concurrency=how.concurrency,
        seconds=how.timeout,
        max_model_len=recipe.context,
        template_options=recipe.model.template_options,
        sends=run.processes.is_main,
    )
    return VllmElsewhere(rollouts, run.processes)


def _vllm(run: Run, start: Path) -> Rollouts:
    path = str(start) if start.exists() else str(run.recipe.model.path)
    recipe, how = run.recipe, run.recipe.rollout.vllm
    options: dict[str, Any] = {
        "tensor_parallel_size": how.tensor_parallel_size,
        "max_num_seqs": how.max_num_seqs,
        **({"revision": recipe.model.revision} if recipe.model.revision is not None else {}),
    }
    if torch.accelerator.is_available():
        options["gpu_memory_utilization"] = how.gpu_memory_utilization
        options["enable_sleep_mode"] = how.sleep
    try:
        engine = VllmEngine(
            path,
            max_model_len=recipe.context,
            dtype=recipe.model.dtype,
            enforce_eager=how.enforce_eager,
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


class VllmElsewhere:
    """A vLLM server that all processes sample from, each its own prompts. The first one sends the weights."""

    def __init__(self, rollouts: VllmServerRollouts, processes: Processes):
        self._rollouts = rollouts
        self._processes = processes

    def sample(self, prompts: Sequence[Sequence[Message]], n: int, **how: Any) -> list[list[Completion]]:
        """See `Rollouts.sample`."""
        return self._rollouts.sample(prompts, n, **how)

    def sync(self, model: Any) -> None:
        """See `Rollouts.sync`. No process goes on before the weights are there; what fails, fails in all of them."""
        faults = []
        try:
            self._rollouts.sync(model)
        except EngineError as error:
            faults.append(str(error))
        faults = self._processes.gather(faults)
        if faults:
            raise EngineError(faults[0])

    def close(self) -> None:
        """See `Rollouts.close`."""
        self._rollouts.close()
