"""``rationale-rm analyze lengths``, ``ranks``, ``templates`` and ``rates``: the reasons of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from rationale_rm import analysis
from rationale_rm.analysis.near_duplicates import SIMILAR
from rationale_rm.cli import output
from rationale_rm.cli.analyze.inputs import answers_of, failing, files_once, finish
from rationale_rm.cli.analyze.options import Drawing, InputsArgument, Reading, TopKOption, draws, finite, reads_answers

LENGTHS_EPILOG: Final = """\
Examples:

\b
  rationale-rm analyze lengths runs/rationale-qwen3
  rationale-rm analyze lengths matches.jsonl --model qwen3 --json lengths.json
"""
RANKS_EPILOG: Final = """\
Example:

\b
  rationale-rm analyze ranks matches.jsonl --top-k 0
      the whole lists
"""
TEMPLATES_EPILOG: Final = """\
Example:

\b
  rationale-rm analyze templates critiques.jsonl --min-pairs 3 --json templates.json
      needs no judge; the JSON holds the largest clusters with examples
"""
RATES_EPILOG: Final = """\
Example:

\b
  rationale-rm analyze rates labels.jsonl --json rates.json
      lines {"id": "p1#swapped", "model": "m", "classes": ["EG", "GS"], "flaws": [[], ["F1", "F5"]]}
"""


@reads_answers
def lengths(inputs: InputsArgument, top_k: TopKOption = 5, *, how: Reading) -> None:
    """How many reasons, how long, and does that go with RC?

    Reasons an answer, words and characters a reason, over all answers, right and wrong ones, their difference, and the
    rank correlation of RC with the number of reasons and of words.
    """
    files_once(inputs, {"--json": how.json_path})
    answers = answers_of(inputs, how, top_k=top_k)
    progress = output.Progress(how.quiet)
    with failing(progress):
        done = analysis.lengths(answers, how.sampling, on_progress=_telling(progress, "resampling {}: {:,}"))
    finish(done, how, answers.bad, answers.n_lines)


@reads_answers
def ranks(inputs: InputsArgument, top_k: TopKOption = 5, *, how: Reading) -> None:
    """Which share of RC does each rank of the list contribute?

    `contribution` of rank k is the mean of its matched score divided by the number of human reasons: over all ranks
    they add up to RC, of which `share` is the part. `score` is the mean matched score of a reason of that rank, and
    `present` says how many answers have one.
    """
    files_once(inputs, {"--json": how.json_path})
    answers = answers_of(inputs, how, top_k=top_k)
    progress = output.Progress(how.quiet)
    with failing(progress):
        told = _telling(progress, "resampling {}: {:,} ranks")
        done = analysis.ranks(answers, how.sampling, top_k=top_k or None, on_progress=told)
    finish(done, how, answers.bad, answers.n_lines)


@reads_answers
def templates(
    inputs: InputsArgument,
    min_pairs: Annotated[
        int, typer.Option(min=2, help="A reason is repeated that stands under so many pairs at the least.")
    ] = 2,
    similar: Annotated[
        float, typer.Option(min=0.5, max=1, help="Likeness from which on two masked reasons are near-duplicates.")
    ] = SIMILAR,
    *,
    how: Reading,
) -> None:
    """Which reasons does a model repeat from pair to pair?

    The share of its reasons that stand under several pairs: the same (`duplicate`), the same but for sides, names,
    numbers and quotes (`template`), and nearly so (`near_duplicate`); and the largest clusters. Needs
    rationale-rm[analysis].
    """
    finite("--similar", similar)
    files_once(inputs, {"--json": how.json_path})
    answers = answers_of(inputs, how, top_k=0)
    progress = output.Progress(how.quiet)
    with failing(progress):
        told = _telling(progress, "comparing reasons of {}: {:,}")
        done = analysis.templates(answers, how.sampling, min_pairs=min_pairs, similar=similar, on_progress=told)
    finish(done, how, answers.bad, answers.n_lines)


def _telling(progress: output.Progress, message: str) -> Callable[[str, int], None]:
    """Shows how far an analysis is; `message` is given the model and the number."""

    def on_progress(model: str, n_done: int) -> None:
        progress.update(message.format(output.safe(model, 40), n_done))

    return on_progress


@draws
def rates(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELS…",
            help="JSON Lines {id, model, classes, flaws[, pair_id, domain]}, or samples of an evaluation with labels; "
            "- for standard input.",
        ),
    ],
    labeller: Annotated[str, typer.Option(help="Who gave the labels, for the output.")] = "",
    *,
    how: Drawing,
) -> None:
    """Rates of the classes EG, CG, GS and of the flaws F1 to F7, from labels that are there (paper, Fig. 4 and 5).

    `classes` has one of EG, CG, GS for each reason of an answer, `flaws` a list of F1 to F7; null where the labeller
    gave none. Shares are over labelled reasons, for each model and domain.
    """
    files = files_once(inputs, {"--json": how.json_path})
    with failing():
        labels = analysis.read_labels(files)
    if not any(given is not None for one in labels for given in (*one.classes, *one.flaws)):
        output.fail(f"no labels in {', '.join(inputs)}: lines with `classes` and `flaws` are expected")
    about = analysis.manifest(files, how.sampling)
    finish(analysis.rates(labels, how.sampling, labeller=labeller, manifest=about), how)
