"""What every ``eval`` does: look at the options, ask a GenRM in both orders, write a run's folder and show it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from rationale_rm._core import RationaleError
from rationale_rm.cli import asking, options, output, render
from rationale_rm.cli.critique import critique_questions, wanted_critiques
from rationale_rm.cli.eval import tables
from rationale_rm.critique import CritiqueSettings
from rationale_rm.critique import critique as run_critique
from rationale_rm.data import hub
from rationale_rm.data.write import critique_record
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, EvalResult, SampleView
from rationale_rm.evals import EvalRun, ScoredItem, read_run
from rationale_rm.evals.compare import compare
from rationale_rm.evals.runs import ANSWERS_FILE, read_result
from rationale_rm.evals.table import ITEMS_FILE, item_line
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge.spec import Spec, model_of
from rationale_rm.types import Critique, Pair, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to, to be written."""

    result: EvalResult
    items: Sequence[ScoredItem]
    samples: Iterable[SampleView]
    strata: Mapping[str, tuple[str, ...]]
    headline: Sequence[str]
    n_resamples: int
    seed: int


def look_at(
    model: str | None,
    recorded: Sequence[str] | None,
    data: Sequence[str] | None,
    run: str,
    how: options.Asking,
    *,
    benchmark: str | None = None,
    against: str | None = None,
) -> Spec | None:
    """The model to ask, None where recorded outputs are to be scored; leaves the program for what cannot be.

    Looks before anything is asked and paid for: at a run of another evaluation or kind in the folder, and at the run
    to compare with, of which `benchmark` must be the evaluation.
    """
    if (model is None) == (not recorded):
        output.fail("give either --model, to ask a GenRM, or --recorded, to score recorded outputs", output.USAGE)
    if os.path.exists(run) and not os.path.isdir(run):
        output.fail(f"cannot write {run}: a run is a folder, and this is a file", output.USAGE)
    if recorded and how.dry_run:
        output.fail("--dry-run plans what --model is to be asked; recorded outputs ask nothing", output.USAGE)
    if recorded and not data and how.limit is not None:
        output.fail("--limit takes the first records of --data, which is not given", output.USAGE)
    if recorded and os.path.exists(os.path.join(run, ANSWERS_FILE)):
        output.fail(
            f"{run} holds the answers of a live run: choose another folder for the recorded outputs", output.USAGE
        )
    if benchmark is not None and (old := _old_result(run)) is not None:
        kind = "recorded" if recorded else "live"
        _same_run(run, old, {"eval": benchmark, "answers": kind})
    if against is not None:
        other = _read(against).result.eval
        if other != benchmark:
            output.fail(f"--against {against}: a run of {other}, not of {benchmark}", output.USAGE)
    return None if model is None else asking.read_spec(model)


def settings_of(**values: Any) -> CritiqueSettings:
    """How the GenRM is asked, always in both orders; leaves the program for numbers out of range."""
    try:
        return CritiqueSettings(order="both", **values)
    except ValueError as error:
        output.fail(str(error), output.USAGE)


