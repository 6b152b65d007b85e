"""``rationale-rm critique``: a GenRM gives reasons and a verdict about every pair."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from rationale_rm.cli import asking, options, output
from rationale_rm.cli.inputs import load_pairs
from rationale_rm.critique import MAX_TOKENS, N_REASONS, CritiqueSettings, Order, critique_id, question, shown
from rationale_rm.critique import critique as run_critique
from rationale_rm.data import LabelScale
from rationale_rm.data.write import critique_record
from rationale_rm.judge import Caller
from rationale_rm.judge.caller import Question
from rationale_rm.judge.spec import model_of
from rationale_rm.types import Critique, Pair

EPILOG: Final = """\
Examples:

\b
  rationale-rm critique pairs.jsonl critiques.jsonl --model openai:my-genrm@http://127.0.0.1:8000/v1
      one answer a pair; then: rationale-rm match critiques.jsonl matches.jsonl --judge …
  rationale-rm critique pairs.jsonl critiques.jsonl --model vllm:./checkpoint --both-orders
      a checkpoint in this process; every pair is shown in both orders
  rationale-rm critique pairs.jsonl critiques.jsonl --model openai:gpt-4.1 --dry-run
      calls, tokens and cost; the key is read from OPENAI_API_KEY

Stopped in any way, the same command goes on where it was. An answer that breaks the form is the model's own fault:
it is kept as it is, and counts as wrong. A call that failed is kept with its cause and asked again by the next run.
"""


@options.asks
def critique(
    inputs: options.Inputs,
    out: options.Out,
    model: Annotated[
        str, typer.Option(help="openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH or hf:PATH.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What the output calls the model (NAME-checklist …). Default: its own name.")
    ] = None,
    order: Annotated[
        Order,
        typer.Option(
            help="Which response is shown first: as given, swapped, both (two answers), or random (a draw a pair)."
        ),
    ] = "given",
    both_orders: Annotated[bool, typer.Option("--both-orders", help="The same as --order both.")] = False,
    n_reasons: Annotated[
        int, typer.Option(min=0, max=100, help="Reasons to ask for; 0 leaves the number to the model, as in training.")
    ] = N_REASONS,
    samples: Annotated[int, typer.Option(min=1, max=1024, help="Answers a pair and order.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Several samples need more than 0.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.000001, max=1, help="Nucleus of the sampling.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens that an answer may have.")] = MAX_TOKENS,
    constrain: Annotated[
        bool,
        typer.Option(
            "--constrain/--no-constrain",
            help="Hold answers to the form (vLLM). Off: form is part of what a GenRM is judged by.",
        ),
    ] = False,
    label_scale: Annotated[
        LabelScale | None, typer.Option(help="What a number in a label means; see score --help.")
    ] = None,
    seed: options.Seed = 0,
    *,
    how: options.Asking,
) -> None:
    """Ask a GenRM about every pair: reasons in falling importance, then a verdict.

    Reads pairs in the public RationaleRM schema (human reasons and labels may be missing) and writes one line for each
    answer: the pair with the model's reasons, verdict and whole text. Verdicts are about response 1 and 2, also where
    the pair was shown swapped.
    """
    spec = asking.read_spec(model)
    if both_orders and order not in ("given", "both"):
        output.fail(f"--both-orders and --order {order} exclude each other", output.USAGE)
    try:
        settings = CritiqueSettings(
            order="both" if both_orders else order,
            samples=samples,
            n_reasons=n_reasons or None,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            max_tokens=max_tokens,
            constrain=constrain,
        )
    except ValueError as error:
        output.fail(str(error), output.USAGE)
    files = output.inputs_and_targets(inputs, {"OUT": out, "--json": how.summary})
    progress = output.Progress(how.quiet)
    loaded = load_pairs(files, progress=progress, what="ask about", label_scale=label_scale, need_references=False)
    progress.done()
    pairs = _sources(loaded.pairs[: how.limit], how.quiet)
    called = name or (spec.name if spec.kind == "openai" else os.path.basename(os.path.normpath(spec.name)))
    if called == "human":  # human-checklist and human-label are the people's
        output.fail("the output cannot call a model human: choose another --name", output.USAGE)
    made_by = {"command": "critique", "model": f"{spec.kind}:{model_of(spec)}", "name": called, **settings.to_dict()}
    wanted = wanted_critiques(pairs, settings)
    caller = asking.open_caller(spec, how)
    if how.dry_run:
        done = asking.done_before(out, made_by, how, wanted)
        asking.show_plan(critique_questions(caller, pairs, settings, done), caller, how, len(done), [])
        return
    run = asking.Run(out, made_by, how, wanted, caller)

    def on_critique(pair: Pair, answer: Critique) -> None:
        run.keep(critique_record(pair, answer, called), answer.error)

    work = run_critique(caller, pairs, on_critique, settings, done=run.done.__contains__)
    run.carry_out(work, "critique", loaded.bad, loaded.n_lines)


def _sources(pairs: Sequence[Pair], quiet: bool) -> list[Pair]:
    """What to ask about: each source pair once, though an earlier run's records of it may be several."""
    found: dict[str, Pair] = {}
    n_apart = 0
    for pair in pairs:
        if pair.extra.get("kept") is False:
            n_apart += 1
        else:
            found.setdefault(pair.source_id, replace(pair, id=pair.source_id, pair_id=None))
    if n_apart and not quiet:
        output.note(f"{output.count(n_apart, 'pair')} that atomize kept apart: not asked about")
    if not found:
        output.fail("nothing to ask about: atomize kept every pair apart")
    return list(found.values())


def wanted_critiques(pairs: Sequence[Pair], settings: CritiqueSettings) -> dict[str, str]:
    """Id of every critique to come → digest of the pair."""
    wanted: dict[str, str] = {}
    owner: dict[str, str] = {}
    for pair in pairs:
        context = pair.context if isinstance(pair.context, str) else [dict(message) for message in pair.context]
        digest = asking.digest(context, pair.response1, pair.response2)
        for showing in shown(pair.id, settings):
            name = critique_id(pair.id, *showing)
            if name in wanted:
                output.fail(f"the pairs {owner[name]} and {pair.id} would both write {name}: rename one of them")
            wanted[name], owner[name] = digest, pair.id
    return wanted


def critique_questions(
    caller: Caller, pairs: Sequence[Pair], settings: CritiqueSettings, done: Collection[str]
) -> Iterator[Question]:
    """What is asked about pairs, but for the critiques (by id) that are there."""
    for pair in pairs:
        for swapped, sample in shown(pair.id, settings):
            if critique_id(pair.id, swapped, sample) not in done:
                yield question(caller, pair, swapped, sample, settings)
