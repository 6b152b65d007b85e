"""``rationale-rm report``: results as one HTML page."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Annotated, Final

import typer

from rationale_rm import RationaleError, __version__
from rationale_rm.cli import output
from rationale_rm.evals import compare, read_run
from rationale_rm.evals.known import SHOWN
from rationale_rm.extras import MissingExtraError
from rationale_rm.report import Comparison, EvalRun, ReportError, Settings, read, write

MOST_COMPARED: Final = 4
"""With more runs of one evaluation, each is compared with the first alone."""

EPILOG: Final = """\
Examples:

\b
  rationale-rm report runs/outcome-only runs/hybrid -o report.html
      two training runs: rewards, OA and RC over the steps, and the answers that they kept
  rationale-rm report evals/base evals/hybrid taxonomy.json agreement.json -o report.html
      evaluations with their samples, and analyses

RUN is a folder of `rationale-rm eval` or `rationale-rm train`, a JSON file of `rationale-rm analyze` or of a
comparison of two evaluations, or a .jsonl file of labels of reasons (`rationale-rm analyze taxonomy -o`). Training
folders whose names differ in a number at the end (hybrid-0, hybrid-1) are seeds of one setting. docs/report.md says
what each figure shows.
"""


def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Folders and files to report on.")],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="FILE", help="The page to write; an older one is replaced.")
    ] = "report.html",
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Rationale report",
    trap_oa: Annotated[
        float, typer.Option(min=0, max=1, help="The trap of the figure OA against RC begins at this OA …")
    ] = 0.7,
    trap_rc: Annotated[float, typer.Option(min=0, max=1, help="… and ends at this RC.")] = 0.25,
    comparisons: Annotated[
        bool,
        typer.Option(
            "--compare/--no-compare",
            help="Compare runs of one evaluation and data by item, as `eval compare` does.",
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write figures, tables and every sample as one HTML page.

    It opens from disk and asks the network for nothing. Texts of models are shown as text, never as markup.
    """
    for name, share in (("--trap-oa", trap_oa), ("--trap-rc", trap_rc)):
        if math.isnan(share):
            output.fail(f"{name} is {share}: expected a number from 0 to 1", output.USAGE)
    _check_target(out, runs)
    progress = output.Progress(quiet)
    try:
        inputs = read(runs, progress.update)
        if comparisons:
            given = {(one.eval, one.a, one.b) for one in inputs.comparisons}
            found = [one for one in _compared(inputs.evals, progress) if (one.eval, one.a, one.b) not in given]
            inputs = replace(inputs, comparisons=[*inputs.comparisons, *found])
        with output.replacing(out) as stream:
            page = write(inputs, stream, Settings(title, __version__, (trap_oa, trap_rc)), progress.update)
    except (ReportError, MissingExtraError) as error:
        progress.done()
        output.fail(str(error))
    progress.done()
    for note in inputs.notes:
        output.note(f"note: {note}")
    output.emit(f"{out}: {output.count(page.n_samples, 'sample')}, {page.n_bytes / 1e6:.1f} MB\n")


def _check_target(out: str, runs: Sequence[str]) -> None:
    """Before anything is read: that the page can be written, and over none of the inputs."""
    folder = os.path.dirname(os.path.realpath(out))
    if not os.path.isdir(folder):
        output.fail(f"cannot write {out}: there is no folder {folder}; make it first", output.USAGE)
    if os.path.isdir(out):
        output.fail(f"cannot write {out}: it is a folder", output.USAGE)
    for run in runs:
        of_run = os.path.isdir(run) and os.path.realpath(run) == folder and not out.endswith(".html")
        if os.path.exists(out) and os.path.exists(run) and (of_run or os.path.samefile(out, run)):
            output.fail(f"cannot write {out}: it is an input", output.USAGE)


def _compared(runs: Sequence[EvalRun], progress: output.Progress) -> Iterator[Comparison]:
    """Paired differences of every two runs of one evaluation; runs that cannot be compared are told of."""
    for kind in dict.fromkeys(run.result.eval for run in runs):
        same = [run for run in runs if run.result.eval == kind]
        pairs = combinations(same, 2) if len(same) <= MOST_COMPARED else ((same[0], other) for other in same[1:])
        strata = SHOWN[kind].strata if kind in SHOWN else {}
        for a, b in pairs:
            progress.update(f"comparing {a.name} and {b.name}")
            try:
                found = compare(read_run(a.path), read_run(b.path), strata=strata)
            except RationaleError as error:
                progress.done()
                output.note(f"note: {a.name} and {b.name} are not compared: {error}")
                continue
            yield Comparison(kind, a.name, b.name, [one.to_dict() for one in found.differences])
