"""Checkpoints: written whole or not at all, and read back to the last bit.

A checkpoint is a folder with the model as transformers reads it (``model/``), the optimiser's states and torch's
generators as safetensors, and the rest in ``state.json``. It is filled under another name, forced to disk and
renamed, so that a folder with a checkpoint's name is a whole checkpoint, whenever the process was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from rationale_rm._core import RationaleError

Phase = Literal["warm_start", "grpo"]
FOLDER: Final = "checkpoints"
MODEL: Final = "model"
LAST: Final = "last"
BEST: Final = "best"
_OPTIMISER: Final = "optimiser.safetensors"
_GENERATORS: Final = "generators.safetensors"
_STATE: Final = "state.json"
_VERSION: Final = 1
_PREFIX: Final[Mapping[Phase, str]] = {"warm_start": "warm-start", "grpo": "step"}
UNFINISHED: Final = ".unfinished-"
"""How the names begin of what is being written."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a run stands; with the weights, the optimiser and the generators all that the rest of it depends on."""

    phase: Phase
    step: int
    """Steps done in this phase."""
    records: int = 0
    """Lines of metrics.jsonl that are this far."""
    evaluated: int = -1
    """Step of the last evaluation; -1 before the first."""
    best_step: int | None = None
    best_value: float | None = None
    seconds: float = 0.0
    """Time that the run took so far."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`recipe.fixed_settings` of the run."""
    pairs: str = ""
    """Digest of the run's pairs."""

    @property
    def name(self) -> str:
        """Name of the checkpoint's folder."""
        return f"{_PREFIX[self.phase]}-{self.step:06d}"


def generators() -> dict[str, Any]:
    """The states of this process's random generators: Python's, numpy's and torch's."""
    name, keys, *rest = np.random.get_state()
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_generators(states: Mapping[str, Any]) -> None:
    """Puts back what `generators` gave."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def save(
    folder: Path,
    state: State,
    save_model: Callable[[Path], None],
    optimiser: Mapping[str, Any] | None,
    generators_of: Sequence[Mapping[str, Any]],
) -> Path:
    """Writes a checkpoint of the run in `folder`, and gives its path.

    `save_model` fills a folder; `optimiser` is a state dict by parameter names; `generators_of` has an entry for each
    process. Of one that is there already under this name, which has the same weights, only the state is written anew: a
    step may have been evaluated since.
    """
    tensors = {
        f"{rank}.{kind}": states[kind]
        for rank, states in enumerate(generators_of)
        for kind in ("torch", "cuda")
        if kind in states
    }
    plain = [{kind: states[kind] for kind in ("python", "numpy")} for states in generators_of]
    content = {"version": _VERSION, **asdict(state), "generators": plain}

    def fill(partial: Path) -> None:
        save_model(partial / MODEL)
        _save_tensors(partial / _OPTIMISER, _flat(optimiser or {}))
        _save_tensors(partial / _GENERATORS, tensors)
        (partial / _STATE).write_text(json.dumps(content, allow_nan=False), "utf-8")

    final = folder / FOLDER / state.name
    if final.exists():
        write_file(final / _STATE, json.dumps(content, allow_nan=False))
    else:
        save_folder(final, fill)
    return final


def save_folder(final: Path, fill: Callable[[Path], None]) -> None:
    """Has `fill` write a folder, which appears as `final` whole or not at all. One that is there already is kept.

    Raises `RationaleError` where it cannot be written.
    """
    if final.exists():
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f"{UNFINISHED}{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    from safetensors import SafetensorError

    try:
        partial.mkdir()
        fill(partial)
        _force_to_disk(partial)
    except (OSError, SafetensorError) as error:  # above all a disk that is full
        shutil.rmtree(partial, ignore_errors=True)
        raise RationaleError(f"{final} cannot be written: {error}") from None
    os.rename(partial, final)
    _force_folder(final.parent)


def keep(folder: Path, state: State, n_last: int) -> None:
    """Removes the checkpoints of earlier steps but the `n_last` latest and the best, and points ``last`` and ``best``
    to theirs. Of a best one that is not among the latest the model is kept alone: training does not go on from there.
    """
    found = _all(folder)
    latest = found[-n_last:]
    best = None if state.best_step is None else replace(state, phase="grpo", step=state.best_step).name
    for path in found:
        if path in latest:
            continue
        if path.name == best:
            for name in (_OPTIMISER, _GENERATORS):
                (path / name).unlink(missing_ok=True)
        else:
            # Renamed first, so that no half of it is ever taken for a checkpoint.
            gone = path.with_name(f"{UNFINISHED}{path.name}")
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(path, gone)
            shutil.rmtree(gone)
    _point(folder / FOLDER / LAST, found[-1].name)
    if best is not None and (folder / FOLDER / best).exists():
        _point(folder / FOLDER / BEST, best)


def last(folder: Path) -> Path | None:
    """The checkpoint from which the run in `folder` goes on; None where there is none."""
    found = _all(folder)
    return found[-1] if found else None


def read_state(path: Path) -> State:
    """The state in a checkpoint. Raises `RationaleError` for one that another version made, or that is damaged."""
    content = _content(path)
    if content.get("version") != _VERSION:
        raise RationaleError(f"{path}: a checkpoint of layout {content.get('version')}, this version reads {_VERSION}")
    return State(**{name: content[name] for name in State.__dataclass_fields__})


def read_generators(path: Path, process: int) -> dict[str, Any]:
    """The generators of a process. A run that goes on with more processes than it had has none for the others, which
    take those of the first.
    """
    plain = _content(path)["generators"]
    rank = process if process < len(plain) else 0
    tensors = _read_tensors(path / _GENERATORS)
    states = {kind: tensors[f"{rank}.{kind}"] for kind in ("torch", "cuda") if f"{rank}.{kind}" in tensors}
    return {**plain[rank], **states}


def read_optimiser(path: Path) -> dict[str, Any]:
    """The optimiser's states by parameter name; empty where it had none yet."""
    states: dict[str, dict[str, Any]] = {}
    for name, tensor in _read_tensors(path / _OPTIMISER).items():
        parameter, _, kind = name.rpartition("/")
        states.setdefault(parameter, {})[kind] = tensor
    return states


