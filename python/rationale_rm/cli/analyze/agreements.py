"""``rationale-rm analyze agreement`` and ``rank-agreement``: two judges, or two benchmarks."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rationale_rm import analysis
from rationale_rm.analysis.files import files_of
from rationale_rm.analysis.scoreboards import board_files
from rationale_rm.cli import output
from rationale_rm.cli.analyze.inputs import answers_of, failing, finish, in_common
from rationale_rm.cli.analyze.options import Drawing, Reading, TopKOption, draws, reads_answers

EPILOG: Final = """\
Examples:

\b
  rationale-rm match critiques.jsonl by-qwen.jsonl --judge openai:Qwen/Qwen3-235B@http://127.0.0.1:8000/v1
  rationale-rm match critiques.jsonl by-r1.jsonl --judge openai:deepseek-r1@http://127.0.0.1:8001/v1
  rationale-rm analyze agreement by-qwen.jsonl by-r1.jsonl
"""
RANK_EPILOG: Final = """\
Examples:

\b
  rationale-rm analyze rank-agreement runs/rationale/ runs/rm-bench/ --figure rc --second-figure accuracy
      folders of `eval` runs, one a model
  rationale-rm analyze rank-agreement runs/rationale/ arena.csv --figure code/rc
      a CSV with the columns model and score
"""
FirstArgument = Annotated[
    str, typer.Argument(metavar="FIRST", help="File or folder; of judges also - for standard input.")
]
SecondArgument = Annotated[str, typer.Argument(metavar="SECOND", help="Likewise.")]
_FIGURE: Final = "[[RULE/]SLICE/]METRIC"


@reads_answers
def agreement(
    first: FirstArgument,
    second: SecondArgument,
    worst: Annotated[int, typer.Option(min=0, max=100_000, help="Answers to list on which the two differ most.")] = 20,
    top_k: TopKOption = 5,
    *,
    how: Reading,
) -> None:
    """Do two judges agree on Rationale Consistency? R², RMSE and the fitted line (paper, Fig. 2).

    FIRST and SECOND hold the same answers, scored by two judges: outputs of `match`, or folders of `eval` runs. The
    line is that of SECOND on FIRST, over the mean RC of each model (three models at least) and over answers;
    `rmse_identity` is the distance from the diagonal, `difference` the mean of SECOND minus FIRST.
    """
    output.inputs_and_targets([first, second], {"--json": how.json_path})
    with failing():
        shared = in_common(files_of([first]), files_of([second]))
    if shared is not None:
        output.fail(f"FIRST and SECOND both hold {shared}: give the scores of two judges", output.USAGE)
    found = [answers_of([path], how, top_k=top_k) for path in (first, second)]
    with failing():
        done = analysis.agreement(found[0], found[1], how.sampling, n_worst=worst)
    finish(done, how, [bad for one in found for bad in one.bad], sum(one.n_lines for one in found))


@draws
def rank_agreement(
    first: FirstArgument,
    second: SecondArgument,
    figure: Annotated[
        str | None,
        typer.Option(
            metavar=_FIGURE,
            help="The figure of the results in FIRST, and in SECOND. Default: the only one over all items.",
        ),
    ] = None,
    second_figure: Annotated[str | None, typer.Option(metavar=_FIGURE, help="Another figure for SECOND.")] = None,
    *,
    how: Drawing,
) -> None:
    """Do two benchmarks order models alike? Spearman's rank correlation.

    FIRST and SECOND are each a CSV file with the columns model and score, or a folder of `eval` runs. Five models at
    least have to be in both. The interval draws models.
    """
    output.inputs_and_targets([first, second], {"--json": how.json_path})
    with failing():
        boards = [
            analysis.read_scoreboard([first], figure),
            analysis.read_scoreboard([second], second_figure or figure),
        ]
        shared = in_common(board_files([first]), board_files([second]))
        if shared is not None and second_figure in (None, figure):
            output.fail(f"FIRST and SECOND both hold {shared}, and the same figure of it", output.USAGE)
        done = analysis.rank_agreement(boards[0], boards[1], how.sampling)
    finish(done, how)
