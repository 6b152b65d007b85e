"""All that the loop works with, and what it does between steps: records, checkpoints, stopping."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rationale_rm._core import RationaleError
from rationale_rm.judge import Judge
from rationale_rm.rewards import RationaleReward
from rationale_rm.rollout.sharded import gathered
from rationale_rm.train import checkpoint, policy
from rationale_rm.train.batches import Prompts
from rationale_rm.train.checkpoint import State
from rationale_rm.train.judging import Remembering
from rationale_rm.train.packing import micro_batch
from rationale_rm.train.pairs import Pairs
from rationale_rm.train.processes import Processes
from rationale_rm.train.progress import Progress
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.signals import Stop
from rationale_rm.train.tracking import Metrics, flat
from rationale_rm.train.weights import is_sharded, model_state, optimiser_state, set_optimiser_state


class TrainingError(RationaleError):
    """Training cannot begin or go on."""

    started = False
    """Whether steps were done before."""


class StoppedError(Exception):
    """The run was asked to stop, and has saved where it stands."""


@dataclass(slots=True, kw_only=True)
class Run:
    """What is the same in all steps, and where the run stands."""

    recipe: Recipe
    folder: Path
    accelerator: Any
    processes: Processes
    pairs: Pairs
    prompts: Prompts
    tokenizer: Any
    bare: policy.Policy
    """The policy without what is around it."""
    policy: Any
    """The policy, wrapped for several processes where there are any."""
    reward: RationaleReward
    judge: Remembering
    evaluation_judge: Judge
    metrics: Metrics | None
    """None in all processes but the first."""
    progress: Progress
    stop: Stop
    state: State
    lock: Any
    optimiser: Any = None
    rollouts: Any = None
    reference: Any = None
    generators: Mapping[str, Any] = field(default_factory=checkpoint.generators)
    """Those at the last point from which the run can go on."""
    began: float = field(default_factory=time.monotonic)
    undo: Callable[[], None] = field(default=lambda: None)
    """Takes away what the run has put on disk, for one that fails before its first step."""
    records_before: int = 0
    """Those of earlier sessions."""

    def __post_init__(self) -> None:
        """Counts from here."""
        self.records_before = self.state.records

    @property
    def device(self) -> torch.device:
        """Where tensors go."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def pad(self) -> int:
        """The token that fills rows up; no model sees it from where it counts."""
        return int(self.tokenizer.pad_token_id or 0)

    @contextlib.contextmanager
    def sampling(self) -> Iterator[None]:
        """Where the policy's own module samples: the numbers that the trainer computes in are those that it samples
        in, and weights that are spread over processes are whole meanwhile.
        """
        whole: AbstractContextManager[None] = contextlib.nullcontext()
        own = self.recipe.rollout.engine == "transformers"
        if own and is_sharded(self.policy):
            whole = gathered(self.policy, lambda: self.policy(micro_batch([], [], self.pad, self.device)))
        bfloat16 = self.recipe.model.dtype == "bfloat16"
        with whole, torch.autocast(self.device.type, torch.bfloat16, enabled=own and bfloat16):
            yield

    def gathering(self, last: bool) -> AbstractContextManager[None]:
        """Gradients are added up over micro-batches, and exchanged between processes with the last one of an update.
        Those of spread weights are exchanged with each: a whole gradient might not fit into a device.
        """
        if last or self.processes.n == 1 or is_sharded(self.policy):
            return contextlib.nullcontext()
        context: AbstractContextManager[None] = self.accelerator.no_sync(self.policy)
        return context

    def note(self, text: str) -> None:
        """Says something, once for all processes."""
        self.progress.note(text)

    def record(self, record: Mapping[str, Any], figures: str) -> None:
        """A step is done: its record is written, and shown by its `figures`."""
        self.generators = checkpoint.generators()
        self.state = replace(self.state, phase=record["phase"], step=record["step"], records=self.state.records + 1)
        self._write(record)
        self.progress.step(record["step"], figures)

    def evaluated(self, record: Mapping[str, Any]) -> None:
        """An evaluation is done; the best one on the validation pairs is remembered."""
        self.state = replace(self.state, evaluated=record["step"], records=self.state.records + 1)
        figure = record[self.recipe.output.best_by]
        value = figure["value"] if isinstance(figure, Mapping) else figure
        best = self.state.best_value
        if record["split"] == "validation" and value is not None and (best is None or value > best):
            self.state = replace(self.state, best_step=record["step"], best_value=value)
        self._write(record)
        shown = ", ".join(f"{name.upper()} {_interval(record[name])}" for name in ("oa", "rc", "ap"))
        self.note(f"step {record['step']:,}, {record['n_pairs']:,} {record['split']} pairs: {shown}")

    def save_if_due(self, last: bool) -> None:
        """Saves every so many steps, at the best and at the last one, and when asked to stop, which raises
        `StoppedError`.
        """
        asked = self.processes.any(self.stop.requested)
        every = self.recipe.output.save_every
        best = self.state.phase == "grpo" and self.state.best_step == self.state.step
        if last or asked or best or (every is not None and self.state.step % every == 0):
            self.save()
        if asked:
            raise StoppedError

    def save(self, *, as_it_was: bool = False) -> None:
        """Writes a checkpoint of where the run stands; `as_it_was`: with the generators of the last step's end, for a
        step or an evaluation that was given up.
        """
        if not as_it_was:
            self.generators = checkpoint.generators()
        state = replace(self.state, seconds=self.state.seconds + time.monotonic() - self.began)
        optimiser = optimiser_state(self.policy, self.optimiser.optimizer)
        weights = model_state(self.policy)
        generators = self.processes.gather([self.generators])
        if self.processes.is_main:
            if self.metrics is not None:
                self.metrics.sync()
            checkpoint.save(
                self.folder,
                state,
                lambda folder: policy.save(self.bare.model, self.tokenizer, folder, weights),
                optimiser,
                generators,
            )
            checkpoint.keep(self.folder, state, self.recipe.output.keep_last)
        self.processes.wait()

    def restore(self, path: Path) -> None:
        """Takes the optimiser's states and the generators from a checkpoint; the weights were loaded from it."""
        states = checkpoint.read_optimiser(path)
        if states:
            set_optimiser_state(self.policy, self.optimiser.optimizer, states)
        checkpoint.set_generators(checkpoint.read_generators(path, self.processes.rank))
        self.generators = checkpoint.generators()

    def close(self) -> None:
        """Closes the files and gives the terminal back."""
        if self.rollouts is not None:
            self.rollouts.close()
        if self.metrics is not None:
            self.metrics.close()
        if self.recipe.output.trackers:
            self.accelerator.end_training()
        self.progress.close()
        if self.lock is not None:
            self.lock.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        if self.metrics is not None:
            self.metrics.write(record)
        if self.recipe.output.trackers:
            before = (
                0 if record["phase"] == "warm_start" or self.recipe.warm_start is None else self.recipe.warm_start.steps
            )
            phase = record["phase"]
            values = {key: value for key, value in record.items() if key not in ("phase", "step")}
            self.accelerator.log(flat(values, f"{phase}/"), step=before + record["step"])


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "unknown"
    bounds = "" if figure["low"] is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
    return f"{figure['value']:.3f}{bounds}"