def local(paths: Sequence[str] | None) -> list[str]:
    """The paths as local files, fetched from the hub where they name a file there; leaves the program without."""
    try:
        return hub.local_files(paths or ())
    except (OSError, RationaleError, MissingExtraError) as error:
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Leaves the program with what a reader said."""
    if isinstance(error, OSError) and error.filename is not None:
        output.fail(f"cannot read {error.filename}: {error.strerror or error}")
    output.fail(str(error))


def called(spec: Spec, name: str | None) -> str:
    """What records call the model."""
    own = name or (spec.name if spec.kind == "openai" else os.path.basename(os.path.normpath(spec.name)))
    if own == "human":  # human-checklist and human-label are the people's
        output.fail("records cannot call a model human: choose another --name", output.USAGE)
    return own


def sampling(spec: Spec | None, settings: CritiqueSettings) -> dict[str, Any] | None:
    """How the answers were drawn, for the manifest; a checkpoint goes by the digest of its files as well. None for
    recorded outputs.
    """
    return None if spec is None else {"asked": f"{spec.kind}:{model_of(spec)}", **settings.to_dict()}


def make_folder(run: str) -> None:
    """Makes the folder of a run; leaves the program where it cannot be."""
    try:
        os.makedirs(run, exist_ok=True)
    except OSError as error:
        output.fail(f"cannot make the folder {run}: {error.strerror or error}")


def ask(
    benchmark: str,
    run: str,
    pairs: Sequence[Pair],
    spec: Spec,
    name: str,
    settings: CritiqueSettings,
    how: options.Asking,
) -> bool:
    """Asks the model about every pair in both orders, going on from what the run's folder holds; False for a dry run,
    which only prints the plan.
    """
    out = os.path.join(run, ANSWERS_FILE)
    made_by = {
        "command": f"eval {benchmark}",
        "model": f"{spec.kind}:{model_of(spec)}",
        "name": name,
        **settings.to_dict(),
    }
    wanted = wanted_critiques(pairs, settings)
    caller = asking.open_caller(spec, how)
    if how.dry_run:
        done = asking.done_before(out, made_by, how, wanted)
        asking.show_plan(critique_questions(caller, pairs, settings, done), caller, how, len(done), [])
        return False
    make_folder(run)
    live = asking.Run(out, made_by, how, wanted, caller)

    def on_critique(pair: Pair, answer: Critique) -> None:
        live.keep(critique_record(pair, answer, name), answer.error)

    work = run_critique(caller, pairs, on_critique, settings, done=live.done.__contains__)
    live.carry_out(work, f"eval {benchmark}", [], 0)
    return True


def finish(run: str, outcome: Outcome, how: options.Asking, against: str | None, *, live: bool) -> None:
    """Writes the run's files, the result last, and shows the figures.

    Leaves the program where the folder holds the result of another evaluation, model or other recorded outputs. An
    earlier result of the same goes first: a kill leaves no result beside samples that it is not of.
    """
    make_folder(run)
    if (old := _old_result(run)) is not None:
        _same_run(run, old, _identity(outcome.result))
        os.remove(os.path.join(run, RESULT_FILE))
    _write_lines(os.path.join(run, SAMPLES_FILE), map(_line, outcome.samples))
    _write_lines(os.path.join(run, ITEMS_FILE), map(item_line, outcome.items))
    document = outcome.result.to_dict()
    output.write_json(os.path.join(run, RESULT_FILE), document)
    if how.summary is not None and not live:
        output.write_json(how.summary, document)
    if not how.quiet and how.summary != "-":
        output.emit(render.to_text(tables.eval_result(outcome.result, outcome.headline)))
        output.note(f"{run}: {RESULT_FILE}, {SAMPLES_FILE}, {ITEMS_FILE}")
    if against is not None and not how.quiet and how.summary != "-":
        show_comparison(run, against, outcome.strata, outcome.headline, outcome.n_resamples, outcome.seed, None)


def show_comparison(
    a: str,
    b: str,
    strata: Mapping[str, tuple[str, ...]],
    headline: Sequence[str],
    n_resamples: int,
    seed: int,
    json_path: str | None,
) -> None:
    """Compares two runs and prints or writes it; leaves the program where they cannot be compared."""
    one, two = _read(a), _read(b)
    try:
        found = compare(one, two, strata=strata, n_resamples=n_resamples, seed=seed)
    except RationaleError as error:
        refuse(error)
    if json_path is not None:
        output.write_json(json_path, found.to_dict())
    if json_path != "-":
        output.emit(render.to_text(tables.run_comparison(found, headline)))


def _read(run: str) -> EvalRun:
    try:
        return read_run(run)
    except (RationaleError, OSError) as error:
        refuse(error)


def _old_result(run: str) -> EvalResult | None:
    """The result that the folder holds; leaves the program for a file of that name that is none."""
    file = os.path.join(run, RESULT_FILE)
    if not os.path.exists(file):
        return None
    try:
        return read_result(file)
    except (RationaleError, OSError) as error:
        output.fail(f"{error}; choose another folder for the run")


def _identity(result: EvalResult) -> dict[str, Any]:
    """What may not change within the folder of a run."""
    recorded = result.manifest.get("recorded")
    files = None if recorded is None else [file["sha256"] for file in recorded]
    return {
        "eval": result.eval,
        "answers": result.manifest.get("answers"),
        "model": result.model,
        "recorded outputs": files,
    }


def _same_run(run: str, old: EvalResult, wanted: Mapping[str, Any]) -> None:
    """Leaves the program where the folder's result is of another run than the wanted one."""
    there = _identity(old)
    for name, value in wanted.items():
        if there[name] != value:
            what = "is of other files" if name == "recorded outputs" else f"is {there[name]}, now {value}"
            output.fail(
                f"{run} holds a finished run, whose {name} {what}: choose another folder, or remove this one",
                output.USAGE,
            )


def _line(record: Record) -> bytes:
    return json.dumps(record.to_dict(), allow_nan=False).encode("ascii") + b"\n"


def _write_lines(path: str, lines: Iterable[bytes]) -> None:
    with output.replacing(path) as stream:
        for line in lines:
            stream.write(line)
