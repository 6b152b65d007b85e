"""``rationale-rm eval compare``: two runs of one evaluation, item by item."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rationale_rm.cli import options
from rationale_rm.cli.eval import choices, outcome
from rationale_rm.evals.figures import N_RESAMPLES

EPILOG: Final = """\
Examples:

\b
  rationale-rm eval compare runs/hybrid runs/outcome-only
  rationale-rm eval compare runs/a runs/b --json differences.json

Differences are A minus B on the items that both runs have, with a paired bootstrap that draws clusters of items, and
McNemar's exact test where a figure is right or wrong. Runs of other evaluations or other data are refused.
"""


def compare(
    a: Annotated[str, typer.Argument(metavar="RUN_A", help="Folder of a finished run.")],
    b: Annotated[str, typer.Argument(metavar="RUN_B", help="Another one, of the same evaluation and data.")],
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write all differences as JSON; - for standard output.")
    ] = None,
    n_resamples: choices.Resamples = N_RESAMPLES,
    seed: options.Seed = 0,
) -> None:
    """Compare two runs of one evaluation on the items that both have."""
    outcome.show_comparison(a, b, n_resamples, seed, json_path)
