"""``rationale-rm eval arena_hard``: models' answers judged beside a baseline's, and a leaderboard a category."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import typer

from rationale_rm.cli import options, output, render
from rationale_rm.cli.eval import arena_folders, choices, folder, leaderboard, running
from rationale_rm.critique import CritiqueSettings
from rationale_rm.data import expand
from rationale_rm.evals import manifest, read_ours, read_records
from rationale_rm.evals.arena_hard import asking, result, views
from rationale_rm.evals.arena_hard.battles import STRONG
from rationale_rm.evals.arena_hard.board import Board
from rationale_rm.evals.arena_hard.contest import Contest, read_contest, recorded_games
from rationale_rm.evals.arena_hard.games import BASELINES, CATEGORIES, Game
from rationale_rm.evals.arena_hard.reading import is_judgment
from rationale_rm.evals.arena_hard.scoring import score_games
from rationale_rm.evals.arena_hard.style import Control
from rationale_rm.evals.figures import N_RESAMPLES
from rationale_rm.evals.runs import ANSWERS_FILE
from rationale_rm.types import Pair

WHERE: Final = (
    "hub:lmarena-ai/arena-hard-auto/data/arena-hard-v2.0/question.jsonl, and model_answer/MODEL.jsonl and\n"
    "model_judgment/JUDGE/MODEL.jsonl beside it"
)
EPILOG: Final = f"""\
Examples:

\b
  rationale-rm eval arena_hard runs/arena --data question.jsonl --answers model_answer \\
    --candidate my-policy --model openai:my-genrm@http://127.0.0.1:8000/v1
      a GenRM judges the answers of my-policy beside those of the two baselines, in both orders
  rationale-rm eval arena_hard runs/gpt-4.1 --data question.jsonl --answers model_answer \\
    --recorded model_judgment/gpt-4.1
      a leaderboard of the judgments that upstream publishes, with style control
  rationale-rm eval arena_hard runs/mine --category creative_writing --baseline creative_writing=sft …
      against a baseline of your own

The data: {WHERE}. Stopped in any way, the same command goes on where it was.
docs/evals-arena-hard.md has the rules.
"""
Category = Literal["both", "hard_prompt", "creative_writing"]
StyleControl = Literal["both", "length", "markdown", "none"]
_CONTROL: Final[Mapping[StyleControl, tuple[Control, ...]]] = {
    "both": ("length", "markdown"),
    "length": ("length",),
    "markdown": ("markdown",),
    "none": (),
}


@options.asks
@choices.asks_genrm
def arena_hard(
    out: choices.RunFolder,
    model: Annotated[
        str | None,
        typer.Option(
            help="GenRM that judges: openai:NAME@URL (several URLs with commas), openai:NAME, vllm:, hf:PATH."
        ),
    ] = None,
    recorded: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Score recorded judgments instead: upstream's model_judgment files or folders, or the answers.jsonl "
            "of an earlier run. May be repeated.",
        ),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="The questions: question.jsonl, or hub:OWNER/NAME/FILE.")
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Answers of the candidates and of the baselines: model_answer files or folders. May be repeated.",
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Model to be judged. May be repeated. Default: all but the baselines and the judge."
        ),
    ] = None,
    category: Annotated[Category, typer.Option(help="Category to judge.")] = "both",
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY=NAME",
            help="Baseline of a category. Default: "
            + ", ".join(f"{category}={name}" for category, name in BASELINES.items())
            + ".",
        ),
    ] = None,
    style: Annotated[
        StyleControl, typer.Option("--style-control", help="What style control takes out; it needs --answers.")
    ] = "both",
    strong: Annotated[
        int, typer.Option(min=1, max=1000, help="What a verdict of much better weighs; one of better weighs 1.")
    ] = STRONG,
    name: Annotated[
        str | None, typer.Option(help="What to call the judge; with judgments of several judges, which one.")
    ] = None,
    n_resamples: Annotated[int, typer.Option(min=1, max=20_000, help="Resamples of the bootstrap.")] = N_RESAMPLES,
    *,
    settings: CritiqueSettings,
    how: options.Asking,
) -> None:
    """Judge models' answers beside a baseline's: Arena-Hard v2.

    Two games a question, the baseline shown first and the model shown first; a verdict of much better weighs three.
    Hard prompts and creative writing are leaderboards of their own, against baselines of their own. One judged model:
    its result.json, samples.jsonl and items.jsonl stand in RUN; several: in RUN/NAME of each.
    """
    spec = running.look_at(model, recorded, data, out, how, where=WHERE, benchmark=result.NAME)
    given = _baselines(baseline or [])
    progress = output.Progress(how.quiet)
    try:
        questions, texts, judgments = (expand(running.local(paths)) for paths in (data, answers, recorded))
        contest = read_contest(
            questions,
            texts,
            baselines={**BASELINES, **given},
            categories=CATEGORIES if category == "both" else (category,),
            candidates=candidate or (),
            limit=how.limit,
        )
        if spec is not None:
            judge = running.called(spec, name)
            contest = contest.leaving_out(judge)
            asked = _asked(contest)
            models = {pair.extra[asking.FIELD]["model"] for pair in asked}
            arena_folders.refuse_others(out, models, _bound(contest, "live", judge, strong, style))
            # bound to its questions: answers of one more model may come, and those to be asked about are known each
            if not running.ask(result.NAME, out, asked, questions, spec, judge, settings, how):
                return
            games = asking.games(read_ours([os.path.join(out, ANSWERS_FILE)], model=judge, pairs=asked))
        else:
            contest, games, judge = _recorded(contest, judgments, given, name)
        progress.update(f"scoring {len(games):,} games")
        boards = score_games(
            contest, games, control=_CONTROL[style], strong=strong, n_resamples=n_resamples, seed=settings.seed
        )
    except running.FAULTS as error:
        progress.done()
        running.refuse(error)
    progress.done()
    bound = _bound(contest, "recorded" if spec is None else "live", judge, strong, style)
    about = {
        "data": [*questions, *texts],
        "recorded": None if spec is not None else judgments,
        "sampling": None if spec is None else settings.to_dict(),
        "n_resamples": n_resamples,
        "seed": settings.seed,
        **{name: value for name, value in bound.items() if name not in ("eval", "answers")},
    }
    outcomes = {
        one: _outcome(one, boards, contest, games, about)
        for one in sorted({one for board in boards for one in board.battles.models})
    }
    arena_folders.refuse_others(out, outcomes, bound)
    arena_folders.write(out, outcomes, how, live=spec is not None)
    if not how.quiet and how.summary != "-":
        results = {one: outcome.result for one, outcome in outcomes.items()}
        output.emit(render.to_text(leaderboard.leaderboards(boards, results, judge)))


def _bound(contest: Contest, answers: str, judge: str, strong: int, style: StyleControl) -> dict[str, Any]:
    """What may not change in the run's folder, beside the data."""
    return {
        "eval": result.NAME,
        "answers": answers,
        "judge": judge,
        "strong": strong,
        "style_control": style,
        "categories": [f"{one}={contest.baselines[one]}" for one in contest.categories],
        "left_out": list(contest.left_out),
    }


