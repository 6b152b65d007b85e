"""The folder of a run: it belongs to one evaluation of one model on one set of data, and is written whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.cli import output
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, EvalResult, SampleView
from rationale_rm.evals import ScoredItem
from rationale_rm.evals.files import fingerprint
from rationale_rm.evals.runs import read_result
from rationale_rm.evals.table import ITEMS_FILE, item_line
from rationale_rm.types import Record

_BOUND: Final[Mapping[str, str]] = {
    "answers": "answers",
    "data": "data",
    "world": "data",
    "recorded": "recorded outputs",
    "n_pairs": "pairs",
    "judge": "judge",
    "judges": "judges",
    "top_k": "--top-k",
    "threshold": "--threshold",
    "spurious_below": "--spurious-below",
    "strong": "--strong",
    "style_control": "--style-control",
    "categories": "categories and baselines",
    "left_out": "left out",
}
"""Fields of the manifest that may not change within the folder of a run → what a message calls them. The intervals
may, and so may how much of the data a live run has taken (``--limit``): it goes on from there. How a live model was
asked is the matter of its answers' file."""
_SHOWN: Final = 12
"""Characters of a SHA-256 in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to, to be written."""

    result: EvalResult
    items: Sequence[ScoredItem]
    samples: Iterable[SampleView]


def make(run: str) -> None:
    """Makes the folder of a run; leaves the program where it cannot be."""
    try:
        os.makedirs(run, exist_ok=True)
    except OSError as error:
        output.fail(f"cannot make the folder {run}: {error.strerror or error}")


def identity(benchmark: str, *, data: Sequence[str], recorded: Sequence[str] | None, **more: Any) -> dict[str, Any]:
    """What is known of a run before it has a result, for `refuse_another`; leaves the program for a file that is not
    there.
    """
    try:
        return {
            "eval": benchmark,
            "answers": "live" if recorded is None else "recorded",
            "data": fingerprint(data),
            "recorded": None if recorded is None else fingerprint(recorded),
            **more,
        }
    except OSError as error:
        output.fail(f"cannot read {error.filename}: {error.strerror or error}")


def refuse_another(run: str, wanted: Mapping[str, Any]) -> None:
    """Leaves the program where the folder's result is of another run than the `wanted` one: its figures would be
    replaced by those of something else. Fields that `wanted` does not name are not looked at.
    """
    old = _old_result(run)
    if old is None:
        return
    there = {
        "eval": old.eval,
        "model": old.model,
        **{name: old.manifest[name] for name in _BOUND if name in old.manifest},
    }
    if not there.get("judges"):
        there.pop("judges", None)  # a judge may be added where there was none
    named = {"eval": "eval", "model": "model", **_BOUND}
    both = [name for name in named if name in there and name in wanted]
    differing = [name for name in both if _content(there[name]) != _content(wanted[name])]
    if differing:
        listed = "; ".join(
            f"{named[name]}: {_said(there[name])} there, {_said(wanted[name])} now" for name in differing
        )
        output.fail(
            f"{run} holds a finished run of something else ({listed}): choose another folder, or remove this one",
            output.USAGE,
        )


def write(run: str, outcome: Outcome) -> dict[str, Any]:
    """Writes the run's files, the result last, and returns that as plain JSON.

    Leaves the program where the folder holds the result of another run. An earlier result of the same goes first: a
    kill leaves no result beside samples that it is not of.
    """
    make(run)
    result = outcome.result
    wanted = {**result.manifest, "eval": result.eval, "model": result.model}
    if result.manifest["answers"] == "live":
        del wanted["n_pairs"]
    refuse_another(run, wanted)
    if os.path.exists(os.path.join(run, RESULT_FILE)):
        os.remove(os.path.join(run, RESULT_FILE))
    _write_lines(os.path.join(run, SAMPLES_FILE), map(_line, outcome.samples))
    _write_lines(os.path.join(run, ITEMS_FILE), map(item_line, outcome.items))
    document = result.to_dict()
    output.write_json(os.path.join(run, RESULT_FILE), document)
    return document


def _old_result(run: str) -> EvalResult | None:
    """The result that the folder holds; leaves the program for a file of that name that is none."""
    file = os.path.join(run, RESULT_FILE)
    if not os.path.exists(file):
        return None
    try:
        return read_result(file)
    except (RationaleError, OSError) as error:
        output.fail(f"{error}; choose another folder for the run")


def _content(value: Any) -> Any:
    """A value for comparison: files by their SHA-256, whatever they are called."""
    if isinstance(value, (list, tuple)):
        return [one["sha256"] if isinstance(one, Mapping) and "sha256" in one else one for one in value]
    return value


def _said(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value)) or "none"
    if isinstance(value, Mapping):
        return f"{value.get('file')} ({str(value.get('sha256'))[:_SHOWN]})"
    return str(value)


def _line(record: Record) -> bytes:
    return json.dumps(record.to_dict(), allow_nan=False).encode("ascii") + b"\n"


def _write_lines(path: str, lines: Iterable[bytes]) -> None:
    with output.replacing(path) as stream:
        for line in lines:
            stream.write(line)
