"""``rationale-rm eval rationale``: Rationale Consistency, outcome accuracy and spurious correctness."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from rationale_rm._core import RationaleError
from rationale_rm.cli import asking, options, output
from rationale_rm.cli.eval import choices, running
from rationale_rm.cli.match import items_to_match, match_all, wanted_matches
from rationale_rm.critique import MAX_TOKENS, N_REASONS, CritiqueSettings
from rationale_rm.data import LabelScale, Loaded, read_pairs
from rationale_rm.documents import EvalResult
from rationale_rm.evals import estimates, manifest, rationale
from rationale_rm.evals.figures import N_RESAMPLES
from rationale_rm.evals.runs import ANSWERS_FILE, MATCHES_FILE
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge import Judge, MetaJudge
from rationale_rm.judge.spec import model_of
from rationale_rm.metrics import Settings
from rationale_rm.types import Pair
from rationale_rm.world import SPLITS, OracleJudge, WorldSettings
from rationale_rm.world import pairs as world_pairs

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
ORACLE: Final = "oracle"
_WORLD: Final = re.compile(r"world:([a-z]{1,16}):([1-9][0-9]{0,5})(?::([0-9]{1,9}))?", re.ASCII)


@options.asks
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
    n_reasons: choices.NReasons = N_REASONS,
    top_k: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Lists are cut to this length before judging; 0 keeps all.")
    ] = 5,
    below: Annotated[
        float, typer.Option("--spurious-below", min=0, max=1, help="RC under which a right verdict is spurious too.")
    ] = rationale.BELOW,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="A reason is a hit of AP when its matched score is above this.")
    ] = 0.0,
    temperature: choices.Temperature = 0.0,
    top_p: choices.TopP = 1.0,
    max_tokens: choices.MaxTokens = MAX_TOKENS,
    constrain: choices.Constrain = False,
    prompt: choices.Prompt = "full",
    label_scale: Annotated[
        LabelScale | None, typer.Option(help="What a number in a label means; see score --help.")
    ] = None,
    n_resamples: choices.Resamples = N_RESAMPLES,
    against: choices.Against = None,
    seed: options.Seed = 0,
    *,
    how: options.Asking,
) -> None:
    """Evaluate Rationale Consistency on pairs with human reasons.

    A GenRM answers every pair in both orders, a judge matches its reasons with the human ones, one to one. Shows
    outcome accuracy, RC, their product answer by answer (joint), the share of right verdicts whose RC is 0 (spurious)
    or small, F1 and average precision, overall and by domain.

    The data: HelpSteer3-Atomic and CW-Atomic's schema, JSON Lines or Parquet; hub:Qwen/RationaleRM/data/
    helpsteer3_test_1000.jsonl; or world:SPLIT:N[:SEED], N pairs of the synthetic world.
    """
    spec = running.look_at(model, recorded, out, how)
    settings = running.settings_of(
        n_reasons=n_reasons or None,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        constrain=constrain,
        style=prompt,
        seed=seed,
    )
    pairs, files = _data(data, label_scale, how.limit)
    sources: list[str] = []
    called = name
    if spec is not None:
        if pairs is None:
            output.fail(f"rationale needs its data: {rationale.WHERE}", output.USAGE)
        called = running.called(spec, name)
        if not running.ask(rationale.NAME, out, pairs, spec, called, settings, how):
            return
        sources = [os.path.join(out, ANSWERS_FILE)]
    else:
        sources = running.local(recorded)
    loaded = _read(sources, label_scale)
    if judge is not None:
        loaded = _judged(loaded, pairs, called, judge, out, top_k or None, seed, how, sources, label_scale)
    scoring = Settings(top_k=top_k or None, threshold=threshold, seed=seed, n_resamples=n_resamples)
    try:
        answers = rationale.judged(loaded.pairs, called, scoring, pairs)
    except RationaleError as error:
        running.refuse(error)
    outcome = _outcome(
        answers,
        below=below,
        files=files,
        data=data,
        recorded=None if spec is not None else running.local(recorded),
        sampling=None if spec is None else settings,
        name=name,
    )
    running.finish(out, outcome, how, against, live=spec is not None)


def _outcome(
    answers: rationale.Judged,
    *,
    below: float,
    files: Sequence[str],
    data: Sequence[str] | None,
    recorded: Sequence[str] | None,
    sampling: CritiqueSettings | None,
    name: str | None,
) -> running.Outcome:
    items = rationale.score(answers, below=below)
    scoring = answers.settings
    model = name or answers.model
    result = EvalResult(
        eval=rationale.NAME,
        model=model,
        manifest=manifest(
            data=files,
            recorded=recorded,
            items=items,
            n_pairs=len(answers.pairs),
            model=model,
            sampling=None if sampling is None else sampling.to_dict(),
            n_resamples=scoring.n_resamples,
            seed=scoring.seed,
            world=[path for path in data or () if _WORLD.fullmatch(path)],
            judges=rationale.judge_names(answers),
            top_k=scoring.top_k,
            threshold=scoring.threshold,
            spurious_below=below,
        ),
        estimates=estimates(items, n_resamples=scoring.n_resamples, seed=scoring.seed),
        statuses=rationale.statuses(answers),
        notes=tuple(rationale.notes(answers)),
    )
    return running.Outcome(
        result=result,
        items=items,
        samples=rationale.views(answers),
        strata={},
        headline=rationale.HEADLINE,
        n_resamples=scoring.n_resamples,
        seed=scoring.seed,
    )


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
        *(_read(files, label_scale).pairs if files else ()),
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


def _read(files: Sequence[str], label_scale: LabelScale | None) -> Loaded:
    try:
        loaded = read_pairs(files, label_scale=label_scale)
    except (RationaleError, OSError, MissingExtraError) as error:
        running.refuse(error)
    output.report_bad_lines(loaded.bad, loaded.n_lines)
    if not loaded.pairs:
        output.fail(f"no pair with human reasons in {', '.join(files)}: nothing to evaluate")
    return loaded


def _judged(
    loaded: Loaded,
    pairs: Sequence[Pair] | None,
    called: str | None,
    judge: str,
    out: str,
    top_k: int | None,
    seed: int,
    how: options.Asking,
    sources: Sequence[str],
    label_scale: LabelScale | None,
) -> Loaded:
    """Has the answers judged, going on from what the run's folder holds; the records with what the judge said."""
    known = None if pairs is None else {pair.id for pair in pairs}
    if known is not None:
        loaded = replace(loaded, pairs=tuple(pair for pair in loaded.pairs if pair.source_id in known))
    if any(answer.judge is not None for pair in loaded.pairs for answer in pair.models.values()):
        output.fail(
            "--judge: the recorded answers were judged already; leave it out, or give the answers alone", output.USAGE
        )
    items = items_to_match(loaded, None if called is None else [called], top_k, None)
    running.make_folder(out)
    path = os.path.join(out, MATCHES_FILE)
    made_by: dict[str, Any] = {"command": f"eval {rationale.NAME}", "top_k": top_k}
    wanted = wanted_matches(items)
    if judge == ORACLE:
        oracle: Judge = OracleJudge()
        match_all(oracle, items, asking.Run(path, {**made_by, "judge": ORACLE}, how, wanted), loaded)
    else:
        spec = asking.read_spec(judge, judge=True)
        made_by["judge"] = f"{spec.kind}:{model_of(spec)}"
        if spec.is_local_judge:
            from rationale_rm.judge.local import open_local

            try:
                local = open_local(spec.kind, spec.name)
            except (ImportError, ValueError, OSError) as error:
                running.refuse(error)
            match_all(local, items, asking.Run(path, made_by, how, wanted), loaded)
        else:
            caller = asking.open_caller(spec, how)
            metajudge = MetaJudge(caller, seed=seed)
            match_all(metajudge, items, asking.Run(path, made_by | metajudge.settings(), how, wanted, caller), loaded)
    return _with_judge(_read([*sources, path], label_scale), _read(sources, label_scale))


def _with_judge(judged: Loaded, plain: Loaded) -> Loaded:
    """The judged records; of failed answers, which no judge sees, the plain ones."""
    held = {pair.id for pair in judged.pairs}
    return replace(judged, pairs=(*judged.pairs, *(pair for pair in plain.pairs if pair.id not in held)))
