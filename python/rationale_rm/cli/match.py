"""``rationale-rm match``: a judge says which model reasons are the human ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote

import typer

from rationale_rm.cli import asking, options, output
from rationale_rm.cli.inputs import load_pairs
from rationale_rm.data import LabelScale, Loaded
from rationale_rm.data.write import pair_record
from rationale_rm.judge import Judge, MetaJudge
from rationale_rm.judge.caller import Question
from rationale_rm.judge.metajudge import MAX_TOKENS
from rationale_rm.judge.spec import Spec, model_of
from rationale_rm.judge.stream import match_each
from rationale_rm.metrics import critiques
from rationale_rm.types import MatchRequest, MatchResult, Pair

EPILOG: Final = """\
Examples:

\b
  rationale-rm match critiques.jsonl matches.jsonl --judge openai:Qwen/Qwen3-235B@http://127.0.0.1:8000/v1
      a MetaJudge on a vLLM server; then: rationale-rm score matches.jsonl
  rationale-rm match critiques.jsonl matches.jsonl --judge openai:gpt-4.1-mini --dry-run
      what it would cost; the key is read from OPENAI_API_KEY
  rationale-rm match pairs.jsonl matches.jsonl --judge embedding:./all-MiniLM-L6-v2
      no LLM at hand: a sentence-embedding model stands in

Stopped in any way, the same command goes on where it was. Failed requests are kept with their cause, score as NaN
and are asked again by the next run.
"""


class Item(NamedTuple):
    """One list of reasons to be judged."""

    pair: Pair
    model: str
    request: MatchRequest


@options.asks
def match(
    inputs: options.Inputs,
    out: options.Out,
    judge: Annotated[
        str,
        typer.Option(
            help="openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH, hf:PATH, or without an LLM: "
            "lexical, embedding[:MODEL]."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(help="GenRM whose reasons are judged; may be repeated. Default: all in the data."),
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Lists are cut to this length before judging; 0 keeps all.")
    ] = 5,
    samples: Annotated[
        int, typer.Option(min=1, max=64, help="Answers of the judge a request; the scores of each cell are averaged.")
    ] = 1,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="Default: 0, with several samples 0.7.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens that an answer may have.")] = MAX_TOKENS,
    constrain: Annotated[
        bool,
        typer.Option(
            "--constrain/--no-constrain",
            help="Ask the server to hold answers to the form (vLLM's structured_outputs); servers that cannot are "
            "asked without.",
        ),
    ] = True,
    reasoning_chars: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=8000,
            help="Characters of free reasoning in a constrained answer. Default: 24 lines of any length, for servers "
            "of large models take seconds to compile a bound in characters.",
        ),
    ] = None,
    label_scale: Annotated[
        LabelScale | None, typer.Option(help="What a number in a label means; see score --help.")
    ] = None,
    seed: options.Seed = 0,
    *,
    how: options.Asking,
) -> None:
    """Match model reasons with human ones through a judge, for `rationale-rm score`.

    Reads pairs with human reasons and a model's reasons (public RationaleRM schema, such as `rationale-rm critique`
    writes) and asks the judge, for each human reason, which model reason fulfils it and how far. Writes one
    line for each pair and model, in the layout of MetaJudge result files.
    """
    spec = asking.read_spec(judge, judge=True)
    files = output.inputs_and_targets(inputs, {"OUT": out, "--json": how.summary})
    progress = output.Progress(how.quiet)
    only = model[0] if model is not None and len(model) == 1 else None
    loaded = load_pairs(files, progress=progress, what="match", label_scale=label_scale, model=only)
    progress.done()
    items = items_to_match(loaded, model, top_k or None, how.limit)

    cut = {"judge": f"{spec.kind}:{model_of(spec)}", "top_k": top_k or None}
    if spec.is_local_judge:
        _match_locally(spec, items, out, cut, how, loaded)
        return
    caller = asking.open_caller(spec, how)
    try:
        metajudge = MetaJudge(
            caller,
            samples=samples,
            temperature=temperature,
            seed=seed,
            max_tokens=max_tokens,
            constrain=constrain,
            reasoning_chars=reasoning_chars,
        )
    except ValueError as error:
        output.fail(str(error), output.USAGE)
    made_by = {"command": "match", **cut, **metajudge.settings()}
    if how.dry_run:
        done = asking.done_before(out, made_by, how, wanted_matches(items))
        waiting = [item for item in items if item.request.id not in done]
        asking.show_plan(match_questions(metajudge, waiting), caller, how, len(done), [])
        return
    run = asking.Run(out, made_by, how, wanted_matches(items), caller)
    match_all(metajudge, items, run, loaded)


def _match_locally(
    spec: Spec, items: Sequence[Item], out: str, cut: dict[str, Any], how: options.Asking, loaded: Loaded
) -> None:
    from rationale_rm.judge.local import open_local

    made_by = {"command": "match", **cut}
    if how.dry_run:
        done = len(asking.done_before(out, made_by, how, wanted_matches(items)))
        output.emit(f"judge: {spec.kind}, in this process\nanswers there already: {done:,}\ncalls: 0\ncost: none\n")
        return
    try:
        judge = open_local(spec.kind, spec.name)
    except (ImportError, ValueError, OSError) as error:
        output.fail(str(error))
    run = asking.Run(out, made_by, how, wanted_matches(items))
    if judge.stand_in is not None and not how.quiet:
        output.note(judge.stand_in)
    match_all(judge, items, run, loaded)


def match_all(judge: Judge, items: Sequence[Item], run: asking.Run, loaded: Loaded) -> None:
    """Has every item judged that is not there yet, and keeps the results in the run's output."""
    waiting = {item.request.id: item for item in items if item.request.id not in run.done}

    def on_result(result: MatchResult) -> None:
        item = waiting[result.request_id]
        error = None if result.answered else (result.error or "unreadable")
        record = _record(item, result, judge.stand_in)
        run.keep({**record, "top_k": run.journal.made_by["top_k"]}, error)

    work = match_each(judge, (item.request for item in waiting.values()), on_result)
    run.carry_out(work, "match", loaded.bad, loaded.n_lines)


