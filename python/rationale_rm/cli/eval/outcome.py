"""What every ``eval`` does when it has scored: make the result of the items, write the folder, show the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.cli import options, output, render
from rationale_rm.cli.eval import folder, running, tables
from rationale_rm.cli.eval.folder import Outcome
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, EvalResult, SampleView
from rationale_rm.evals import ScoredItem, compare, estimates, manifest
from rationale_rm.evals.known import shown
from rationale_rm.evals.table import ITEMS_FILE

FEW: Final = 20
"""Prompts under which a percentile interval says too little (docs/statistics.md)."""


def outcome_of(
    benchmark: str,
    items: Sequence[ScoredItem],
    samples: Iterable[SampleView],
    *,
    model: str,
    statuses: Mapping[str, int],
    notes: Sequence[str],
    n_resamples: int,
    seed: int,
    **about: Any,
) -> Outcome:
    """Scored items into all that a run is made of; `about` goes into the manifest."""
    return Outcome(
        result=EvalResult(
            eval=benchmark,
            model=model,
            manifest=manifest(items=items, model=model, n_resamples=n_resamples, seed=seed, **about),
            estimates=estimates(items, strata=shown(benchmark).strata, n_resamples=n_resamples, seed=seed),
            statuses=statuses,
            notes=(*notes, *_few(items)),
        ),
        items=items,
        samples=samples,
    )


def _few(items: Sequence[ScoredItem]) -> Iterator[str]:
    n = len({item.cluster for item in items})
    if n < FEW:
        yield f"the intervals draw {n} prompts: of fewer than {FEW}, percentile intervals are too narrow"


def finish(run: str, outcome: Outcome, how: options.Asking, against: str | None, *, live: bool) -> None:
    """Writes the run's files and shows the figures; leaves the program where the folder is another run's."""
    document = folder.write(run, outcome)
    result = outcome.result
    if how.summary is not None and not live:
        output.write_json(how.summary, document)
    if not how.quiet and how.summary != "-":
        output.emit(render.to_text(tables.eval_result(result, shown(result.eval).headline)))
        output.note(f"{run}: {RESULT_FILE}, {SAMPLES_FILE}, {ITEMS_FILE}")
        if against is not None:
            interval = result.manifest["interval"]
            show_comparison(run, against, interval["n_resamples"], interval["seed"], None)


def show_comparison(a: str, b: str, n_resamples: int, seed: int, json_path: str | None) -> None:
    """Compares two runs and prints or writes it; leaves the program where they cannot be compared."""
    one, two = running.read(a), running.read(b)
    how = shown(one.result.eval)
    try:
        found = compare(one, two, strata=how.strata, n_resamples=n_resamples, seed=seed)
    except RationaleError as error:
        running.refuse(error)
    if json_path is not None:
        output.write_json(json_path, found.to_dict())
    if json_path != "-":
        output.emit(render.to_text(tables.run_comparison(found, how.headline)))
