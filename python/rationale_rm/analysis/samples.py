"""One line of a file of samples as an answer, looked over before it is used."""

from __future__ import annotations

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
    return view