def clear_unfinished(folder: Path) -> None:
    """Removes what killed processes left half-written."""
    for path in (*folder.glob(f"{UNFINISHED}*"), *(folder / FOLDER).glob(f"{UNFINISHED}*")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_file(path: Path, text: str) -> None:
    """Writes a small file whole or not at all."""
    partial = path.with_name(f"{UNFINISHED}{path.name}")
    partial.write_text(text, "utf-8")
    _force(partial)
    os.replace(partial, path)
    _force_folder(path.parent)


def _all(folder: Path) -> list[Path]:
    """The checkpoints there are, in the order of their making."""
    found = []
    for rank, prefix in enumerate(_PREFIX.values()):
        for path in (folder / FOLDER).glob(f"{prefix}-*"):
            number = path.name[len(prefix) + 1 :]
            if number.isdecimal() and (path / _STATE).is_file():
                found.append((rank, int(number), path))
    return [path for _, _, path in sorted(found)]


def _content(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((path / _STATE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RationaleError(f"{path}: the checkpoint is damaged: {error}") from None
    return content


def _flat(states: Mapping[str, Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    return {
        f"{parameter}/{kind}": torch.as_tensor(value).detach().cpu().contiguous()
        for parameter, kinds in states.items()
        for kind, value in kinds.items()
    }


def _save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    save_file(dict(tensors), path)


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RationaleError(f"{path}: the checkpoint is damaged: {error}") from None
    return tensors


def _point(link: Path, name: str) -> None:
    """A symbolic link for people; where the file system has none, the names of the folders must do."""
    partial = link.with_name(f"{UNFINISHED}{link.name}")
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
        partial.symlink_to(name)
        os.replace(partial, link)


def _force_to_disk(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for name in files:
            _force(Path(root, name))
        _force_folder(Path(root))


def _force(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _force_folder(path: Path) -> None:
    """A rename is on disk once its folder is; systems that cannot open folders see to it themselves."""
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
