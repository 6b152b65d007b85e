"""``rationale-rm analyze``: what lies behind the figures of models, judges, benchmarks and training runs."""

from __future__ import annotations

from typing import Final

import typer

from rationale_rm.cli.analyze import agreements, reasons, runs, taxonomy

EPILOG: Final = """\
Examples:

\b
  rationale-rm analyze lengths runs/rationale-qwen3 runs/rationale-o3
      two runs of `eval`, one a model
  rationale-rm analyze agreement matches-qwen.jsonl matches-r1.jsonl --json agreement.json
      two judges on one output of `critique`; `report` draws the JSON
  rationale-rm analyze degeneration hybrid=runs/hybrid-0 outcome=runs/outcome-0
      two runs of `train`

`rationale-rm analyze NAME --help` says what each analysis takes and finds.
"""
app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback(epilog=EPILOG)
def _analyze() -> None:
    """Analyse answers, judges, benchmarks and training runs.

    Each analysis prints its figures with 95% intervals, which draw source pairs, and how many answers stand behind
    them; an answer that is not there is left out, and not taken for zero. `--json OUT` writes all of it for
    `rationale-rm report`.
    """


for _command, _epilog in (
    (agreements.agreement, agreements.EPILOG),
    (agreements.rank_agreement, agreements.RANK_EPILOG),
    (runs.degeneration, runs.EPILOG),
    (reasons.lengths, reasons.LENGTHS_EPILOG),
    (reasons.ranks, reasons.RANKS_EPILOG),
    (reasons.templates, reasons.TEMPLATES_EPILOG),
    (reasons.rates, reasons.RATES_EPILOG),
    (taxonomy.taxonomy, taxonomy.EPILOG),
):
    app.command(epilog=_epilog)(_command)
