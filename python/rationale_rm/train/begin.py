"""What stands before the first step: everything is looked at before anything is written."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from rationale_rm._core import RationaleError, __version__
from rationale_rm.engine.quiet import quiet
from rationale_rm.judge import CacheError, Judge
from rationale_rm.train import checkpoint, pairs, policy, scratch
from rationale_rm.train.accelerator import open_accelerator
from rationale_rm.train.batches import Order, Prompts
from rationale_rm.train.checkpoint import State
from rationale_rm.train.judging import CACHE, Remembering, open_judge, open_reward
from rationale_rm.train.pairs import Pairs
from rationale_rm.train.processes import Processes
from rationale_rm.train.progress import Progress
from rationale_rm.train.recipe import Recipe, fixed_settings, recipe_text, resume_conflicts
from rationale_rm.train.run import Run, TrainingError
from rationale_rm.train.sample_files import check_samples
from rationale_rm.train.sampler import check_sampler
from rationale_rm.train.signals import Stop
from rationale_rm.train.tracking import METRICS, Metrics, flat
from rationale_rm.types import Pair

RUN: Final = "run.json"
RECIPE: Final = "recipe.yaml"
SCRATCH: Final = "scratch"
START: Final = "start"
"""The model that GRPO starts from, where the run made it: what several runs can share as ``model.path``."""
_LOCK: Final = "run.lock"
_SCRATCH_TEXTS: Final = 4000


def begin(recipe: Recipe, stop: Stop, *, resume: bool) -> Run:
    """Reads the pairs, the model and the judge, or goes on from the last checkpoint.

    Raises `TrainingError`, with nothing changed on disk, for what would fail later: no pairs, no labels, prompts that
    are all too long, a model that cannot be trained, a judge that cannot be had, a folder with another run.
    """
    folder = Path(recipe.folder)
    found = _checkpoint(folder, recipe, resume)
    read = pairs.load(recipe)
    _check_same_pairs(read, found)
    accelerator = open_accelerator(recipe, folder)
    processes = Processes(accelerator)
    lock = None
    undo = functools.partial(
        _clear, folder, _first_absent(folder), [one for one in _OURS if not (folder / one).exists()]
    )
    progress = Progress(recipe.output.progress and processes.is_main)
    try:
        for note in read.notes:
            progress.note(note)
        if recipe.output.samples_every is not None:
            check_samples()
        if recipe.model.path is not None:  # before anything is written; a model from scratch has all it needs
            policy.read_tokenizer(recipe.model.path, recipe)
        check_sampler(recipe, processes.n)
        lock = _claim(folder, recipe, processes)
        source = _source(recipe, folder, read, found, processes)
        tokenizer, chat = policy.read_tokenizer(source, recipe)
        if tokenizer.eos_token_id is None:
            raise TrainingError(f"the tokenizer of {source} names no token that ends an answer: set its eos_token")
        prompts = Prompts(recipe, chat, read.digest)
        held = _fitting(read, prompts, recipe, progress)
        judge = Remembering(open_judge(recipe.reward.judge, recipe, folder))
        evaluation_judge: Judge = judge
        if recipe.evaluation_judge != recipe.reward.judge:
            evaluation_judge = open_judge(recipe.evaluation_judge, recipe, folder)
        torch.manual_seed(recipe.seed)  # new adapters are drawn from it
        state = State(
            phase="warm_start" if recipe.warm_start else "grpo",
            step=0,
            settings=fixed_settings(recipe),
            pairs=read.digest.hex(),
        )
        adapters = None
        if found is not None:
            state = checkpoint.read_state(found)
            adapters = found / checkpoint.MODEL if recipe.model.lora is not None else None
        model = policy.load(source, recipe, adapters=adapters)
        bare = policy.Policy(model, bfloat16=recipe.model.dtype == "bfloat16")
        run = Run(
            recipe=recipe,
            folder=folder,
            accelerator=accelerator,
            processes=processes,
            pairs=held,
            prompts=prompts,
            tokenizer=tokenizer,
            bare=bare,
            policy=bare,
            reward=open_reward(recipe, judge),
            judge=judge,
            evaluation_judge=evaluation_judge,
            metrics=Metrics(folder, state.records) if processes.is_main else None,
            progress=progress,
            state=state,
            stop=stop,
            lock=lock,
            undo=undo if processes.is_main else lambda: None,
        )
        if recipe.output.trackers:
            accelerator.init_trackers(recipe.name, config=flat(recipe.model_dump(mode="json"), texts=True))
        if processes.is_main:
            about = {"version": __version__, "name": recipe.name, "pid": os.getpid()}
            checkpoint.write_file(folder / RUN, json.dumps(about))
            checkpoint.write_file(folder / RECIPE, recipe_text(recipe))
    except BaseException as error:
        progress.close()
        if lock is not None:
            lock.close()
            undo()
        if isinstance(error, (CacheError, ValueError)) and not isinstance(error, RationaleError):
            raise TrainingError(str(error)) from error
        raise
    if found is not None:
        run.note(f"goes on from {found}")
    elif resume:
        run.note(f"{folder} has no checkpoint to go on from: begins")
    return run


def _first_absent(folder: Path) -> Path | None:
    """The outermost folder that has to be made for `folder` to be there."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    return absent[-1] if absent else None


