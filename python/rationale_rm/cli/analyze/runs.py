"""``rationale-rm analyze degeneration``: training runs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rationale_rm import analysis
from rationale_rm.analysis.degeneration import TOLERANCE
from rationale_rm.cli import output
from rationale_rm.cli.analyze.inputs import failing, finish, named_runs
from rationale_rm.cli.analyze.options import Drawing, draws, finite

EPILOG: Final = """\
Examples:

\b
  rationale-rm analyze degeneration runs/hybrid-0 runs/outcome_only-0
  rationale-rm analyze degeneration hybrid=runs/h-0 hybrid=runs/h-1 outcome=runs/o-0 outcome=runs/o-1
      two arms of two seeds each, paired in this order
"""


@draws
def degeneration(
    runs: Annotated[
        list[str], typer.Argument(metavar="[NAME=]RUN…", help="Run folders of `train`; those of one NAME are an arm.")
    ],
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="OA counts as held where it fell by no more than this.")
    ] = TOLERANCE,
    *,
    how: Drawing,
) -> None:
    """Do reasons decay while verdicts get better? Training curves, changes and differences (paper, Fig. 3).

    For each run the change of OA, RC and AP from the first to the last evaluation, and of the outcome and rationale
    reward from the first to the last quarter of training. `degenerated` is 1 where OA held or rose while the interval
    of RC's change lies below 0. Every two runs, or arms, are compared at equal steps.
    """
    finite("--tolerance", tolerance)
    named = named_runs(runs)
    output.inputs_and_targets([path for _, path in named], {"--json": how.json_path})
    with failing():
        read = analysis.read_runs(named)
    finish(analysis.degeneration(read, how.sampling, tolerance=tolerance), how)
