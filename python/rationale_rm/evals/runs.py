"""The folder of a finished run, read back."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.documents import RESULT_FILE, EvalResult
from rationale_rm.evals.table import ITEMS_FILE, ScoredItem
from rationale_rm.types import SchemaError

ANSWERS_FILE: Final = "answers.jsonl"
"""The live answers, a `rationale_rm.data.Journal`; absent where recorded outputs were scored."""
MATCHES_FILE: Final = "matches.jsonl"
"""What the judge of ``rationale-rm eval rationale`` said, likewise."""


@dataclass(frozen=True, slots=True)
class EvalRun:
    """A finished run."""

    path: str
    result: EvalResult
    items: tuple[ScoredItem, ...]


def read_run(path: str | os.PathLike[str]) -> EvalRun:
    """Reads the folder of a run. Raises `RationaleError` that names the file and what to do."""
    folder = os.fspath(path)
    if not os.path.isfile(os.path.join(folder, RESULT_FILE)):
        unfinished = os.path.exists(os.path.join(folder, ANSWERS_FILE))
        remedy = "it is not finished: give the command that began it again" if unfinished else "it is no run of eval"
        raise RationaleError(f"{folder} holds no {RESULT_FILE}: {remedy}")
    result = read_result(os.path.join(folder, RESULT_FILE))
    items = []
    file = os.path.join(folder, ITEMS_FILE)
    try:
        with open(file, encoding="utf-8") as stream:
            items = [_item(file, number, line) for number, line in enumerate(stream, 1)]
    except OSError as error:
        raise RationaleError(
            f"cannot read {file}: {error.strerror}; give the command that made the run again"
        ) from None
    return EvalRun(folder, result, tuple(items))


def read_result(file: str) -> EvalResult:
    """Reads a `RESULT_FILE`. Raises `RationaleError` for one that is none, and `OSError`."""
    try:
        with open(file, encoding="utf-8") as stream:
            return EvalResult.from_dict(_object(json.load(stream)))
    except (ValueError, RecursionError) as error:
        raise RationaleError(f"{file} is no result of rationale-rm eval: {error}") from None


def _item(file: str, number: int, line: str) -> ScoredItem:
    try:
        return ScoredItem.from_dict(_object(json.loads(line)))
    except (ValueError, RecursionError) as error:
        raise RationaleError(f"{file}:{number}: no scored item: {error}") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaError("a JSON object is expected")
    return value
