"""Addresses of servers, and the secrets that must not leave them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, unquote_plus, urlsplit, urlunsplit

EXPECTED: Final = "expected http://HOST:PORT/v1; in a password, write / ? # @ : , as %2F %3F %23 %40 %3A %2C"
REMOVED: Final = "[key removed]"
SHORT: Final = 8
"""Characters below which a secret may well be a word of an answer (``EMPTY``, ``test``)."""


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of a server, taken apart."""

    url: str
    """Without user and password, so that no log of a library can show them."""
    shown: str
    """Without the query either."""
    authorization: str | None
    """The header that user and password make."""
    secrets: tuple[str, ...]


def read_address(url: str) -> Address:
    """Reads ``http://USER:PASSWORD@HOST:PORT/PATH``. Raises `ValueError` that repeats nothing of what may be secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{_harmless(url)} is no server: {EXPECTED}") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.path:
        raise ValueError(f"{_harmless(url)} is no server: {EXPECTED}")
    place = f"[{host}]" if ":" in host else host
    place += "" if port is None else f":{port}"
    path = parts.path.rstrip("/")
    authorization, secrets = None, _values(parts.query)
    if parts.username is not None or parts.password is not None:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        authorization = f"Basic {basic}"
        secrets += [parts.password or "", password, basic] if password else [user]  # a user alone is a token
    return Address(
        url=urlunsplit((parts.scheme, place, path, parts.query, "")),
        shown=f"{parts.scheme}://{place}{path}",
        authorization=authorization,
        secrets=tuple(dict.fromkeys(secret for secret in secrets if secret)),
    )


def below(url: str, path: str) -> str:
    """`url` with `path` after its own path, before its query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def _values(query: str) -> list[str]:
    """What may be secret in a query, as written and as read. A version is not, and to cut its digits out of every
    message would spoil them.
    """
    pairs = [(name, value) for name, _, value in (item.partition("=") for item in query.split("&"))]
    values = [value or name for name, value in pairs if not name.casefold().endswith("version")]
    return [form for value in values for form in (value, unquote(value), unquote_plus(value))]


class Scrubber:
    """Cuts secrets out of what servers send back."""

    def __init__(self, secrets: Iterable[str]):
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
        self._all = sorted((form for form in forms if form), key=len, reverse=True)
        self._long = [form for form in self._all if len(form) >= SHORT]
        self._headers = [f"{kind} {form}" for form in self._all if len(form) < SHORT for kind in ("Bearer", "Basic")]

    def __call__(self, text: str) -> str:
        """A message without any secret."""
        return _without(text, self._all)

    def answer(self, text: str) -> str:
        """A model's text without secrets; short ones, which may be words, are cut only where a header is repeated."""
        return _without(_without(text, self._headers), self._long)


def _without(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        if form in text:
            text = text.replace(form, REMOVED)
    return text


def _harmless(text: str) -> str:
    """What an error may repeat of a text that may hold a password anywhere."""
    if "@" not in text and "?" not in text:
        return repr(text)
    scheme, mark, _ = text.partition("://")
    return f"{scheme}://…" if mark and scheme.isalpha() else "an address"
