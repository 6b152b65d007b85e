"""Pairs → the rows of a trainer's data set: prompts as they are shown, and what answers are scored against."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast, get_args

from rationale_rm import prompts
from rationale_rm._core import RationaleError
from rationale_rm.critique import CritiqueSettings, shown
from rationale_rm.extras import needs
from rationale_rm.types import Pair

Trainer = Literal["trl", "verl", "openrlhf", "swift", "verifiers"]
"""Whose data are written; the names of modules beside this one, each with an `ExportRow`."""
TRAINERS: Final[tuple[str, ...]] = get_args(Trainer)
Style = Literal["full", "brief"]
Order = Literal["given", "random"]

JSONL_ONLY: Final[frozenset[Trainer]] = frozenset({"verifiers"})
"""Trainers whose environments here read JSON Lines alone."""
ROW_GROUP: Final = 1000
"""Rows of a Parquet file that are held in memory at once."""

_SPECIMEN: Final = Pair(
    id="p", domain="", context="", response1="", response2="", references=("",), label=1, pair_id="p"
)
"""A pair of which everything is known."""

Rows = Iterator[dict[str, Any]]


class ExportRow(Protocol):
    """``export_row`` of a trainer's module: one row of plain JSON."""

    def __call__(self, pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """The row of `pair`, shown by `messages`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """Which pairs are written, and how they are shown."""

    trainer: Trainer
    style: Style = "full"
    """The paper's prompt, or the one of a line for small models that training has taught what to do."""
    n_reasons: int | None = None
    """Exactly so many reasons are asked for; None, as in training: as many as decide."""
    order: Order = "random"
    """Which response is shown as A: response 1, or one of them by a seeded draw a pair."""
    seed: int = 0
    keep_ties: bool = False
    keep_unlabelled: bool = False
    limit: int | None = None
    """The first so many rows only."""

    def __post_init__(self) -> None:
        """Raises `RationaleError` for settings that cannot be."""
        if self.n_reasons is not None and self.n_reasons < 1:
            raise RationaleError(f"n_reasons is {self.n_reasons}: expected None or 1 and more")
        if self.limit is not None and self.limit < 1:
            raise RationaleError(f"limit is {self.limit}: expected None or 1 and more")
        if self.n_reasons is not None and self.style == "brief":
            raise RationaleError("the brief prompt asks for no number of reasons: leave it out, or take the full one")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is written of some pairs, and how many are left out why."""

    pairs: tuple[Pair, ...]
    """One a source pair."""
    n_repeated: int
    """Records of a pair that was there already: other orders, other samples."""
    n_apart: int
    """Kept apart by ``rationale-rm atomize``."""
    n_unlabelled: int
    n_ties: int
    n_beyond: int
    """Beyond the limit."""


def choose(pairs: Iterable[Pair], settings: ExportSettings) -> Chosen:
    """The pairs that can be trained on, in their order."""
    first: dict[str, Pair] = {}
    n = n_apart = 0
    for pair in pairs:
        n += 1
        if pair.extra.get("kept") is False:
            n_apart += 1
        else:
            first.setdefault(pair.source_id, pair)
    labelled = [pair for pair in first.values() if pair.label is not None or settings.keep_unlabelled]
    decided = [pair for pair in labelled if pair.label != 0 or settings.keep_ties]
    return Chosen(
        pairs=tuple(decided[: settings.limit]),
        n_repeated=n - n_apart - len(first),
        n_apart=n_apart,
        n_unlabelled=len(first) - len(labelled),
        n_ties=len(labelled) - len(decided),
        n_beyond=len(decided) - len(decided[: settings.limit]),
    )


def export_rows(pairs: Sequence[Pair], settings: ExportSettings) -> Rows:
    """The rows of pairs, in their order: the same ones for the same pairs and settings."""
    row = _export_row(settings.trainer)
    drawn = CritiqueSettings(order=settings.order, seed=settings.seed)
    # Whoever writes a text of the data cannot know the codes that it will stand behind: they depend on all texts.
    key = hashlib.sha256(f"{settings.seed}/".encode() + _digest(pairs)).digest()
    for pair in pairs:
        swapped, _ = next(shown(pair.source_id, drawn))
        if settings.style == "brief":
            prompt = prompts.genrm_brief(pair, swapped=swapped)
        else:
            call = f"{pair.source_id}/{swapped}"
            prompt = prompts.genrm(pair, key=key, call=call, swapped=swapped, n_reasons=settings.n_reasons)
        yield row(pair, swapped=swapped, messages=prompt.messages)


def write_jsonl(path: str, rows: Rows) -> int:
    """Writes rows as JSON Lines, whole or not at all, and gives their number. Raises `OSError`."""
    n = 0
    with _replacing(path) as draft, open(draft, "xb") as stream:
        for row in rows:
            stream.write(json_line(row).encode("ascii"))
            n += 1
    return n


def json_line(row: Mapping[str, Any]) -> str:
    """A row as a line of ASCII, which any reader takes."""
    return json.dumps(row, allow_nan=False) + "\n"


def require_parquet() -> Any:
    """The module that Parquet is written with. Raises `MissingExtraError`."""
    with needs("io", "pyarrow"):
        import pyarrow.parquet
    return pyarrow


def write_parquet(path: str, rows: Rows, trainer: Trainer) -> int:
    """Writes the rows of a trainer as Parquet, whole or not at all, and gives their number; `ROW_GROUP` rows are in
    memory at a time. Raises `OSError`, `MissingExtraError`.
    """
    pyarrow = require_parquet()
    # The types of all columns are those of a row that knows everything: a group of rows without any label has none.
    specimen = _export_row(trainer)(_SPECIMEN, swapped=False, messages=[{"role": "user", "content": ""}])
    schema = pyarrow.Table.from_pylist([specimen]).schema
    n = 0
    with _replacing(path) as draft, pyarrow.parquet.ParquetWriter(draft, schema) as writer:
        while group := list(itertools.islice(rows, ROW_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            n += len(group)
    return n


@contextmanager
def _replacing(path: str) -> Iterator[str]:
    """A name to write under; what stands there takes the place of `path` in one step."""
    target = os.path.realpath(path)
    draft = f"{target}.{os.getpid()}.tmp"
    try:
        yield draft
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _export_row(trainer: Trainer) -> ExportRow:
    module = importlib.import_module(f"rationale_rm.integrations.{trainer}")
    return cast(ExportRow, module.export_row)


def _digest(pairs: Iterable[Pair]) -> bytes:
    """32 bytes that all that prompts and rewards depend on goes into."""
    found = hashlib.sha256()
    for pair in pairs:
        content = (pair.source_id, pair.context, pair.response1, pair.response2, pair.references, pair.label)
        found.update(repr(content).encode("utf-8", "surrogatepass"))
    return found.digest()
