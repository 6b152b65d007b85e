"""Puts a plan together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rationale_rm.data import DataError, read_pairs
from rationale_rm.extras import MissingExtraError
from rationale_rm.train import sources
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
        work=work(recipe, *_pairs(recipe, look)),
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


def _pairs(recipe: Recipe, look: bool) -> tuple[Pairs, int | None, int | None]:
    """Training pairs, and the numbers of validation and test pairs."""
    data = recipe.data
    if data.world is not None:
        made = min(data.world.pairs, data.limit or data.world.pairs)
        return Pairs(made, "the synthetic world"), data.world.validation_pairs, data.world.test_pairs
    found = _counted(recipe, data.train or (), look)
    validation = data.hold_out if data.validation is None else _counted(recipe, data.validation, look).number
    test = None if data.test is None else _counted(recipe, data.test, look).number
    number = None if found.number is None else max(0, found.number - data.hold_out)
    if number is not None and data.limit is not None:
        number = min(number, data.limit)
    return Pairs(number, found.source), validation, 0 if data.test is None else test


def _counted(recipe: Recipe, paths: Sequence[str], look: bool) -> Pairs:
    """The pairs in files: read where all of them are here, else as published."""
    if look:
        try:
            local = [path if (file := sources.hub_file(path)) is None else sources.cached(file) for path in paths]
            if all(path is not None for path in local):
                loaded = read_pairs([path for path in local if path is not None], label_scale=recipe.data.label_scale)
                return _usable(loaded.pairs, recipe)
        except (DataError, OSError, MissingExtraError):
            pass
    published = known("pairs")
    if any(path in published for path in paths):
        return Pairs(sum(published.get(path, 0) for path in paths), AS_PUBLISHED)
    return Pairs(None, "not at hand")


def _usable(pairs: Sequence[Any], recipe: Recipe) -> Pairs:
    """Pairs with a label, without ties where those are dropped."""
    labels = {pair.source_id: pair.label for pair in pairs}
    ties = sum(label == 0 for label in labels.values()) if recipe.data.drop_ties else 0
    bare = sum(label is None for label in labels.values())
    source = f"read here: {len(labels):,}, of them {ties:,} tied and {bare:,} without a label"
    return Pairs(len(labels) - ties - bare, source)
