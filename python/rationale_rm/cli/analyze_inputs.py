"""What the analyses share on the command line: options, inputs, and the end of a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from rationale_rm import RationaleError
from rationale_rm.analysis import Answers, read_answers
from rationale_rm.analysis.answers import cut
from rationale_rm.cli import output
from rationale_rm.cli.analyze_tables import tables
from rationale_rm.data import BadLine, DataError, LabelScale
from rationale_rm.documents import Analysis
from rationale_rm.extras import MissingExtraError
from rationale_rm.metrics import Settings

InputsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="IN…",
        help="Folders of `eval` runs or of `train` runs (their samples), or what `score` reads: output of `critique` "
        "and `match`.",
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


@contextlib.contextmanager
def failing(progress: output.Progress | None = None) -> Iterator[None]:
    """Leaves the program, with what is wrong, where an input cannot be used."""

    def fail(message: str, code: int = output.BAD_INPUT) -> None:
        if progress is not None:
            progress.done()
        output.fail(message, code)

    try:
        yield
    except (DataError, MissingExtraError, RationaleError) as error:
        fail(str(error))
    except OSError as error:
        if error.errno is None:  # ours, and says it all
            fail(str(error), output.USAGE)
        fail(f"cannot read {error.filename or 'the input'}: {error.strerror}")
    finally:
        if progress is not None:
            progress.done()


def answers_of(
    paths: Sequence[str],
    models: Sequence[str] | None,
    *,
    top_k: int,
    label_scale: LabelScale | None,
    strict: bool,
    quiet: bool,
    need_references: bool = True,
    own_output: str | None = None,
) -> Answers:
    """The answers in `paths` of these models; leaves the program where there are none. What an earlier run left in
    `own_output` is not read, though it lies in one of the folders.
    """
    progress = output.Progress(quiet)

    def on_line(count: int) -> None:
        if count % 256 == 0:
            progress.update(f"reading: {count:,} lines")

    with failing(progress):
        settings = Settings(top_k=top_k or None)
        answers = read_answers(
            paths,
            settings=settings,
            label_scale=label_scale,
            strict=strict,
            need_references=need_references,
            leave_out=own_output,
            on_line=on_line,
        )
    output.report_bad_lines(answers.bad, answers.n_lines, quiet)
    if not answers.views:
        output.fail(
            f"nothing to analyse: none of {output.count(answers.n_lines, 'line')} in {', '.join(paths)} holds a "
            "model's answer; give a folder of an `eval` run, or the output of `critique` or `match`"
        )
    for name in models or ():
        if name not in answers.models:
            output.fail(f"--model {name}: the data hold {', '.join(answers.models)}", output.USAGE)
    return answers if models is None else cut(answers, models)


def named_runs(given: Sequence[str]) -> list[tuple[str | None, str]]:
    """``NAME=FOLDER`` or ``FOLDER`` as name and folder; leaves the program for a folder that is not there."""
    named: list[tuple[str | None, str]] = []
    for one in given:
        name, sign, path = one.partition("=")
        named.append((name, path) if sign and not os.path.exists(one) else (None, one))
        if not os.path.isdir(named[-1][1]):
            output.fail(f"no run folder {named[-1][1]!r}: give FOLDER or NAME=FOLDER", output.USAGE)
    return named


def finish(analysis: Analysis, json_path: str | None, quiet: bool, bad: Sequence[BadLine] = ()) -> None:
    """Writes and prints an analysis."""
    if bad:
        analysis = replace(analysis, notes=(*analysis.notes, f"{len(bad)} lines were left out as bad."))
    if json_path is not None:
        output.write_json(json_path, analysis.to_dict())
    if not quiet and json_path != "-":
        output.emit(tables(analysis))