def items_to_match(loaded: Loaded, wanted: Sequence[str] | None, top_k: int | None, limit: int | None) -> list[Item]:
    """What is to be judged: each model's reasons about each of the first `limit` pairs."""
    for name in wanted or ():
        if name not in loaded.models:
            output.fail(f"--model {name}: the data hold {', '.join(loaded.models) or 'no model'}", output.USAGE)
    if not loaded.models:
        output.fail(
            "nothing to match: no record holds a model's answer; run rationale-rm critique first, or add M-checklist "
            "(a list of reasons) or M-generated_text (the transcript) for a model M"
        )
    pairs = loaded.pairs[:limit]
    by_id = {pair.id: pair for pair in pairs}
    items = []
    for name in dict.fromkeys(wanted or loaded.models):
        for critique in critiques(pairs, name):
            if critique.reasons is None:
                continue
            pair = by_id[critique.pair_id]
            request = MatchRequest(
                id=f"{pair.id}/{quote(name, safe='')}",  # no two pairs and models make one id
                critique_id=critique.id,
                pair_id=pair.source_id,
                model=name,
                references=pair.references,
                reasons=critique.reasons[:top_k],
                swapped=critique.swapped,
            )
            items.append(Item(pair, name, request))
    # Records of one pair follow one another, so that a server's prefix cache serves them.
    order = {pair.source_id: number for number, pair in reversed(list(enumerate(pairs)))}
    return sorted(items, key=lambda item: order[item.pair.source_id])


def wanted_matches(items: Sequence[Item]) -> dict[str, str]:
    """Id of every record to come → digest of what the judge is asked."""
    return {
        request.id: asking.digest(request.references, request.reasons, request.swapped)
        for request in (item.request for item in items)
    }


def match_questions(judge: MetaJudge, items: Sequence[Item]) -> Iterator[Question]:
    """What a MetaJudge is asked about the items."""
    for item in items:
        if judge.without_asking(item.request) is None:
            yield from (judge.question(item.request, sample) for sample in range(judge.samples))


def _record(item: Item, result: MatchResult, stand_in: str | None) -> dict[str, Any]:
    """One line of output: the layout of MetaJudge result files, with what that leaves open."""
    status = "success" if result.answered else "format_error" if result.samples else "error"
    record: dict[str, Any] = {
        "id": item.request.id,
        "judge": result.judge,
        "model": item.model,
        "status": status,
        "samples": [{"generated_text": text} for text in result.samples],
        "metadata": pair_record(item.pair, [item.model]),
    }
    if result.error is not None:
        record["error_message"] = result.error
    if stand_in is not None:
        record["stand_in"] = stand_in
    if result.answered and not result.samples:
        record["scores"] = [[reference + 1, reason + 1, score] for reference, reason, score in result.entries]
    return record
