"""``rationale-rm export``: pairs as the data set of a trainer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from rationale_rm._core import RationaleError
from rationale_rm.cli import options, output
from rationale_rm.cli.inputs import load_pairs
from rationale_rm.data import STDIN, LabelScale, Loaded
from rationale_rm.extras import MissingExtraError
from rationale_rm.integrations.export import (
    JSONL_ONLY,
    Chosen,
    ExportSettings,
    Order,
    Style,
    Trainer,
    choose,
    export_rows,
    json_line,
    require_parquet,
    write_jsonl,
    write_parquet,
)
from rationale_rm.types import SCHEMA_VERSION

EPILOG: Final = """\
Examples:

\b
  rationale-rm export --for trl pairs.jsonl train.jsonl
      then: GRPOTrainer(reward_funcs=trl_reward(...), train_dataset=load_dataset("json", ...))
  rationale-rm export --for verl pairs.jsonl labels.jsonl train.parquet
      labels may stand in a file of their own
  rationale-rm export --for openrlhf pairs.jsonl - --limit 1
      one row on standard output, to look at

How each trainer calls the reward, and what it does where a judge gave no answer: docs/trainers.md.
"""


def export(
    inputs: options.Inputs,
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Output: Parquet for a name in .parquet, else JSON Lines; - to look.")
    ],
    trainer: Annotated[Trainer, typer.Option("--for", help="Whose data set it is.")],
    style: Annotated[
        Style,
        typer.Option(help="The paper's prompt, or one of a few lines for small models that were taught what to do."),
    ] = "full",
    reasons: Annotated[
        int, typer.Option(min=0, max=100, help="Reasons to ask for; 0 leaves the number to the model, as in training.")
    ] = 0,
    order: Annotated[
        Order, typer.Option(help="Which response is shown first: as given, or by a draw for each pair.")
    ] = "random",
    keep_ties: Annotated[bool, typer.Option("--keep-ties", help="Keep pairs that people found equal.")] = False,
    keep_unlabelled: Annotated[
        bool, typer.Option("--keep-unlabelled", help="Keep pairs without a label, for rewards in mode rationale.")
    ] = False,
    label_scale: Annotated[
        LabelScale | None, typer.Option(help="What a number in a label means; see score --help.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Write the first so many rows only.")] = None,
    seed: options.Seed = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over OUT.")] = False,
    summary: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write counts and bad lines as JSON.")
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Write pairs as the data set of a trainer: prompts, and what answers to them are scored against.

    Reads pairs with human reasons (public RationaleRM schema). Each pair is one row. The same input, options and seed
    give the same bytes. Pairs without a label and ties are left out unless kept.
    """
    try:
        settings = ExportSettings(
            trainer=trainer,
            style=style,
            n_reasons=reasons or None,
            order=order,
            seed=seed,
            keep_ties=keep_ties,
            keep_unlabelled=keep_unlabelled,
            limit=limit,
        )
    except RationaleError as error:
        output.fail(str(error), output.USAGE)
    files = output.inputs_and_targets(inputs, {"OUT": out, "--json": summary})
    if out != STDIN and os.path.exists(out) and not os.path.isfile(out):
        output.fail(f"cannot write {out}: it is no plain file (- is standard output)", output.USAGE)
    if out != STDIN and os.path.exists(out) and not force:
        output.fail(f"{out} is there already: name another file, or write over it with --force", output.USAGE)
    if _is_parquet(out):
        if trainer in JSONL_ONLY:
            output.fail(
                f"the environments for {trainer} read JSON Lines, not Parquet: name OUT in .jsonl", output.USAGE
            )
        try:
            require_parquet()
        except MissingExtraError as error:
            output.fail(str(error))
    progress = output.Progress(quiet)
    loaded = load_pairs(files, progress=progress, what="export", strict=strict, label_scale=label_scale)
    chosen = choose(loaded.pairs, settings)
    if not chosen.pairs:
        output.report_bad_lines(loaded.bad, loaded.n_lines, quiet)
        if summary is not None:
            output.write_json(summary, _report(0, chosen, settings, loaded))
        output.fail(f"nothing to export: {'; '.join(_left_out(chosen))}")
    n = _write(out, chosen, settings, output.Progress(quiet))
    output.report_bad_lines(loaded.bad, loaded.n_lines, quiet)
    if not quiet:
        for note in _left_out(chosen):
            output.note(note)
        if unlabelled := sum(pair.label is None for pair in chosen.pairs):
            output.note(f"{output.count(unlabelled, 'row')} without a label: rewarded in mode rationale alone")
        output.note(f"{out}: {output.count(n, 'row')} for {trainer}")
    if summary is not None:
        output.write_json(summary, _report(n, chosen, settings, loaded))


def _write(out: str, chosen: Chosen, settings: ExportSettings, progress: output.Progress) -> int:
    n = len(chosen.pairs)

    def rows() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(export_rows(chosen.pairs, settings), 1):
            progress.update(f"writing: {number:,} of {n:,} rows")
            yield row

    try:
        if out == STDIN:
            for row in rows():
                output.emit(json_line(row))
        elif _is_parquet(out):
            write_parquet(out, rows(), settings.trainer)
        else:
            write_jsonl(out, rows())
    except OSError as error:
        output.fail(f"cannot write {out}: {error.strerror or error}")
    finally:
        progress.done()
    return n


def _is_parquet(out: str) -> bool:
    return out.lower().endswith(".parquet")


def _left_out(chosen: Chosen) -> list[str]:
    counts = (
        (chosen.n_repeated, "more records of the same pairs (other orders or samples): one row a pair"),
        (chosen.n_apart, "kept apart by atomize: left out"),
        (chosen.n_unlabelled, "without a label: left out (--keep-unlabelled keeps them)"),
        (chosen.n_ties, "with a tied label: left out (--keep-ties keeps them)"),
        (chosen.n_beyond, "beyond --limit: left out"),
    )
    return [f"{count:,} {text}" for count, text in counts if count]


def _report(n: int, chosen: Chosen, settings: ExportSettings, loaded: Loaded) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "export",
        "for": settings.trainer,
        "style": settings.style,
        "reasons": settings.n_reasons,
        "order": settings.order,
        "seed": settings.seed,
        "limit": settings.limit,
        "rows": n,
        "left_out": {
            "repeated": chosen.n_repeated,
            "kept_apart": chosen.n_apart,
            "unlabelled": chosen.n_unlabelled,
            "ties": chosen.n_ties,
            "beyond_limit": chosen.n_beyond,
        },
        "input": {
            "n_lines": loaded.n_lines,
            "n_bad_lines": len(loaded.bad),
            "bad_lines": [asdict(line) for line in loaded.bad],
        },
    }
