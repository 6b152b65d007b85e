"""The pairs of a run: read or made, sorted into what is trained on, validated on and tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.data import read_pairs
from rationale_rm.data.hub import local_files
from rationale_rm.data.records import source_names
from rationale_rm.train.recipe import Recipe
from rationale_rm.types import Pair

SHOWN_FAULTS = 3


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a run learns from and is measured on."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    demonstrations: tuple[Pair, ...] = ()
    """Pairs with answers to learn the form from, where files hold them."""
    notes: tuple[str, ...] = field(default=())
    """What was left out, and why."""

    @property
    def digest(self) -> bytes:
        """32 bytes that all texts, reasons and labels of all pairs go into."""
        found = hashlib.sha256()
        for pair in (*self.train, *self.validation, *self.test):
            content = (pair.id, pair.context, pair.response1, pair.response2, pair.references, pair.label)
            found.update(repr(content).encode("utf-8", "surrogatepass"))
        return found.digest()


def load(recipe: Recipe) -> Pairs:
    """The pairs that a recipe names.

    Left out of training and noted are: lines that cannot be read, pairs without a label (where the reward needs one),
    with a tied one (``data.drop_ties``), and those that are also validated or tested on. Raises `RationaleError` where
    nothing is left, and what `local_files` raises.
    """
    found = _world(recipe) if recipe.data.world is not None else _files(recipe)
    if not found.train:
        raise RationaleError("; ".join(("no training pair is left", *found.notes)))
    return found


def _world(recipe: Recipe) -> Pairs:
    from rationale_rm import world

    section = recipe.data.world
    assert section is not None
    settings = section.settings()
    train = world.pairs(settings, "train", min(section.pairs, recipe.data.limit or section.pairs))
    return Pairs(
        train=tuple(train),
        validation=tuple(world.pairs(settings, "validation", section.validation_pairs)),
        test=tuple(
            world.pairs(settings, "test", min(section.test_pairs, recipe.evaluation.test_pairs or section.test_pairs))
        ),
        demonstrations=_demonstrations(recipe),
    )


def _files(recipe: Recipe) -> Pairs:
    data = recipe.data
    notes: list[str] = []
    validation = _read(data.validation, "data.validation", recipe, notes)
    test = _read(data.test, "data.test", recipe, notes)
    train = _read(data.train, "data.train", recipe, notes)
    held = {name for pair in (*validation, *test) for name in source_names(pair)}
    apart = [pair for pair in train if held.isdisjoint(source_names(pair))]
    _note(notes, len(train) - len(apart), "training pairs are validated or tested on and left out of training")
    labelled = [pair for pair in apart if pair.label is not None or recipe.reward.mode == "rationale"]
    if apart and not labelled:
        raise RationaleError(
            "no training pair has a label, and the reward needs one: add label (A>>B, A>B, A=B, B>A, B>>A) or "
            "overall_preference to the records, or a file with the labels of the same pairs to data.train"
        )
    _note(notes, len(apart) - len(labelled), "training pairs have no label and are left out")
    decided = [pair for pair in labelled if pair.label != 0 or not data.drop_ties]
    _note(notes, len(labelled) - len(decided), "training pairs have a tied label and are left out (data.drop_ties)")
    if data.hold_out:
        if data.hold_out >= len(decided):
            few = f"data.hold_out is {data.hold_out}, and there are {len(decided)} training pairs"
            raise RationaleError("; ".join((few, *notes)))
        drawn = np.random.default_rng([recipe.seed, 1]).permutation(len(decided))[: data.hold_out]
        places = set(drawn.tolist())
        validation = [pair for place, pair in enumerate(decided) if place in places]
        decided = [pair for place, pair in enumerate(decided) if place not in places]
    demonstrations = _demonstrations(recipe, notes)
    held = {name for pair in (*validation, *test) for name in source_names(pair)}
    shown = [pair for pair in demonstrations if held.isdisjoint(source_names(pair))]
    _note(notes, len(demonstrations) - len(shown), "demonstrations are of pairs that are validated or tested on")
    return Pairs(
        train=tuple(decided[: data.limit]),
        validation=tuple(validation),
        test=tuple(test[: recipe.evaluation.test_pairs]),
        demonstrations=tuple(shown),
        notes=tuple(notes),
    )


def _read(
    sources: Sequence[str] | None, key: str, recipe: Recipe, notes: list[str], *, whole: bool = True
) -> list[Pair]:
    """The pairs of some files, one a source pair."""
    if not sources:
        return []
    loaded = read_pairs(
        local_files(sources), label_scale=recipe.data.label_scale, need_references=recipe.reward.mode != "outcome"
    )
    if loaded.bad:
        shown = "; ".join(str(fault) for fault in loaded.bad[:SHOWN_FAULTS])
        more = "" if len(loaded.bad) <= SHOWN_FAULTS else " …"
        notes.append(f"{key}: {len(loaded.bad):,} of {loaded.n_lines:,} lines cannot be used: {shown}{more}")
    if not loaded.pairs:
        raise RationaleError("; ".join((f"{key}: no pair in {', '.join(sources)}", *notes)))
    pairs = loaded.pairs if not whole else _one_a_source(loaded.pairs)
    return list(pairs)


def _one_a_source(pairs: Iterable[Pair]) -> list[Pair]:
    """Records of both orders or several samples are one pair to train on."""
    found: dict[str, Pair] = {}
    for pair in pairs:
        found.setdefault(pair.source_id, pair)
    return list(found.values())


def _demonstrations(recipe: Recipe, notes: list[str] | None = None) -> tuple[Pair, ...]:
    warm = recipe.warm_start
    if warm is None or warm.data is None:
        return ()
    return tuple(_read(warm.data, "warm_start.data", recipe, [] if notes is None else notes, whole=False))


def _note(notes: list[str], count: int, text: Any) -> None:
    if count:
        notes.append(f"{count:,} {text}")
