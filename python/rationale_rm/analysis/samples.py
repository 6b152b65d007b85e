"""One line of a file of samples as an answer, looked over before it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rationale_rm.analysis.train_samples import is_train_sample, view_of
from rationale_rm.data import BadLine
from rationale_rm.documents import SampleView
from rationale_rm.types import SchemaError

_VIEW_FIELDS: Final = frozenset(("schema_version", "id", "pair_id", "model", "domain", "status", "context"))


def is_view(value: Any) -> bool:
    """Whether a decoded line is a sample of an evaluation."""
    return isinstance(value, dict) and value.keys() >= _VIEW_FIELDS and "human-checklist" not in value


def is_sample(value: Any) -> bool:
    """Whether a decoded line is a sample of an evaluation or of a training run."""
    return is_view(value) or is_train_sample(value)


def sample_of(file: str, line: int, value: Any) -> SampleView | BadLine:
    """One decoded line as an answer that analyses can bear, or why it is none."""
    if not isinstance(value, dict):
        return BadLine(file, line, "a sample of an evaluation is expected: a JSON object")
    try:
        view = view_of(file, value) if is_train_sample(value) else SampleView.from_dict(value)
    except SchemaError as error:
        return BadLine(file, line, f"{error}; samples are written by `rationale-rm eval`")
    except (TypeError, ValueError, KeyError) as error:
        return BadLine(file, line, f"no sample as `rationale-rm train` writes them: {error!r}")
    wrong = next(_faults(view), None)
    return view if wrong is None else BadLine(file, line, wrong)


def _faults(view: SampleView) -> Iterator[str]:
    """What a later stage could not bear."""
    for name in ("id", "pair_id", "model", "domain", "status"):
        if not isinstance(getattr(view, name), str):
            yield f"{name} must be text"
    for name in ("references", "reasons"):
        value = getattr(view, name)
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            yield f"{name} must be a list of texts"
    for name in ("rc", "ap"):
        value = getattr(view, name)
        if value is not None and (
            not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1
        ):
            yield f"{name} must be a number from 0 to 1, or null"
    yield from _faults_of_texts(view)
    if view.right is not None and not isinstance(view.right, bool):
        yield "right must be true, false or null"
    if not isinstance(view.matches, tuple) or not all(_is_entry(entry, view) for entry in view.matches):
        yield "matches must be lists of a reference, a reason (both from 0 and in their lists) and a score from 0 to 1"


def _faults_of_texts(view: SampleView) -> Iterator[str]:
    for name in ("response1", "response2"):
        if not isinstance(getattr(view, name), str):
            yield f"{name} must be text"
    for name in ("verdict", "label", "text"):
        if not isinstance(getattr(view, name), (str, type(None))):
            yield f"{name} must be text or null"
    if not isinstance(view.swapped, bool):
        yield "swapped must be true or false"
    messages = view.context if isinstance(view.context, tuple) else ()
    if not isinstance(view.context, (str, tuple)) or not all(isinstance(one, Mapping) for one in messages):
        yield "context must be text or a list of chat messages"


def _is_entry(entry: Any, view: SampleView) -> bool:
    if not isinstance(entry, tuple) or len(entry) != 3:
        return False
    reference, reason, score = entry
    return (
        type(reference) is int
        and type(reason) is int
        and 0 <= reference < len(view.references)
        and 0 <= reason < len(view.reasons)
        and isinstance(score, (int, float))
        and 0 <= score <= 1
    )
