"""The subcommand of a benchmark whose items are labelled pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from rationale_rm._core import RationaleError
from rationale_rm.cli import options, output
from rationale_rm.cli.eval import choices, folder, outcome, running
from rationale_rm.critique import CritiqueSettings
from rationale_rm.evals import Answers, Benchmark, is_ours, read_ours, read_records, sample_views, statuses
from rationale_rm.evals.figures import N_RESAMPLES
from rationale_rm.evals.runs import ANSWERS_FILE
from rationale_rm.evals.table import names_of
from rationale_rm.types import Pair


def about(benchmark: Benchmark) -> str:
    """The help of the subcommand."""
    return (
        f"Evaluate on {benchmark.title}.\n\n"
        "Asks a GenRM about every pair in both orders, or scores recorded outputs, and writes RUN/result.json with "
        "every figure, RUN/samples.jsonl with every answer and RUN/items.jsonl for comparisons. An answer that breaks "
        "the form is wrong, and its share stands beside the score. An answer that never came is missing, not wrong: "
        "coverage says how many, and the same command asks for them again.\n\n"
        f"The data: {benchmark.where}."
    )


def epilog(benchmark: Benchmark) -> str:
    """Examples."""
    name = benchmark.name
    return (
        "Examples:\n\n\b\n"
        f"  rationale-rm eval {name} runs/{name} --data FILE --model openai:my-genrm@http://127.0.0.1:8000/v1\n"
        f"  rationale-rm eval {name} runs/recorded --recorded FILE\n"
        f"  rationale-rm eval {name} runs/{name} --data FILE --model vllm:./checkpoint --against runs/other\n\n"
        "Stopped in any way, the same command goes on where it was.\n"
    )


def command(benchmark: Benchmark) -> Callable[..., None]:
    """The subcommand, with its options."""

    @choices.asks_genrm
    def run(
        out: choices.RunFolder,
        model: choices.Model = None,
        recorded: choices.Recorded = None,
        data: choices.Data = None,
        name: choices.Name = None,
        n_resamples: choices.Resamples = N_RESAMPLES,
        against: choices.Against = None,
        *,
        settings: CritiqueSettings,
        how: options.Asking,
    ) -> None:
        spec = running.look_at(
            model, recorded, data, out, how, where=benchmark.where, benchmark=benchmark.name, against=against
        )
        files = running.local(data)
        theirs = None if spec is not None else running.local(recorded)
        folder.refuse_another(out, folder.identity(benchmark.name, data=files, recorded=theirs))
        pairs = _read_items(benchmark, files, how.limit)
        if spec is None:
            answers = _read_recorded(benchmark, theirs or [], pairs, name)
        else:
            if pairs is None:
                output.fail(f"{benchmark.name} needs its data: {benchmark.where}", output.USAGE)
            own = running.called(spec, name)
            if not running.ask(benchmark.name, out, pairs, files, spec, own, settings, how):
                return
            answers = read_ours([os.path.join(out, ANSWERS_FILE)], model=own, pairs=pairs)
        found = evaluate(
            benchmark,
            answers,
            name=name,
            n_resamples=n_resamples,
            seed=settings.seed,
            data=files,
            recorded=theirs,
            sampling=running.sampling(spec, settings),
        )
        outcome.finish(out, found, how, against, live=spec is not None)

    run.__name__ = benchmark.name
    return options.asks(run)


def evaluate(
    benchmark: Benchmark,
    answers: Answers,
    *,
    name: str | None,
    n_resamples: int,
    seed: int,
    recorded: Sequence[str] | None,
    **about: Any,
) -> folder.Outcome:
    """Answers into all that a run is made of; `about` goes into the manifest."""
    try:
        items = benchmark.score(answers)
    except RationaleError as error:
        running.refuse(error)
    if recorded is not None and all(value is None for item in items for value in item.values.values()):
        output.fail("none of the recorded outputs is about an item of the data: they are joined by id")
    return outcome.outcome_of(
        benchmark.name,
        items,
        sample_views(answers),
        model=name or answers.model,
        statuses=statuses(answers),
        notes=answers.notes,
        n_resamples=n_resamples,
        seed=seed,
        recorded=recorded,
        n_pairs=len(answers.pairs),
        rules=sorted({rule for rule, _, _ in (name.partition("/") for name in names_of(items)) if rule}),
        **about,
    )


def _read_items(benchmark: Benchmark, files: Sequence[str], limit: int | None) -> list[Pair] | None:
    if not files:
        return None
    try:
        return benchmark.items(read_records(files)[:limit])
    except running.FAULTS as error:
        running.refuse(error)


def _read_recorded(
    benchmark: Benchmark, files: Sequence[str], pairs: Sequence[Pair] | None, name: str | None
) -> Answers:
    try:
        records = read_records(files)
        theirs = [benchmark.is_recorded(row.value) for row in records]
        if all(theirs):
            return benchmark.read_recorded(records, pairs)
        if any(theirs):
            row, other = records[theirs.index(False)], records[theirs.index(True)]
            output.fail(
                f"{row.file}:{row.line}: other records than at {other.file}:{other.line}; expected {benchmark.recorded}"
            )
        if not any(is_ours(row.value) for row in records):
            row = records[0]
            output.fail(
                f"{row.file}:{row.line}: no recorded output of {benchmark.title}: expected {benchmark.recorded}, or "
                "answers as critique, match or an earlier run of eval write them"
            )
        return read_ours(files, model=name, pairs=pairs)
    except running.FAULTS as error:
        running.refuse(error)
