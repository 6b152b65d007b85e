"""What ``score`` computes its figures from: all lines in this process, or scored rows from the workers of an engine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import typer

from rationale_rm import RationaleError
from rationale_rm.cli import output
from rationale_rm.cli.inputs import load_pairs, reading, require
from rationale_rm.data import BadLine, DataError, LabelScale, Loaded
from rationale_rm.metrics import ModelScores, Settings, evaluate

EngineOption = Annotated[
    Literal["process", "ray"],
    typer.Option(
        help="Where lines are scored: in this process, or by the workers of a Ray cluster (that of $RAY_ADDRESS, else "
        "a local one), a file at a time. Lines that belong together must then say the same of their pair: see "
        "docs/scale-out.md."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="With --engine ray: worker processes. Default: one a CPU of the cluster.", metavar="N"),
]
PartsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="With --engine ray: keep the scored rows of each file here, as Parquet; a later run does not score "
        "again what is done.",
    ),
]


class ScoreData(Protocol):
    """Counts of what was read, as of `rationale_rm.data.Loaded`, and the figures of a model."""

    files: tuple[str, ...]
    n_lines: int
    bad: tuple[BadLine, ...]
    n_pairs: int
    n_records: int
    n_labelled: int
    n_unused_labels: int
    models: tuple[str, ...]
    recorded: set[str]
    """Models with recorded judge answers."""

    def evaluate(self, model: str) -> ModelScores:
        """See `rationale_rm.metrics.evaluate`."""
        ...


class ProcessData:
    """All pairs, in this process."""

    def __init__(self, loaded: Loaded, settings: Settings):
        self.loaded, self.settings = loaded, settings
        self.files, self.n_lines, self.bad, self.models = loaded.files, loaded.n_lines, loaded.bad, loaded.models
        self.n_pairs, self.n_records, self.n_labelled = loaded.n_pairs, len(loaded.pairs), loaded.n_labelled
        self.n_unused_labels = loaded.n_unused_labels
        answers = (item for pair in loaded.pairs for item in pair.models.items())
        self.recorded = {name for name, answer in answers if answer.judge is not None}

    def evaluate(self, model: str) -> ModelScores:
        """See `rationale_rm.metrics.evaluate`."""
        return evaluate(self.loaded.pairs, model, self.settings)


@dataclass(frozen=True, slots=True)
class Engine:
    """Where to score."""

    name: Literal["process", "ray"] = "process"
    workers: int | None = None
    parts: str | None = None

    def check(self, files: Sequence[str]) -> None:
        """Leaves the program for options that say nothing to this engine, and for a folder that cannot be used."""
        for option, value in (("--workers", self.workers), ("--parts", self.parts)):
            if self.name != "ray" and value is not None:
                output.fail(f"{option} is an option of --engine ray", output.USAGE)
        if self.parts is None:
            return
        folder = os.path.realpath(self.parts)
        there = folder
        while not os.path.exists(there):
            there = os.path.dirname(there)
        if not os.path.isdir(there):
            output.fail(f"cannot write to --parts {self.parts}: {there} is no folder", output.USAGE)
        within = [file for file in files if os.path.realpath(file).startswith(folder + os.sep)]
        if within:
            output.fail(f"--parts {self.parts} holds the input file {within[0]}", output.USAGE)

    def load(
        self,
        files: Sequence[str],
        settings: Settings,
        *,
        strict: bool,
        quiet: bool,
        label_scale: LabelScale | None,
        model: str | None,
    ) -> ScoreData:
        """Reads `files`; leaves the program where nothing can be scored."""
        progress = output.Progress(quiet)
        if self.name == "process":
            loaded = load_pairs(
                files, progress=progress, what="score", strict=strict, label_scale=label_scale, model=model
            )
            return ProcessData(loaded, settings)
        from rationale_rm.integrations.ray_engine import score_files
        from rationale_rm.integrations.ray_lines import Scoring

        def on_file(n_done: int) -> None:
            progress.update(f"scored {n_done:,} of {output.count(len(files), 'file')}")

        def on_damaged(message: str) -> None:
            if not quiet:
                output.note(f"warning: {message}")

        # Ray tells of lost workers on standard output, which is for the figures.
        with reading(progress), contextlib.redirect_stdout(sys.stderr):
            try:
                found = score_files(
                    files,
                    Scoring(settings, label_scale, model),
                    workers=self.workers,
                    parts=self.parts,
                    on_file=on_file,
                    on_damaged=on_damaged,
                )
            except (DataError, ImportError):
                raise
            except RationaleError as error:
                progress.done()
                output.fail(str(error))
            if strict and found.bad:
                raise DataError(found.bad[0])
        progress.done()
        require(range(found.n_records), "score", "a pair with human reasons", found.bad, found.n_lines)
        return found


def models_of(loaded: ScoreData, wanted: list[str] | None) -> list[str]:
    """The models to score; leaves the program where there are none, or not the `wanted` ones."""
    found = loaded.models
    if not found:
        output.fail(
            "nothing to score: no record holds a model's answer; add M-checklist (a list of reasons) or "
            "M-generated_text (the transcript) for a model M"
        )
    if wanted is None:
        return list(found)
    for name in wanted:
        if name not in found:
            output.fail(f"--model {name}: the data hold {', '.join(found)}", output.USAGE)
    return list(dict.fromkeys(wanted))


def judged_of(loaded: ScoreData, names: list[str], judge: str | None, chosen: bool) -> tuple[list[str], list[str]]:
    """The models to report, and what to say about it. Without a judge, models that have no scores are not."""
    recorded = set(loaded.recorded)
    if judge is not None:
        unused = sorted(recorded & set(names))
        return names, [f"Recorded judge scores were not used ({', '.join(unused)})."] if unused else []
    if not recorded & set(names):
        output.fail(
            "the data hold no judge scores for "
            + ", ".join(names)
            + ". Pass result files of a MetaJudge run (records with `samples` and `metadata`), or --judge "
            "lexical to match by shared words (a rough stand-in), or --judge none to see outcome accuracy "
            "alone."
        )
    without = [name for name in names if name not in recorded]
    if without and not chosen:
        names = [name for name in names if name in recorded]
        return names, [f"Not shown, for no judge scores: {', '.join(without)}."]
    return names, []


def figures_of(loaded: ScoreData, name: str) -> ModelScores:
    """The figures of a model; leaves the program for settings outside their range."""
    try:
        return loaded.evaluate(name)
    except RationaleError as error:
        output.fail(f"{name}: {error}")
