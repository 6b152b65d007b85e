"""``rationale-rm eval rationale``: Rationale Consistency, outcome accuracy and spurious correctness."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from rationale_rm._core import RationaleError
from rationale_rm.cli import asking, options, output
from rationale_rm.cli.eval import choices, folder, judging, outcome, running
from rationale_rm.critique import CritiqueSettings
from rationale_rm.data import LabelScale
from rationale_rm.evals import rationale, rationale_samples
from rationale_rm.evals.answers import ORDERS, left_out
from rationale_rm.evals.figures import N_RESAMPLES
from rationale_rm.evals.runs import ANSWERS_FILE
from rationale_rm.metrics import Settings
from rationale_rm.types import Pair
from rationale_rm.world import SPLITS, WorldSettings
from rationale_rm.world import pairs as world_pairs
from rationale_rm.world.generate import ID as WORLD_ID

EPILOG: Final = """\
Examples:

\b
  rationale-rm eval rationale runs/rc --data hub:Qwen/RationaleRM/data/helpsteer3_test_1000.jsonl \\
    --model vllm:./checkpoint --judge openai:Qwen/Qwen3-235B-A22B-Instruct-2507@http://127.0.0.1:8000/v1
      a GenRM answers in both orders, a MetaJudge matches its reasons
  rationale-rm eval rationale runs/rc --recorded matches.jsonl
      score what match wrote, or the authors' result files
  rationale-rm eval rationale runs/world --data world:test:100 --model hf:./model --prompt brief --judge oracle
      the synthetic world and its exact judge, for a model that was trained on it

Stopped in any way, the same command goes on where it was.
"""
_WORLD: Final = re.compile(r"world:([a-z]{1,16}):([1-9][0-9]{0,5})(?::([0-9]{1,9}))?", re.ASCII)


@options.asks
@choices.asks_genrm
def rationale_command(
    out: choices.RunFolder,
    model: choices.Model = None,
    recorded: choices.Recorded = None,
    data: choices.Data = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Judge of the reasons: openai:NAME@URL, openai:NAME, vllm:PATH, hf:PATH; without an LLM lexical or "
            "embedding[:MODEL]; oracle for the synthetic world. Default: the recorded judge answers."
        ),
    ] = None,
    name: choices.Name = None,
    top_k: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Lists are cut to this length before judging; 0 keeps all.")
    ] = 5,
    below: Annotated[
        float, typer.Option("--spurious-below", min=0, max=1, help="RC under which a right verdict is spurious too.")
    ] = rationale.BELOW,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="A reason is a hit of AP when its matched score is above this.")
    ] = 0.0,
    label_scale: Annotated[
        LabelScale | None, typer.Option(help="What a number in a label means; see score --help.")
    ] = None,
    n_resamples: choices.Resamples = N_RESAMPLES,
    against: choices.Against = None,
    *,
    settings: CritiqueSettings,
    how: options.Asking,
) -> None:
    """Evaluate Rationale Consistency on pairs with human reasons.

    A GenRM answers every pair in both orders, a judge matches its reasons with the human ones, one to one. Shows
    outcome accuracy, RC, their product answer by answer (joint), the share of right verdicts whose RC is 0 (spurious)
    or small, F1 and average precision, overall and by domain.

    The data: HelpSteer3-Atomic and CW-Atomic's schema, as JSON Lines or Parquet, on the hub as
    hub:Qwen/RationaleRM/data/helpsteer3_test_1000.jsonl; or N pairs of the synthetic world as world:SPLIT:N[:SEED].
    """
    spec = running.look_at(
        model, recorded, data, out, how, where=rationale.WHERE, benchmark=rationale.NAME, against=against
    )
    if judge is not None and judge != judging.ORACLE:
        asking.read_spec(judge, judge=True)  # before the model is asked and paid for
    pairs, files = _data(data, label_scale, how.limit)
    worlds = [path for path in data or () if _WORLD.fullmatch(path)]
    if judge == judging.ORACLE and data and (files or not worlds):
        judging.refuse_oracle()
    theirs = None if spec is not None else running.local(recorded)
    scoring = Settings(top_k=top_k or None, threshold=threshold, seed=settings.seed, n_resamples=n_resamples)
    kept = {"world": worlds, "top_k": scoring.top_k, "threshold": threshold, "spurious_below": below}
    folder.refuse_another(out, folder.identity(rationale.NAME, data=files, recorded=theirs, **kept))
    called = name
    if spec is not None:
        if pairs is None:
            output.fail(f"rationale needs its data: {rationale.WHERE}", output.USAGE)
        called = running.called(spec, name)
        if not running.ask(rationale.NAME, out, pairs, [*files, *worlds], spec, called, settings, how):
            return
    sources = [os.path.join(out, ANSWERS_FILE)] if theirs is None else theirs
    loaded = judging.read(sources, label_scale)
    if judge == judging.ORACLE and not all(pair.source_id.startswith(WORLD_ID) for pair in loaded.pairs):
        judging.refuse_oracle()
    if judge is not None:
        loaded = judging.judged(
            loaded, pairs, called, judge, out, scoring.top_k, settings.seed, how, sources, label_scale
        )
    try:
        answers = rationale.judged(loaded.pairs, called, scoring, pairs, None if spec is None else ORDERS)
    except RationaleError as error:
        running.refuse(error)
    found = outcome.outcome_of(
        rationale.NAME,
        rationale.score(answers, below=below),
        rationale_samples.views(answers),
        model=name or answers.model,
        statuses=rationale_samples.statuses(answers),
        notes=(*left_out(loaded.bad), *rationale_samples.notes(answers)),
        n_resamples=n_resamples,
        seed=settings.seed,
        data=files,
        recorded=theirs,
        sampling=running.sampling(spec, settings),
        n_pairs=len(answers.pairs),
        judges=rationale_samples.judge_names(answers),
        n_lines_left_out=len(loaded.bad),
        **kept,
    )
    outcome.finish(out, found, how, against, live=spec is not None)


def _data(
    data: Sequence[str] | None, label_scale: LabelScale | None, limit: int | None
) -> tuple[list[Pair] | None, list[str]]:
    """The pairs to be answered, one a source pair, and the files they stand in."""
    if not data:
        return None, []
    worlds = [path for path in data if path.startswith("world:")]
    files = running.local([path for path in data if path not in worlds])
    found: dict[str, Pair] = {}
    for pair in [
        *(pair for spec in worlds for pair in _world(spec)),
        *(judging.read(files, label_scale, whole=True).pairs if files else ()),
    ]:
        found.setdefault(pair.source_id, replace(pair, id=pair.source_id, pair_id=None, models={}))
    return list(found.values())[:limit], files


def _world(spec: str) -> list[Pair]:
    match = _WORLD.fullmatch(spec)
    if match is None or match[1] not in SPLITS:
        output.fail(
            f"{spec} names no part of the synthetic world: expected world:SPLIT:N[:SEED], SPLIT one of "
            f"{', '.join(SPLITS)}",
            output.USAGE,
        )
    try:
        return world_pairs(WorldSettings(seed=int(match[3] or 0)), match[1], int(match[2]))  # type: ignore[arg-type]
    except RationaleError as error:
        running.refuse(error)
