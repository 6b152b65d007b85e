"""``rationale-rm report``: results as one HTML page."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rationale_rm import __version__
from rationale_rm.cli import output
from rationale_rm.extras import MissingExtraError
from rationale_rm.report import ReportError, Settings, read, write

EPILOG: Final = """\
Examples:

\b
  rationale-rm report runs/outcome-only runs/hybrid -o report.html
      two training runs: rewards, OA and RC over the steps, and the answers that they kept
  rationale-rm report evals/base evals/hybrid taxonomy.json agreement.json -o report.html
      evaluations with their samples, and analyses

RUN is a folder of `rationale-rm eval` or `rationale-rm train`, or a JSON file of `rationale-rm analyze` or of a
comparison of two evaluations. Training folders whose names differ in a number at the end (hybrid-0, hybrid-1) are seeds
of one setting. docs/report.md says what each figure shows.
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write figures, tables and every sample as one HTML page.

    It opens from disk and asks the network for nothing. Texts of models are shown as text, never as markup.
    """
    progress = output.Progress(quiet)
    try:
        inputs = read(runs, progress.update)
        with output.replacing(out) as stream:
            page = write(inputs, stream, Settings(title, __version__, (trap_oa, trap_rc)), progress.update)
    except (ReportError, MissingExtraError) as error:
        progress.done()
        output.fail(str(error))
    progress.done()
    output.emit(f"{out}: {output.count(page.n_samples, 'sample')}, {page.n_bytes / 1e6:.1f} MB\n")
