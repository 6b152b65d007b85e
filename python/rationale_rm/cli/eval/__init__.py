"""``rationale-rm eval NAME``: one subcommand a benchmark, and one that compares two runs."""

from __future__ import annotations

from typing import Final

import typer

from rationale_rm.cli.eval import arena_hard, compare, pairs, rationale
from rationale_rm.evals.known import BENCHMARKS

EPILOG: Final = """\
Examples:

\b
  rationale-rm eval llmbar runs/llmbar --model openai:my-genrm@http://127.0.0.1:8000/v1 \\
    --data LLMBar/Natural/dataset.json
      every pair in both orders; the folder holds the answers and the figures
  rationale-rm eval judgebench runs/haiku --recorded outputs/…judge_model=claude-3-haiku.jsonl
      score recorded outputs in upstream's own files
  rationale-rm eval compare runs/a runs/b
      paired differences of two runs of one evaluation

Every figure has a 95% interval, the share of items that were answered, and the share of malformed answers beside it.
docs/evals.md has the rules.
"""

app: Final = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Evaluate a GenRM, or recorded outputs, on the benchmarks of the field.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(name="rationale", epilog=rationale.EPILOG)(rationale.rationale_command)
for benchmark in BENCHMARKS:
    app.command(name=benchmark.name, epilog=pairs.epilog(benchmark), help=pairs.about(benchmark))(
        pairs.command(benchmark)
    )
app.command(name="arena_hard", epilog=arena_hard.EPILOG)(arena_hard.arena_hard)
app.command(name="compare", epilog=compare.EPILOG)(compare.compare)
