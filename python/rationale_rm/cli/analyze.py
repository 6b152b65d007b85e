"""``rationale-rm analyze``: what lies behind the figures of models, judges, benchmarks and training runs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rationale_rm import analysis
from rationale_rm.analysis.degeneration import TOLERANCE
from rationale_rm.analysis.near_duplicates import SIMILAR
from rationale_rm.cli import analyze_taxonomy, output
from rationale_rm.cli.analyze_inputs import (
    InputsArgument,
    JsonOption,
    LabelScaleOption,
    ModelOption,
    QuietOption,
    ResamplesOption,
    SeedOption,
    StrictOption,
    TopKOption,
    answers_of,
    failing,
    finish,
    named_runs,
)

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
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

FirstArgument = Annotated[str, typer.Argument(metavar="FIRST", help="File or folder.")]
SecondArgument = Annotated[str, typer.Argument(metavar="SECOND", help="Likewise.")]


@app.callback(epilog=EPILOG)
def _analyze() -> None:
    """Analyse answers, judges, benchmarks and training runs.

    Each analysis prints its figures with 95% intervals, which draw source pairs, and how many answers stand behind
    them; an answer that is not there is left out, and not taken for zero. `--json OUT` writes all of it for
    `rationale-rm report`.
    """


@app.command(
    epilog="""\
Examples:

\b
  rationale-rm match critiques.jsonl by-qwen.jsonl --judge openai:Qwen/Qwen3-235B@http://127.0.0.1:8000/v1
  rationale-rm match critiques.jsonl by-r1.jsonl --judge openai:deepseek-r1@http://127.0.0.1:8001/v1
  rationale-rm analyze agreement by-qwen.jsonl by-r1.jsonl
"""
)
def agreement(
    first: FirstArgument,
    second: SecondArgument,
    model: ModelOption = None,
    worst: Annotated[int, typer.Option(min=0, max=100_000, help="Answers to list on which the two differ most.")] = 20,
    top_k: TopKOption = 5,
    label_scale: LabelScaleOption = None,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    strict: StrictOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Do two judges agree on Rationale Consistency? R², RMSE and the fitted line (paper, Fig. 2).

    FIRST and SECOND hold the same answers, scored by two judges: outputs of `match`, or folders of `eval` runs. The
    line is that of SECOND on FIRST, over the mean RC of each model (three models at least) and over answers;
    `rmse_identity` is the distance from the diagonal, `difference` the mean of SECOND minus FIRST.
    """
    how = analysis.Sampling(n_resamples, seed)
    output.inputs_and_targets([first, second], {"--json": json_path})
    found = [
        answers_of([path], model, top_k=top_k, label_scale=label_scale, strict=strict, quiet=quiet)
        for path in (first, second)
    ]
    with failing():
        done = analysis.agreement(found[0], found[1], how, n_worst=worst)
    finish(done, json_path, quiet, [bad for one in found for bad in one.bad])


