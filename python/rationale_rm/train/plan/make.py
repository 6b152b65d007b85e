"""Puts a plan together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import hub
from rationale_rm.extras import MissingExtraError
from rationale_rm.train import sources
from rationale_rm.train.pairs import load
from rationale_rm.train.plan.architecture import Architecture, UnknownModelError, architecture, known
from rationale_rm.train.plan.machine import Machine, Missing, free_disk, missing, this_machine
from rationale_rm.train.plan.memory import FLOAT32, GIB, Memory, memory
from rationale_rm.train.plan.work import Pairs, Work, work
from rationale_rm.train.recipe import Recipe, remarks, resume_digest

AS_PUBLISHED: Final = "as published, before ties, long prompts and pairs of the test are left out"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run takes."""

    recipe: Recipe
    model: Architecture | None
    model_fault: str | None
    """Why there is no `model`, and so no `memory`."""
    work: Work
    memory: Memory | None
    checkpoint: int | None
    """Bytes of one checkpoint: trained weights and optimiser states."""
    disk: int | None
    """Bytes of the checkpoints that are kept, and of one being written."""
    disk_free: float | None
    machine: Machine
    remarks: tuple[str, ...]
    missing: tuple[Missing, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; sizes in bytes."""
        model, found = self.model, self.memory
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "digest": resume_digest(self.recipe),
            "model": None
            if model is None
            else {**asdict(model), "parameters": model.parameters, "active_parameters": model.active_parameters},
            "model_fault": self.model_fault,
            "work": asdict(self.work),
            "memory": None
            if found is None
            else {
                **asdict(found),
                "sampling": found.sampling,
                "updating": found.updating,
                "peak": found.peak,
                "fits": found.fits,
            },
            "disk": {"checkpoint": self.checkpoint, "needed": self.disk, "free": self.disk_free},
            "machine": asdict(self.machine),
            "remarks": list(self.remarks),
            "missing": [asdict(one) for one in self.missing],
        }


def make_plan(recipe: Recipe, *, resume: bool = False, look: bool = True) -> Plan:
    """Plans a recipe. `look` reads local data to count pairs, and asks judge servers and the hub what is there;
    without it nothing outside the recipe and a local model's config is looked at.
    """
    machine = this_machine() if look else Machine(0, "", None, None, 0)
    model, fault = None, None
    try:
        model = architecture(recipe)
    except UnknownModelError as error:
        fault = str(error)
    device, source, is_accelerator = _device(recipe, machine)
    lacking = missing(recipe, machine, None if model is None else model.parameters, resume=resume) if look else []
    pairs = _pairs(recipe, look, lacking)
    checkpoint, disk, free = None, None, free_disk(recipe.folder) if look else None
    if model is not None:
        lora = recipe.model.lora
        trained = model.parameters if lora is None else model.lora_parameters(lora.r, lora.target_modules)
        checkpoint = 3 * FLOAT32 * trained
        disk = checkpoint * (recipe.output.keep_last + 2)
        if free is not None and disk > free:
            lacking.append(
                Missing(
                    f"{disk / GIB:,.0f} GiB of disk for checkpoints ({free / GIB:,.0f} free)",
                    "--output on a larger disk",
                )
            )
    return Plan(
        recipe=recipe,
        model=model,
        model_fault=fault,
        work=work(recipe, *pairs),
        memory=None if model is None else memory(recipe, model, device, source, is_accelerator=is_accelerator),
        checkpoint=checkpoint,
        disk=disk,
        disk_free=free,
        machine=machine,
        remarks=tuple(remarks(recipe)),
        missing=tuple(lacking),
    )


def _device(recipe: Recipe, machine: Machine) -> tuple[float | None, str, bool]:
    """Memory of a device in bytes, where the figure comes from, and whether it is an accelerator's."""
    if recipe.devices.memory is not None:
        return recipe.devices.memory * GIB, "devices.memory", True
    if machine.device_memory is not None:
        return machine.device_memory, machine.accelerator, True
    if machine.memory is not None:
        processes = recipe.devices.processes
        return machine.memory / processes, "this machine's RAM" + (f" / {processes}" if processes > 1 else ""), False
    return None, "unknown", False


def _pairs(recipe: Recipe, look: bool, lacking: list[Missing]) -> tuple[Pairs, int | None, int | None]:
    """Training pairs, and the numbers of validation and test pairs: as training would read them where they are all
    here, else as far as they are known. What is wrong with them goes to `lacking`.
    """
    data = recipe.data
    if look and all(map(_is_here, sources.all_sources(recipe))):
        try:
            held = load(recipe)
        except MissingExtraError:  # among the libraries already
            pass
        except (RationaleError, OSError) as error:
            lacking.append(Missing("data to train on", str(error)))
        else:
            note = "; ".join(("the synthetic world" if data.world else "read here", *held.notes))
            return Pairs(len(held.train), note), len(held.validation), len(held.test)
    if data.world is not None:
        number = min(data.world.pairs, data.limit or data.world.pairs)
        return Pairs(number, "the synthetic world"), data.world.validation_pairs, data.world.test_pairs
    train = _published(data.train)
    if train is not None:
        train = min(max(0, train - data.hold_out), data.limit or train)
    source = "not at hand" if train is None else AS_PUBLISHED
    validation = data.hold_out if data.validation is None else _published(data.validation)
    return Pairs(train, source), validation, 0 if data.test is None else _published(data.test)


def _is_here(source: str) -> bool:
    try:
        file = hub.hub_file(source)
        return os.path.exists(source) if file is None else hub.cached(file) is not None
    except RationaleError:
        return False


def _published(paths: Sequence[str] | None) -> int | None:
    """Pairs in files of known data sets; None where there is another file of pairs among them."""
    published = known("pairs")
    sizes = [published.get(path) for path in paths or ()]
    return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None
