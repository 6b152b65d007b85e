"""Chat messages of any shape as pairs of role and text, ready to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from rationale_rm.prompts.markup import neutralise

_LONGEST_ROLE: Final = 40
_TEXT_KEYS: Final = ("text", "content", "input_text", "output_text")
_CALL_KEYS: Final = ("tool_calls", "function_call")


def conversation(context: Any) -> list[tuple[str, str]]:
    """Role and text of each message, neutralised; one message ``user`` for a context that is one text.

    A content may be text, a list of parts, or anything else that JSON can show; of parts that are no text (images,
    sounds) the kind is shown. Calls of tools are shown as JSON.
    """
    if isinstance(context, str):
        return [("user", neutralise(context))]
    if isinstance(context, Mapping):
        context = [context]
    return [(_role(message), neutralise(_text(message))) for message in context or ()]


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, Mapping) else None
    # Roles stand in marker lines, so they must not break the line or close the bracket.
    word = " ".join(neutralise(str(role or "unknown")).split()).replace("[", "(").replace("]", ")")
    return word[:_LONGEST_ROLE] or "unknown"


def _text(message: Any) -> str:
    if not isinstance(message, Mapping):
        return _shown(message)
    pieces = [_shown(message.get("content"))]
    pieces += [f"({key}: {_json(message[key])})" for key in _CALL_KEYS if message.get(key)]
    return "\n".join(piece for piece in pieces if piece)


def _shown(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        return "\n".join(_part(part) for part in content)
    return _part(content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        for key in _TEXT_KEYS:
            if isinstance(part.get(key), str):
                return str(part[key])
        kind = part.get("type")
        if isinstance(kind, str):
            return f"({kind}, not shown)"
    return _json(part)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
