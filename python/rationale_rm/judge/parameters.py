"""What a server takes of a request's parameters, learnt from what it refuses.

OpenAI's newer models take ``max_completion_tokens`` alone, and no temperature, top_p or seed of ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

RENAMED: Final = {"max_tokens": "max_completion_tokens"}
OPTIONAL: Final = ("temperature", "top_p", "seed")
"""Without them the server draws in its own way."""
LONGEST: Final = 500
"""Characters of a message that are read: longer ones repeat the request."""
_CODES: Final = ("unsupported_parameter", "unsupported_value", "unknown_parameter")
_UNSUPPORTED: Final = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|deprecated|not supported|not support|not permitted|cannot both",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(rf"(?<![\w-])({'|'.join([*RENAMED, *OPTIONAL])})(?![\w-])")


def refused_parameter(error: object, body: Mapping[str, Any]) -> str | None:
    """The parameter of `body` that a refusal (the JSON of a 400 or 422) says is not supported; None where it names
    none that the request can do without. A value that is merely too large names no such parameter.
    """
    fields = error if isinstance(error, Mapping) else {}
    said = _said(fields)
    if fields.get("code") not in _CODES and not _UNSUPPORTED.search(said):
        return None
    parameter = fields.get("param")
    named = [parameter] if isinstance(parameter, str) and parameter else _NAMED.findall(said)
    known = [name for name in named if name in body and (name in RENAMED or name in OPTIONAL)]
    if "top_p" in known and "cannot both" in said:  # temperature and top_p; temperature is the one that counts
        return "top_p"
    return known[0] if known else None


def without(body: Mapping[str, Any], refused: Collection[str]) -> dict[str, Any]:
    """`body` as a server takes it that refuses some parameters."""
    kept = {RENAMED.get(name, name) if name in refused else name: value for name, value in body.items()}
    return {name: value for name, value in kept.items() if name not in refused}


def _said(fields: Mapping[str, Any]) -> str:
    """The message of OpenAI's form of an error, or of FastAPI's; what that repeats of the request is left out."""
    text = fields.get("message", fields.get("detail"))
    if isinstance(text, Sequence) and not isinstance(text, str):
        text = " ".join(f"{one.get('loc')} {one.get('msg')}" for one in text if isinstance(one, Mapping))
    return text[:LONGEST] if isinstance(text, str) else ""


def instead(parameter: str) -> str:
    """What a request does in place of a parameter, for the log."""
    other = RENAMED.get(parameter)
    return f"asking with {other}" if other else "asking without it: the draws are the server's own"
