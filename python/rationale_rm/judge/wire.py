"""A chat completion as it came over the wire, read with suspicion."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from rationale_rm.engine import Generation
from rationale_rm.judge import faults
from rationale_rm.judge.address import Scrubber
from rationale_rm.judge.faults import CallError, Tokens

_VERSION: Final = re.compile(r"[-@:](?:latest|\d{4}-\d\d-\d\d|\d{3,8})$")
"""What providers add to a model's name: a date or the number of a build. ``-4.1``, ``-2`` and ``-mini`` are other
models."""


def read_completion(raw: str, model: str, scrub: Scrubber) -> Generation:
    """The answer in a body.

    Raises `CallError` for a body that is cut or no chat completion, that holds no text, or that another model
    than `model` answered. Every text is passed through `scrub` first.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        start = scrub(raw[:4096])[:80]
        raise CallError(faults.BAD_BODY, f"the body is not JSON, or cut short; it begins {start!r}") from None
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        said = scrub(json.dumps(body))[:200]
        raise CallError(faults.BAD_BODY, f"the body is no chat completion: {said}")
    used = _used(body)
    answered_by = body.get("model")
    if isinstance(answered_by, str) and not same_model(model, answered_by):
        raise CallError(
            faults.WRONG_MODEL,
            f"{model} was asked, {scrub(answered_by)[:100]} answered; if they are one, ask by the server's name",
            used=used,
        )
    if not body["choices"]:
        raise CallError(faults.EMPTY_ANSWER, "no choices", used=used)
    choice = body["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise CallError(faults.BAD_BODY, "the first choice holds no message", used=used)
    text, finish = message.get("content"), choice.get("finish_reason")
    if not isinstance(text, str) or not text:
        refusal = message.get("refusal")
        said = f": refused with {scrub(refusal)[:200]!r}" if isinstance(refusal, str) and refusal else ""
        said += ": the model thought until max_tokens was reached" if finish == "length" else ""
        raise CallError(faults.EMPTY_ANSWER, f"no text{said}", used=used)
    return Generation(
        text=scrub.answer(text),
        finish_reason=scrub(finish)[:40] if isinstance(finish, str) else None,
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        cached_tokens=used.cached_tokens,
    )


def _used(body: Mapping[str, Any]) -> Tokens:
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    prompt_tokens = _count(usage, "prompt_tokens")
    return Tokens(
        prompt_tokens,
        min(_count(details, "cached_tokens"), prompt_tokens) if isinstance(details, dict) else 0,
        _count(usage, "completion_tokens"),
    )


def same_model(asked: str, answered: str) -> bool:
    """Whether a server's model name is the one asked for: equal but for case, a provider's prefix
    (``provider/NAME``) and a version where one has none (``NAME-2025-04-14``, ``NAME:latest``).
    """
    ours, theirs = (name.casefold().rstrip("/").rsplit("/", 1)[-1] for name in (asked, answered))
    our_version, their_version = (_VERSION.search(name) for name in (ours, theirs))
    if our_version and their_version and "latest" not in our_version[0] + their_version[0]:
        return ours == theirs
    return _VERSION.sub("", ours) == _VERSION.sub("", theirs)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as a date
    (RFC 9110, 10.2.3); None where it does not say.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return max(0.0, seconds)
    date = email.utils.parsedate_tz(text) if text else None
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and value == value and abs(value) != float("inf") else None


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
