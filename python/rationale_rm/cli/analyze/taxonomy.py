"""``rationale-rm analyze taxonomy``: labels each reason by class and flaws, and gives their rates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote

import typer

from rationale_rm.analysis import Answers, Labelled, Sampling, manifest, rates, read_labels
from rationale_rm.analysis.answers import reasons_known
from rationale_rm.analysis.taxonomy import LabelRequest, LabelResult, Labels, LabelSettings, label, label_each, rules
from rationale_rm.analysis.taxonomy.model import MAX_TOKENS, question
from rationale_rm.cli import asking, options, output
from rationale_rm.cli.analyze.inputs import answers_of, failing, files_once, finish
from rationale_rm.cli.analyze.options import (
    InputsArgument,
    LabelScaleOption,
    ModelOption,
    Reading,
    ResamplesOption,
    StrictOption,
)
from rationale_rm.documents import SampleView
from rationale_rm.judge.spec import model_of, parse_spec
from rationale_rm.types import VERDICT_TEXTS

EPILOG: Final = """\
Examples:

\b
  rationale-rm analyze taxonomy critiques.jsonl -o labels.jsonl --json taxonomy.json
      by the rules, which need no model
  rationale-rm analyze taxonomy runs/rationale-qwen3 -o labels.jsonl --labeller openai:Qwen/Qwen3-32B@http://127.0.0.1:8000/v1
      by a language model, whose answers are held to their form where the server can