def _baselines(given: Sequence[str]) -> dict[str, str]:
    """``CATEGORY=NAME`` read."""
    found = {}
    for text in given:
        category, _, model = text.partition("=")
        if category not in CATEGORIES or not model:
            output.fail(f"--baseline {text}: expected {' or '.join(f'{one}=NAME' for one in CATEGORIES)}", output.USAGE)
        found[category] = model
    return found


def _asked(contest: Contest) -> list[Pair]:
    """The pairs to ask about; leaves the program without questions or answers."""
    if not contest.questions:
        output.fail("give --data, the questions: see the end of --help", output.USAGE)
    if not contest.answers:
        output.fail("give --answers, those of the candidates and of the baselines: see the end of --help", output.USAGE)
    asked = asking.pairs(contest)
    if not asked:
        output.fail("nothing to judge: no answers but those of the baselines and of the judge (--candidate NAME)")
    return asked


def _recorded(
    contest: Contest, files: Sequence[str], given: Mapping[str, str], judge: str | None
) -> tuple[Contest, list[Game], str]:
    """The games of upstream's judgments, or of the answers of an earlier run, with the judge's name."""
    # One judgment is enough: the reader names the first line that is none
    if any(is_judgment(row.value) for row in read_records(files)):
        return recorded_games(contest, files, given=given, judge=judge)
    if not (contest.questions and contest.answers):
        output.fail(
            f"{files[0]}: no line has games, so these are not upstream's judgments; the answers of an earlier run need "
            "--data and --answers, too",
            output.USAGE,
        )
    answers = read_ours(files, model=judge, pairs=_asked(contest))
    games = [game for game in asking.games(answers) if contest.wants(game)]
    return contest.leaving_out(answers.model), games, answers.model


def _outcome(
    model: str, boards: Sequence[Board], contest: Contest, games: Sequence[Game], about: Mapping[str, Any]
) -> folder.Outcome:
    """All that is written of one judged model."""
    items = [
        item
        for board in boards
        if model in board.battles.models
        for item in views.items(board.battles, model, contest.questions, contest.answers)
    ]
    n_resamples, seed = about["n_resamples"], about["seed"]
    return folder.Outcome(
        result=result.make_result(
            model,
            boards,
            items,
            manifest(items=items, n_pairs=len(items), model=model, **about),
            n_resamples=n_resamples,
            seed=seed,
        ),
        items=items,
        samples=views.samples(games, model, contest.questions, contest.answers),
    )
