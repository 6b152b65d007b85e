"""``rationale-rm atomize``: annotators' free text becomes atomic human reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated as Option
from typing import Final

import typer

from rationale_rm.atomize import (
    Annotated,
    Atomized,
    AtomizeSettings,
    RecordError,
    Stats,
    question,
    read_record,
    to_record,
)
from rationale_rm.atomize import atomize as run_atomize
from rationale_rm.atomize.decompose import MAX_ITEMS, MAX_TOKENS, MIN_ITEMS
from rationale_rm.cli import asking, options, output
from rationale_rm.cli.inputs import reading, require
from rationale_rm.data import BadLine, read_rows
from rationale_rm.judge.spec import model_of
from rationale_rm.prompts import template_id

EPILOG: Final = """\
Examples:

\b
  rationale-rm atomize helpsteer3.jsonl pairs.jsonl --model openai:NAME@http://127.0.0.1:8000/v1
      HelpSteer3-style records into pairs with a human-checklist
  rationale-rm atomize helpsteer3.jsonl pairs.jsonl --model openai:gpt-4.1 --limit 100 --dry-run
      calls, tokens and cost of the first hundred; the key is read from OPENAI_API_KEY

Each claim is checked against the annotators' words: one that they do not support is marked, or left out with
--drop-flagged. Lists that are too short or too long are kept apart: they stand in the output with their claims and the
reason, and without a human-checklist. Stopped in any way, the same command goes on where it was.
"""


@options.asks
def atomize(
    inputs: options.Inputs,
    out: options.Out,
    model: Option[
        str, typer.Option(help="openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH or hf:PATH.")
    ],
    min_items: Option[int, typer.Option(min=0, help="Keep lists with at least so many items.")] = MIN_ITEMS,
    max_items: Option[int, typer.Option(min=0, help="Keep lists with at most so many items.")] = MAX_ITEMS,
    strengths: Option[
        bool, typer.Option("--strengths", help="Keep strengths as well as faults, as for creative writing.")
    ] = False,
    drop_flagged: Option[
        bool,
        typer.Option("--drop-flagged", help="Leave out claims that the annotators' words do not support."),
    ] = False,
    temperature: Option[float, typer.Option(min=0, max=2, help="Temperature of the sampling.")] = 0.0,
    max_tokens: Option[int, typer.Option(min=1, help="Tokens that an answer may have.")] = MAX_TOKENS,
    seed: options.Seed = 0,
    *,
    how: options.Asking,
) -> None:
    """Turn annotators' free text into atomic human reasons (the human-checklist).

    Reads HelpSteer3-style records (context, response1, response2, individual_preference with reasoning and feedback of
    up to three annotators) and writes pairs in the public RationaleRM schema, with the ignored statements and why.
    """
    spec = asking.read_spec(model)
    try:
        settings = AtomizeSettings(
            min_items=min_items,
            max_items=max_items,
            strengths=strengths,
            drop_flagged=drop_flagged,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
        )
    except ValueError as error:
        output.fail(str(error), output.USAGE)
    files = output.inputs_and_targets(inputs, {"OUT": out, "--json": how.summary})
    records, bad, n_lines = _read(files, how.limit, how.quiet)
    caller = asking.open_caller(spec, how)
    made_by = {
        "command": "atomize",
        "model": f"{spec.kind}:{model_of(spec)}",
        "template": template_id("decomposition"),
        **settings.to_dict(),
    }
    wanted = {record.id: _digest(record) for record in records}
    if how.dry_run:
        done = asking.done_before(out, made_by, how, wanted)
        waiting = [record for record in records if record.id not in done]
        questions = (question(caller, record, settings) for record in waiting)
        asking.show_plan(questions, caller, how, len(done), [])
        return
    run = asking.Run(out, made_by, how, wanted, caller)
    stats = Stats()

    def on_result(result: Atomized) -> None:
        stats.add(result)
        run.keep(to_record(result), result.error)

    work = run_atomize(caller, records, on_result, settings, done=run.done.__contains__)
    run.carry_out(work, "atomize", bad, n_lines, figures=stats.to_dict, lines=lambda: _summary(stats))


def _read(files: Sequence[str], limit: int | None, quiet: bool) -> tuple[list[Annotated], list[BadLine], int]:
    """The records of the input, and the lines that are none."""
    progress = output.Progress(quiet)
    records: dict[str, Annotated] = {}
    bad: list[BadLine] = []
    n_lines = 0
    with reading(progress):
        for item in read_rows(files):
            if limit is not None and len(records) == limit:
                break
            n_lines += 1
            progress.update(f"reading: {n_lines:,} lines")
            if isinstance(item, BadLine):
                bad.append(item)
                continue
            try:
                record = read_record(item.value)
            except RecordError as error:
                bad.append(BadLine(item.file, item.line, str(error)))
                continue
            if record.id in records:
                bad.append(BadLine(item.file, item.line, f"duplicated id {record.id}"))
            else:
                records[record.id] = record
    progress.done()
    require(records, "atomize", "an annotated pair", bad, n_lines)
    return list(records.values()), bad, n_lines


def _digest(record: Annotated) -> str:
    context = record.context if isinstance(record.context, str) else [dict(message) for message in record.context]
    return asking.digest(context, record.response1, record.response2, [asdict(one) for one in record.annotators])


def _summary(stats: Stats) -> Iterator[str]:
    """What came of the lists of this run, in words."""
    n_lists = stats.n_kept + stats.n_apart
    if not n_lists:
        return
    mean = stats.overall_mean_items()
    items = "" if mean is None else f", {mean:.2f} items each (the paper's benchmark: 4.37)"
    yield f"{output.count(stats.n_kept, 'list')} kept{items}; {stats.n_apart} kept apart for their length"
    if stats.n_flagged:
        kinds = ", ".join(f"{kind} {count}" for kind, count in stats.flags.most_common())
        yield f"claims that the annotators' words do not support: {stats.n_flagged} of {stats.n_claims} ({kinds})"
