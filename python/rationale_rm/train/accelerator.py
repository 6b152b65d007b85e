"""Accelerate as the loop needs it, and launch configurations that would make it wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import torch

from rationale_rm.train.recipe import Recipe
from rationale_rm.train.run import TrainingError

_FROM_FIRST: Final = "FSDP_CPU_RAM_EFFICIENT_LOADING"


def open_accelerator(recipe: Recipe, folder: Path) -> Any:
    """What `accelerate launch` has set up, or one process. Raises `TrainingError` for settings that cannot be, and
    for a tracker that is not installed, which Accelerate itself would leave out without a word.
    """
    if not torch.accelerator.is_available():  # else DeepSpeed says so on standard output wherever it is installed
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import parse_flag_from_env

    there = set(map(str, get_available_trackers()))
    for name in recipe.output.trackers:
        if name not in there:
            raise TrainingError(f"output.trackers: {name} is not installed: pip install {name}")
    options = {"log_with": list(recipe.output.trackers) or None, "project_dir": str(folder)}
    accelerator = (_zero if parse_flag_from_env("ACCELERATE_USE_DEEPSPEED") else _plain)(options)
    if accelerator.gradient_accumulation_steps != 1:
        raise TrainingError(
            f"the launch configuration asks for {accelerator.gradient_accumulation_steps} gradient_accumulation_steps: "
            "set it to 1, for the loop adds gradients up itself (optimiser.micro_batch_tokens)"
        )
    # transformers would then leave all weights but the first process's at zero, those of a reference policy too.
    if accelerator.num_processes > 1 and os.environ.get(_FROM_FIRST, "false").lower() in ("1", "true"):
        raise TrainingError("set fsdp_cpu_ram_efficient_loading: false in the launch configuration")
    return accelerator


def _plain(options: dict[str, Any]) -> Any:
    import accelerate

    return accelerate.Accelerator(cpu=not torch.accelerator.is_available(), **options)


def _zero(options: dict[str, Any]) -> Any:
    from rationale_rm.train.zero import ZeroAccelerator

    return ZeroAccelerator(**options)