@app.command(
    epilog="""\
Examples:

\b
  rationale-rm analyze rank-agreement runs/rationale/ runs/rm-bench/ --figure rc --second-figure accuracy
      folders of `eval` runs, one a model
  rationale-rm analyze rank-agreement runs/rationale/ arena.csv --figure code/rc
      a CSV with the columns model and score
"""
)
def rank_agreement(
    first: FirstArgument,
    second: SecondArgument,
    figure: Annotated[
        str | None,
        typer.Option(
            metavar="[[RULE/]SLICE/]METRIC",
            help="The figure of the results in FIRST, and in SECOND. Default: the only one over all items.",
        ),
    ] = None,
    second_figure: Annotated[
        str | None, typer.Option(metavar="[[RULE/]SLICE/]METRIC", help="Another figure for SECOND.")
    ] = None,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Do two benchmarks order models alike? Spearman's rank correlation.

    FIRST and SECOND are each a CSV file with the columns model and score, or a folder of `eval` runs. Five models at
    least have to be in both. The interval draws models.
    """
    output.inputs_and_targets([first, second], {"--json": json_path})
    with failing():
        boards = [
            analysis.read_scoreboard([first], figure),
            analysis.read_scoreboard([second], second_figure or figure),
        ]
        done = analysis.rank_agreement(boards[0], boards[1], analysis.Sampling(n_resamples, seed))
    finish(done, json_path, quiet)


@app.command(
    epilog="""\
Examples:

\b
  rationale-rm analyze degeneration runs/hybrid-0 runs/outcome_only-0
  rationale-rm analyze degeneration hybrid=runs/h-0 hybrid=runs/h-1 outcome=runs/o-0 outcome=runs/o-1
      two arms of two seeds each, paired in this order
"""
)
def degeneration(
    runs: Annotated[
        list[str], typer.Argument(metavar="[NAME=]RUN…", help="Run folders of `train`; those of one NAME are an arm.")
    ],
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="OA counts as held where it fell by no more than this.")
    ] = TOLERANCE,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Do reasons decay while verdicts get better? Training curves, changes and differences (paper, Fig. 3).

    For each run the change of OA, RC and AP from the first to the last evaluation, and of the outcome and rationale
    reward from the first to the last quarter of training. `degenerated` is 1 where OA held or rose while the interval
    of RC's change lies below 0. Every two runs, or arms, are compared at equal steps.
    """
    named = named_runs(runs)
    output.inputs_and_targets([path for _, path in named], {"--json": json_path})
    with failing():
        read = analysis.read_runs(named)
    finish(analysis.degeneration(read, analysis.Sampling(n_resamples, seed), tolerance=tolerance), json_path, quiet)


@app.command(
    epilog="""\
Examples:

\b
  rationale-rm analyze lengths runs/rationale-qwen3
  rationale-rm analyze lengths matches.jsonl --model qwen3 --json lengths.json
"""
)
def lengths(
    inputs: InputsArgument,
    model: ModelOption = None,
    top_k: TopKOption = 5,
    label_scale: LabelScaleOption = None,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    strict: StrictOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """How many reasons, how long, and does that go with RC?

    Reasons an answer, words and characters a reason, over all answers, right and wrong ones, their difference, and the
    rank correlation of RC with the number of reasons and of words.
    """
    output.inputs_and_targets(inputs, {"--json": json_path})
    answers = answers_of(inputs, model, top_k=top_k, label_scale=label_scale, strict=strict, quiet=quiet)
    finish(analysis.lengths(answers, analysis.Sampling(n_resamples, seed)), json_path, quiet, answers.bad)


@app.command(
    epilog="""\
Example:

\b
  rationale-rm analyze ranks matches.jsonl --top-k 0
      the whole lists
"""
)
def ranks(
    inputs: InputsArgument,
    model: ModelOption = None,
    top_k: TopKOption = 5,
    label_scale: LabelScaleOption = None,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    strict: StrictOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Which share of RC does each rank of the list contribute?

    `contribution` of rank k is the mean of its matched score divided by the number of human reasons: over all ranks
    they add up to RC, of which `share` is the part. `score` is the mean matched score of a reason of that rank, and
    `present` says how many answers have one.
    """
    output.inputs_and_targets(inputs, {"--json": json_path})
    answers = answers_of(inputs, model, top_k=top_k, label_scale=label_scale, strict=strict, quiet=quiet)
    done = analysis.ranks(answers, analysis.Sampling(n_resamples, seed), top_k=top_k or None)
    finish(done, json_path, quiet, answers.bad)


@app.command(
    epilog="""\
Example:

\b
  rationale-rm analyze templates critiques.jsonl --min-pairs 3 --json templates.json
      needs no judge; the JSON holds the largest clusters with examples
"""
)
def templates(
    inputs: InputsArgument,
    model: ModelOption = None,
    min_pairs: Annotated[
        int, typer.Option(min=2, help="A reason is repeated that stands under so many pairs at the least.")
    ] = 2,
    similar: Annotated[
        float, typer.Option(min=0.5, max=1, help="Likeness from which on two masked reasons are near-duplicates.")
    ] = SIMILAR,
    label_scale: LabelScaleOption = None,
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    strict: StrictOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Which reasons does a model repeat from pair to pair?

    The share of its reasons that stand under several pairs: the same (`duplicate`), the same but for sides, names,
    numbers and quotes (`template`), and nearly so (`near_duplicate`); and the largest clusters. Needs
    rationale-rm[analysis].
    """
    output.inputs_and_targets(inputs, {"--json": json_path})
    answers = answers_of(inputs, model, top_k=0, label_scale=label_scale, strict=strict, quiet=quiet)
    progress = output.Progress(quiet)

    def on_progress(name: str, n_done: int) -> None:
        if n_done % 64 == 0:
            progress.update(f"comparing reasons of {name}: {n_done:,}")

    how = analysis.Sampling(n_resamples, seed)
    with failing(progress):
        done = analysis.templates(answers, how, min_pairs=min_pairs, similar=similar, on_progress=on_progress)
    finish(done, json_path, quiet, answers.bad)


@app.command(
    epilog="""\
Example:

\b
  rationale-rm analyze rates labels.jsonl --json rates.json
      lines {"id": "p1#swapped", "model": "m", "classes": ["EG", "GS"], "flaws": [[], ["F1", "F5"]]}
"""
)
def rates(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELS…",
            help="JSON Lines {id, model, classes, flaws[, pair_id, domain]}, or samples of an evaluation with labels.",
        ),
    ],
    labeller: Annotated[str, typer.Option(help="Who gave the labels, for the output.")] = "",
    seed: SeedOption = 0,
    n_resamples: ResamplesOption = 2000,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Rates of the classes EG, CG, GS and of the flaws F1 to F7, from labels that are there (paper, Fig. 4 and 5).

    `classes` has one of EG, CG, GS for each reason of an answer, `flaws` a list of F1 to F7; null where the labeller
    gave none. Shares are over labelled reasons, for each model and domain.
    """
    output.inputs_and_targets(inputs, {"--json": json_path})
    how = analysis.Sampling(n_resamples, seed)
    with failing():
        labels = analysis.read_labels(inputs)
    if not any(given is not None for one in labels for given in (*one.classes, *one.flaws)):
        output.fail(f"no labels in {', '.join(inputs)}: lines with `classes` and `flaws` are expected")
    about = analysis.manifest(analysis.files_of(inputs), how)
    finish(analysis.rates(labels, how, labeller=labeller, manifest=about), json_path, quiet)


app.command(epilog=analyze_taxonomy.EPILOG)(analyze_taxonomy.taxonomy)
