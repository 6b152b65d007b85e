"""What every ``eval`` does before it scores: look at the options, fetch the files, ask a GenRM in both orders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from rationale_rm._core import RationaleError
from rationale_rm.cli import asking, options, output
from rationale_rm.cli.critique import critique_questions, wanted_critiques
from rationale_rm.cli.eval import folder
from rationale_rm.critique import CritiqueSettings
from rationale_rm.critique import critique as run_critique
from rationale_rm.data import hub
from rationale_rm.data.write import critique_record
from rationale_rm.evals import EvalRun, read_run
from rationale_rm.evals.files import fingerprint
from rationale_rm.evals.runs import ANSWERS_FILE
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge.spec import Spec, model_of
from rationale_rm.types import Critique, Pair

FAULTS: Final = (RationaleError, OSError, MissingExtraError)
"""What reading may raise."""


def look_at(
    model: str | None,
    recorded: Sequence[str] | None,
    data: Sequence[str] | None,
    run: str,
    how: options.Asking,
    *,
    where: str,
    benchmark: str | None = None,
    against: str | None = None,
) -> Spec | None:
    """The model to ask, None where recorded outputs are to be scored; leaves the program for what cannot be.

    Looks before anything is asked and paid for: at a run of another evaluation or kind in the folder, and at the run
    to compare with, of which `benchmark` must be the evaluation. `where` says where the benchmark's data are to be had.
    """
    if (model is None) == (not recorded):
        output.fail("give either --model, to ask a GenRM, or --recorded, to score recorded outputs", output.USAGE)
    if os.path.exists(run) and not os.path.isdir(run):
        output.fail(f"cannot write {run}: a run is a folder, and this is a file", output.USAGE)
    for path in data or ():
        if not path.startswith((hub.PREFIX, "world:")) and not os.path.exists(path):
            output.fail(f"no such file or folder: {path}. The data: {where}")
    if recorded and how.dry_run:
        output.fail("--dry-run plans what --model is to be asked; recorded outputs ask nothing", output.USAGE)
    if recorded and not data and how.limit is not None:
        output.fail("--limit takes the first records of --data, which is not given", output.USAGE)
    if recorded and os.path.exists(os.path.join(run, ANSWERS_FILE)):
        output.fail(
            f"{run} holds the answers of a live run: choose another folder for the recorded outputs", output.USAGE
        )
    if benchmark is not None:
        folder.refuse_another(run, {"eval": benchmark, "answers": "recorded" if recorded else "live"})
    if against is not None:
        other = read(against).result.eval
        if other != benchmark:
            output.fail(f"--against {against}: a run of {other}, not of {benchmark}", output.USAGE)
    return None if model is None else asking.read_spec(model)


def local(paths: Sequence[str] | None) -> list[str]:
    """The paths as local files, fetched from the hub where they name a file there; leaves the program without."""
    try:
        return hub.local_files(paths or ())
    except FAULTS as error:
        refuse(error)


def read(run: str) -> EvalRun:
    """A finished run; leaves the program where there is none."""
    try:
        return read_run(run)
    except (RationaleError, OSError) as error:
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


def ask(
    benchmark: str,
    run: str,
    pairs: Sequence[Pair],
    data: Sequence[str],
    spec: Spec,
    name: str,
    settings: CritiqueSettings,
    how: options.Asking,
) -> bool:
    """Asks the model about every pair in both orders, going on from what the run's folder holds; False for a dry run,
    which only prints the plan.

    `data` are the files that the pairs stand in, or what else names them: the answers in a folder are about these.
    """
    out = os.path.join(run, ANSWERS_FILE)
    made_by = {
        "command": f"eval {benchmark}",
        "model": f"{spec.kind}:{model_of(spec)}",
        "name": name,
        "data": [one["sha256"][:16] for one in fingerprint([path for path in data if os.path.exists(path)])]
        + [path for path in data if not os.path.exists(path)],
        **settings.to_dict(),
    }
    wanted = wanted_critiques(pairs, settings)
    caller = asking.open_caller(spec, how)
    if how.dry_run:
        done = asking.done_before(out, made_by, how, wanted)
        asking.show_plan(critique_questions(caller, pairs, settings, done), caller, how, len(done), [])
        return False
    folder.make(run)
    live = asking.Run(out, made_by, how, wanted, caller)

    def on_critique(pair: Pair, answer: Critique) -> None:
        live.keep(critique_record(pair, answer, name), answer.error)

    work = run_critique(caller, pairs, on_critique, settings, done=live.done.__contains__)
    live.carry_out(work, f"eval {benchmark}", [], 0)
    return True