def _clear(folder: Path, made: Path | None, absent: Sequence[str]) -> None:
    """Takes away what was put into the folder of a run that did not begin: the folders that were `made` for it, or
    else what was `absent` from it.
    """
    if made is not None:
        shutil.rmtree(made, ignore_errors=True)
        return
    for name in absent:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def order(run: Run) -> Order:
    """In which order training shows the pairs."""
    return Order(run.pairs.train, run.recipe.seed, run.recipe.prompt.order)


def _checkpoint(folder: Path, recipe: Recipe, resume: bool) -> Path | None:
    """The checkpoint to go on from. Raises `TrainingError` for a folder that holds another run."""
    found = checkpoint.last(folder)
    begun = found is not None or (folder / METRICS).exists()
    if begun and not resume:
        raise TrainingError(f"{folder} holds a run already: go on with it by --resume, or name another output.folder")
    if not begun and folder.is_dir():
        there = {path.name for path in folder.iterdir() if not path.name.startswith(checkpoint.UNFINISHED)}
        if there and not (_LOCK in there and there <= _LEFT_BY_A_KILL):
            raise TrainingError(f"{folder} holds files that are no run: name another output.folder")
    if found is None:
        return None
    conflicts = resume_conflicts(recipe, checkpoint.read_state(found).settings)
    if conflicts:
        raise TrainingError("\n".join((f"{found} was made under other settings:", *conflicts)))
    return found


def _check_same_pairs(held: Pairs, found: Path | None) -> None:
    """Raises `TrainingError` where the run in `found` was begun on other pairs, in which it has another place."""
    if found is not None and checkpoint.read_state(found).pairs != held.digest.hex():
        raise TrainingError(
            f"{found} was made with other pairs than the recipe names now: go back to those, or begin a run of its own "
            f"with model.path={found / checkpoint.MODEL}"
        )


_OURS: Final = frozenset((RUN, RECIPE, SCRATCH, START, _LOCK, METRICS, checkpoint.FOLDER, CACHE))
_LEFT_BY_A_KILL: Final = frozenset((_LOCK, SCRATCH, CACHE))
"""What a run has written before its metrics."""


def _claim(folder: Path, recipe: Recipe, processes: Processes) -> Any:
    """Makes the folder this run's until the process ends. Raises `TrainingError` where another one trains in it."""
    if not processes.is_main:
        processes.wait()
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / _LOCK, "w")  # noqa: SIM115 - held as long as the process lives
    except OSError as error:
        raise TrainingError(f"cannot write into {folder}: {error.strerror}") from None
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system
        pass
    except OSError:
        lock.close()
        raise TrainingError(f"another process trains in {folder}") from None
    checkpoint.clear_unfinished(folder)
    processes.wait()
    return lock


def _source(recipe: Recipe, folder: Path, held: Pairs, found: Path | None, processes: Processes) -> str:
    """Where the weights and the tokenizer are read from."""
    if found is not None and recipe.model.lora is None:
        return str(found / checkpoint.MODEL)
    if recipe.model.path is not None:
        return recipe.model.path
    made = folder / SCRATCH
    if processes.is_main:
        _make_scratch(made, recipe, held)
    processes.wait()
    return str(made)


def _make_scratch(folder: Path, recipe: Recipe, held: Pairs) -> None:
    from rationale_rm import prompts as words
    from rationale_rm.train.warmstart import texts_to_learn

    section = recipe.model.scratch
    assert section is not None
    shown = held.train[:_SCRATCH_TEXTS]
    if recipe.prompt.style == "brief":
        asked = [words.genrm_brief(pair).messages for pair in shown]
    else:
        asked = [
            words.genrm(pair, key=bytes(32), call="", n_reasons=recipe.prompt.n_reasons).messages for pair in shown
        ]
    texts = [message["content"] for messages in asked for message in messages]
    texts += [text for pair in shown for text in pair.references]
    texts += texts_to_learn(recipe, held, _SCRATCH_TEXTS)
    with quiet():
        scratch.make(
            folder,
            texts,
            hidden_size=section.hidden_size,
            layers=section.layers,
            heads=section.heads,
            intermediate_size=section.intermediate_size,
            vocabulary=section.vocabulary,
            max_model_len=recipe.context,
            seed=recipe.seed,
        )


def _fitting(held: Pairs, prompts: Prompts, recipe: Recipe, progress: Progress) -> Pairs:
    """The pairs whose prompts are not too long. Raises `TrainingError` where none is left."""
    kept: dict[str, tuple[Pair, ...]] = {}
    for name, n_reasons in (
        ("train", recipe.prompt.n_reasons),
        ("validation", recipe.evaluation.k or recipe.prompt.n_reasons),
        ("test", recipe.evaluation.k or recipe.prompt.n_reasons),
    ):
        before = getattr(held, name)
        fitting, n_left_out, why = prompts.fitting(before, n_reasons)
        if n_left_out:
            progress.note(f"{name}: {n_left_out:,} of {len(before):,} pairs are left out: {why}")
        if before and not fitting:
            raise TrainingError(f"no {name} pair is left: {why}")
        kept[name] = tuple(fitting)
    shown, n_left_out, why = prompts.fitting(held.demonstrations, recipe.prompt.n_reasons)
    if n_left_out:
        progress.note(f"demonstrations: {n_left_out:,} of {len(held.demonstrations):,} are left out: {why}")
    return Pairs(**kept, demonstrations=tuple(shown), notes=held.notes)
