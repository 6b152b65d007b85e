"""What the analyses share on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from rationale_rm.analysis import Sampling
from rationale_rm.cli import options, output
from rationale_rm.data import LabelScale

InputsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="IN…",
        help="Folders of `eval` runs or of `train` runs (their samples), or what `score` reads: output of `critique` "
        "and `match`; - for standard input.",
    ),
]
ModelOption = Annotated[
    list[str] | None, typer.Option(help="Model (GenRM) to look at; may be repeated. Default: all in the data.")
]
TopKOption = Annotated[
    int,
    typer.Option(
        min=0, max=2**31 - 1, help="Reasons past this rank are not matched; 0 keeps all. Runs of `eval` have their own."
    ),
]
LabelScaleOption = Annotated[
    LabelScale | None, typer.Option(help="What a number in a label means; see `rationale-rm score --help`.")
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed of the bootstrap.")]
ResamplesOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="Bootstrap resamples.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Stop at the first bad line (exit code 1).")]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="OUT", help="Write the analysis as JSON, for `report`; - for standard output."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and the number of bad lines only.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How figures are made and shown."""

    sampling: Sampling
    json_path: str | None
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Drawing):
    """And which answers are read."""

    models: list[str] | None
    label_scale: LabelScale | None
    strict: bool


def finite(option: str, value: float) -> float:
    """The value; leaves the program for NaN, which every minimum and maximum lets pass."""
    if not math.isfinite(value):
        output.fail(f"{option} is {value}: expected a number", output.USAGE)
    return value


def _drawing(
    *,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> Drawing:
    return Drawing(sampling=Sampling(n_resamples, seed), json_path=json_path, quiet=quiet)


def _reading(
    *,
    model: ModelOption = None,
    label_scale: LabelScaleOption = None,
    strict: StrictOption = False,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> Reading:
    return Reading(
        sampling=Sampling(n_resamples, seed),
        json_path=json_path,
        quiet=quiet,
        models=model,
        label_scale=label_scale,
        strict=strict,
    )


draws: Final = options.adds(_drawing, "how")
"""Adds to a subcommand the options of `Drawing`, as its argument `how`."""
reads_answers: Final = options.adds(_reading, "how")
"""Adds to a subcommand the options of `Reading`, as its argument `how`."""
