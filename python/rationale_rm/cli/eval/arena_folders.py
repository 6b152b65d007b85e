"""The folders of an Arena-Hard run: one judged model in the run's own, several in one of each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rationale_rm.cli import options, output
from rationale_rm.cli.eval import folder
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE
from rationale_rm.evals.runs import ANSWERS_FILE
from rationale_rm.evals.table import ITEMS_FILE

_RESERVED: Final = (RESULT_FILE, SAMPLES_FILE, ITEMS_FILE, ANSWERS_FILE)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.+-]")


def _folders(run: str, models: Iterable[str]) -> dict[str, str]:
    """Model → the folder of its files: of one model the run's own, of several one of each."""
    names: dict[str, str] = {}
    for model in sorted(models):
        name = _UNSAFE.sub("_", model).lstrip(".") or "_"
        while name in names.values() or name in _RESERVED:
            name += "_"
        names[model] = name
    return {model: run if len(names) == 1 else os.path.join(run, name) for model, name in names.items()}


def refuse_others(run: str, models: Iterable[str], wanted: Mapping[str, Any]) -> None:
    """Leaves the program where the run's folder holds results that those of `models` would not replace: boards of
    different models would stand side by side as one run. And where it holds results of those models that are of
    another run than the `wanted` one (`folder.refuse_another`).
    """
    folders = _folders(run, models)
    for one in folders.values():
        folder.refuse_another(one, wanted)
    ours = {os.path.join(one, RESULT_FILE) for one in folders.values()}
    inside = sorted(os.listdir(run)) if os.path.isdir(run) else []
    for file in (os.path.join(run, RESULT_FILE), *(os.path.join(run, name, RESULT_FILE) for name in inside)):
        if file not in ours and os.path.isfile(file):
            output.fail(
                f"{file} is a result of a run with other models, which would stand beside those of this one: remove it "
                f"({ANSWERS_FILE} can stay) or choose another folder"
            )


def write(run: str, outcomes: Mapping[str, folder.Outcome], how: options.Asking, *, live: bool) -> None:
    """The files of every model, and what the run prints of them."""
    folders = _folders(run, outcomes)
    documents = {model: folder.write(folders[model], outcome) for model, outcome in outcomes.items()}
    if how.summary is not None and not live:
        output.write_json(how.summary, documents)
    if not how.quiet:
        where = run if len(outcomes) == 1 else os.path.join(run, "MODEL")
        output.note(f"{where}: {RESULT_FILE}, {SAMPLES_FILE}, {ITEMS_FILE}")
