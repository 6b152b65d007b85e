"""Fields of a decoded record that several layouts share: id, context, texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from rationale_rm.data.faults import BadValueError, kind, valid, wrong

_MADE: Final = "sha256:"


def own_id(record: Mapping[str, Any]) -> str | None:
    """The id that stands in the record, None where there is none. Raises `BadValueError`."""
    value = record.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        valid(value, "id")
        return value
    if value is not None:
        raise BadValueError(f"id must be text or a whole number, not {kind(value)}")
    return None


def content_id(*content: Any) -> str:
    """An id made of the content: the same wherever the same content stands."""
    text = json.dumps(content, sort_keys=True, default=str)
    return _MADE + hashlib.sha256(text.encode()).hexdigest()[:16]


def has_own_id(pair_id: str) -> bool:
    """Whether the id stands in the data, and was not made of the content."""
    return not pair_id.startswith(_MADE)


def read_context(record: Mapping[str, Any], *, required: bool) -> tuple[Mapping[str, Any], ...] | str:
    """``context``: messages with a role, or text; empty text where it may be missing and is. Raises `BadValueError`."""
    value = record.get("context")
    if value is None and not required:
        return ""
    if isinstance(value, str):
        valid(value, "context")
        return value
    if not isinstance(value, list):
        raise BadValueError(wrong(record, "context", "a list of messages or text"))
    for number, message in enumerate(value, 1):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadValueError(f"context message {number} is no object with a role")
        if isinstance(message.get("content"), str):
            valid(message["content"], f"context message {number}")
    return tuple(value)


def read_text(record: Mapping[str, Any], name: str, *, required: bool) -> str:
    """A text; empty where it may be missing and is. Raises `BadValueError`."""
    value = record.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise BadValueError(wrong(record, name, "text"))
    valid(value, name)
    return value


def read_texts(record: Mapping[str, Any], name: str, *, required: bool) -> tuple[str, ...] | None:
    """A list of texts, of any Unicode; None where it may be missing and is. Raises `BadValueError`."""
    value = record.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, list):
        raise BadValueError(wrong(record, name, "a list of texts"))
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            raise BadValueError(f"{name} item {number} must be text, not {kind(item)}")
    return tuple(value)
