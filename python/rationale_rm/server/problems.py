"""What is answered instead of a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RETRY_AFTER: Final = "1"
"""Seconds: what is under way is answered in about that time, or the limits are too high."""


class Problem(Exception):
    """A refusal: the HTTP status, a word for programs, and a sentence for people, without texts of the request."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def busy(what: str) -> Problem:
    """429: the limits on what is under way are reached."""
    return Problem(429, "busy", f"too many {what} are under way: try again", headers={"Retry-After": RETRY_AFTER})


def draining() -> Problem:
    """503: the server is about to end."""
    return Problem(
        503, "draining", "the server is shutting down", headers={"Retry-After": RETRY_AFTER, "Connection": "close"}
    )


def judge_failed(message: str) -> Problem:
    """503: there is no reward, because the judge did not answer."""
    return Problem(503, "judge_failed", message, headers={"Retry-After": RETRY_AFTER})


def invalid(message: str) -> Problem:
    """422: JSON that is not what the endpoint takes."""
    return Problem(422, "invalid", message)