Stopped in any way, the same command goes on where it was. An answer whose labels could not be had or read is kept with
its cause, counts in no rate, and is asked for again by the next run. `report` draws the JSON; what the rules are
and how well they agree with people stands in docs/taxonomy.md.
"""
COMMAND: Final = "analyze taxonomy"
_VERDICTS: Final = {text: verdict for verdict, text in VERDICT_TEXTS.items()}


class _Item(NamedTuple):
    view: SampleView
    request: LabelRequest


@options.asks
def taxonomy(
    inputs: InputsArgument,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="LABELS", help="JSON Lines of labels; what a stopped run left is continued."
        ),
    ],
    labeller: Annotated[
        str,
        typer.Option(
            help="rules; or a model: openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH, hf:PATH."
        ),
    ] = rules.NAME,
    model: ModelOption = None,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens that an answer of the labeller may have.")
    ] = MAX_TOKENS,
    constrain: Annotated[
        bool,
        typer.Option(
            "--constrain/--no-constrain",
            help="Ask the server to hold answers to the form; servers that cannot are asked without.",
        ),
    ] = True,
    label_scale: LabelScaleOption = None,
    seed: options.Seed = 0,
    n_resamples: ResamplesOption = 2000,
    strict: StrictOption = False,
    *,
    how: options.Asking,
) -> None:
    """What do reasons rest on, and which flaws have they? EG, CG, GS and F1 to F7 (paper, Fig. 4 and 5).

    Labels every reason: evidence-grounded, criterion-grounded, or generic and style; and style only (F1), generic
    correctness (F2), generic relevance (F3), single-sided praise (F4), unfalsifiable (F5), non sequitur (F6),
    contradiction (F7). Then gives their rates for each model and domain, with 95% intervals over source pairs.
    """
    files_once(inputs, {output.APPENDED: out, "--json": how.summary})
    settings = LabelSettings(seed=seed, max_tokens=max_tokens, constrain=constrain)
    spec = None
    if labeller != rules.NAME:
        try:
            spec = parse_spec(labeller)
        except ValueError as error:
            output.fail(f"--labeller {error}".replace("expected ", f"expected {rules.NAME}, "), output.USAGE)
    reading = Reading(
        sampling=Sampling(n_resamples, seed),
        json_path=how.summary,
        quiet=how.quiet,
        models=model,
        label_scale=label_scale,
        strict=strict,
    )
    answers = answers_of(inputs, reading, top_k=0, need_references=False, own_output=out)
    items = _items(answers, how.limit)
    wanted = {item.request.id: _digest(item.request) for item in items}
    if spec is None:
        made_by: dict[str, Any] = {"command": COMMAND, "labeller": rules.NAME, "rules": rules.VERSION}
        if how.dry_run:
            done = len(asking.done_before(out, made_by, how, wanted))
            output.emit(f"labeller: rules, in this process\nanswers there already: {done:,}\ncalls: 0\ncost: none\n")
            return
        run = asking.Run(out, made_by, replace(how, summary=None), wanted)
        work = _by_rules(items, run)
    else:
        caller = asking.open_caller(spec, how)
        made_by = {"command": COMMAND, "labeller": f"{spec.kind}:{model_of(spec)}", **settings.to_dict()}
        if how.dry_run:
            held = asking.done_before(out, made_by, how, wanted)
            waiting = [item.request for item in items if item.request.id not in held]
            asking.show_plan((question(caller, one, settings) for one in waiting), caller, how, len(held), [])
            return
        run = asking.Run(out, made_by, replace(how, summary=None), wanted, caller)
        requests = [item.request for item in items if item.request.id not in run.done]
        by_id = {item.request.id: item.view for item in items}

        def on_labels(result: LabelResult) -> None:
            run.keep(_record(by_id[result.request.id], result, made_by["labeller"]), result.error)

        work = label_each(caller, requests, on_labels, settings)

    def show() -> None:
        with failing():
            labelled = _labelled(items, read_labels([out]), run.journal.done)
            about = manifest(answers.files, reading.sampling, made_by=made_by, labels=os.path.basename(out))
            document = rates(labelled, reading.sampling, labeller=made_by["labeller"], manifest=about)
        more = [*_left_out(answers, how.limit), *([rules.NOTE] if spec is None else [])]
        document = replace(document, notes=(*document.notes, *more))
        finish(document, reading, answers.bad, answers.n_lines)

    try:
        run.carry_out(work, COMMAND, (), answers.n_lines)
    except typer.Exit:  # too many failures leave the program, but what is there is shown all the same
        show()
        raise
    show()


def _items(answers: Answers, limit: int | None) -> list[_Item]:
    """The answers that hold reasons; leaves the program where none does."""
    items = []
    for view in answers.views:
        if reasons_known(view) and view.reasons:
            model = quote(view.model, safe="", errors="surrogatepass")  # no two answers and models make one id
            request = LabelRequest(
                id=f"{view.id}/{model}",
                context=view.context,
                response1=view.response1,
                response2=view.response2,
                verdict=None if view.verdict is None else _VERDICTS.get(view.verdict),
                reasons=view.reasons,
                swapped=view.swapped,
            )
            items.append(_Item(view, request))
    if not items:
        output.fail("nothing to label: no answer in the input holds a reason")
    return items[:limit]


def _left_out(answers: Answers, limit: int | None) -> list[str]:
    """What to say of answers whose reasons are in no rate."""
    notes = []
    for model in answers.models:
        views, missing = answers.of(model), answers.missing.get(model, 0)
        unknown = sum(not reasons_known(view) for view in views) + missing
        empty = sum(reasons_known(view) and not view.reasons for view in views)
        if unknown:
            notes.append(f"{model}: of {unknown} of {len(views) + missing} answers nobody knows the reasons.")
        if empty:
            notes.append(f"{model}: {empty} of {len(views) + missing} answers hold no reason.")
    n = sum(reasons_known(view) and bool(view.reasons) for view in answers.views)
    if limit is not None and n > limit:
        notes.append(f"{n - limit} of {n} answers with reasons are past --limit, and in no rate.")
    return notes


def _digest(request: LabelRequest) -> str:
    context = request.context if isinstance(request.context, str) else [dict(message) for message in request.context]
    return asking.digest(
        context, request.response1, request.response2, request.verdict, list(request.reasons), request.swapped
    )


def _by_rules(items: Sequence[_Item], run: asking.Run) -> Coroutine[Any, Any, None]:
    async def work() -> None:
        for view, request in items:
            if request.id not in run.done:
                found = label(
                    request.context,
                    request.response1,
                    request.response2,
                    request.verdict,
                    request.reasons,
                    swapped=request.swapped,
                )
                result = LabelResult(request=request, labels=tuple(found), status=None)
                run.keep(_record(view, result, rules.NAME), None)
                await asyncio.sleep(0)  # where Ctrl-C ends it

    return work()


def _record(view: SampleView, result: LabelResult, labeller: str) -> dict[str, Any]:
    """One line of output. Where there is no label, null stands for each reason: that is not the same as no flaw."""
    labels: Sequence[Labels | None] = result.labels or (None,) * len(result.request.reasons)
    status = "success" if result.error is None else "error" if result.text is None else "format_error"
    record: dict[str, Any] = {
        "id": result.request.id,
        "answer_id": view.id,
        "pair_id": view.pair_id,
        "model": view.model,
        "domain": view.domain,
        "labeller": labeller,
        "status": status,
        "classes": [None if one is None else one.group for one in labels],
        "flaws": [None if one is None else list(one.flaws) for one in labels],
    }
    if result.text is not None:
        record["generated_text"] = result.text
    if result.error is not None:
        record["error_message"] = result.error
    return record


def _labelled(items: Sequence[_Item], found: Sequence[Labelled], done: Collection[str]) -> list[Labelled]:
    """The labels of each item, None for each of its reasons where there are none yet.

    `done` are the requests that the output answers as they are now: labels of other texts do not count.
    """
    by_answer: Mapping[tuple[str, str], Labelled] = {(one.model, one.id): one for one in found}
    labelled = []
    for view, request in items:
        none = (None,) * len(request.reasons)
        missing = Labelled(view.id, view.pair_id, view.model, view.domain, none, none)
        held = by_answer.get((view.model, view.id), missing) if request.id in done else missing
        labelled.append(held if len(held.classes) == len(request.reasons) else missing)
    return labelled
