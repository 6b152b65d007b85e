"""The codes of marker lines: nobody who writes a text that is shown can know the code it will stand behind."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from rationale_rm._core import RationaleError

_LENGTH: Final = 12
"""Hexadecimal digits of a code: 48 bits, with one guess a prompt."""
_SHORTEST_KEY: Final = 16


def new_key() -> bytes:
    """A key for one run."""
    return secrets.token_bytes(32)


def code(key: bytes, purpose: str, *contents: str) -> str:
    """HMAC-SHA256 of purpose and contents, as hexadecimal digits.

    The same contents give the same code, so that prompts of one group share their prefix; without the key it cannot
    be guessed. Raises `RationaleError` for a key shorter than 16 bytes.
    """
    if len(key) < _SHORTEST_KEY:
        raise RationaleError(f"the key of the marker codes must have at least {_SHORTEST_KEY} bytes, not {len(key)}")
    parts = [part.encode("utf-8", "surrogatepass") for part in (purpose, *contents)]
    # With the lengths in front, no two lists of contents run together into one message.
    message = b"".join([repr([len(part) for part in parts]).encode(), *parts])
    return hmac.digest(key, message, "sha256").hex()[:_LENGTH]
