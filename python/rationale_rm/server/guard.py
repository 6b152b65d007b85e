"""Who may ask, and how much may be under way: the doors that a request passes before its body is read."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rationale_rm.server.problems import Problem, busy, draining
from rationale_rm.server.settings import ServerSettings, is_loopback

_HOST: Final = re.compile(r"(?:\[([^\]]+)\]|([^:]+))(?::\d*)?", re.ASCII)
"""An IPv6 address in brackets, or another name, and a port."""
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="rationale-rm"'}


def check_token(authorization: str | None, token: str | None) -> None:
    """Raises `Problem` 401 unless the header shows `token`; None lets everybody in.

    ``Basic`` with the token as password is taken too: clients that can be given no header, such as OpenRLHF's, can be
    given a URL like ``http://_:TOKEN@HOST:PORT/get_reward``.
    """
    if token is None:
        return
    scheme, _, shown = (authorization or "").partition(" ")
    shown = shown.strip()
    if scheme.lower() == "basic":
        shown = _password(shown)
    elif scheme.lower() != "bearer":
        shown = ""
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode()):
        raise Problem(401, "unauthorised", "show the server's token as a bearer", headers=_CHALLENGE)


def check_host(hosts: Sequence[str]) -> None:
    """Raises `Problem` 403 unless the one ``Host`` header names this machine: for servers without a token.

    A page whose own name comes to stand for this address (DNS rebinding) is of one origin with the server, so the
    browser lets it ask what it likes; but it goes on naming the page's host.
    """
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None or not is_loopback(found[1] or found[2]):
        raise Problem(403, "wrong_host", "without a token, only for clients that name localhost or a loopback address")


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


class Gate:
    """Counts what was accepted and not answered yet; refuses what is too much, and everything once it drains.

    For one event loop: nothing here locks.
    """

    def __init__(self, settings: ServerSettings):
        self._settings = settings
        self.requests = 0
        self.rows = 0
        self.bytes = 0
        self.accepted = 0
        self.answered = 0
        self.abandoned = 0
        """Answers that were made and that their clients did not take before the end."""
        self.draining = False
        self.expired = False
        """Whether the grace period has ended: what is under way is cut off."""
        self._work: set[asyncio.Future[Any]] = set()

    @contextmanager
    def request(self, n_bytes: int) -> Iterator[None]:
        """Holds a place for one request while it is under way. Raises `Problem` 503 and 429."""
        if self.draining:
            raise draining()
        if self.requests >= self._settings.max_requests_pending:
            raise busy("requests")
        if self.bytes and self.bytes + n_bytes > self._settings.max_bytes_pending:
            raise busy("bytes")
        self.requests += 1
        self.bytes += n_bytes
        self.accepted += 1
        try:
            yield
        finally:
            self.requests -= 1
            self.bytes -= n_bytes
            self.answered += 1

    @contextmanager
    def batch(self, n_rows: int) -> Iterator[None]:
        """Holds places for the rows of a request. Raises `Problem` 429; a batch that is alone always fits."""
        if self.rows and self.rows + n_rows > self._settings.max_rows_pending:
            raise busy("rows")
        self.rows += n_rows
        try:
            yield
        finally:
            self.rows -= n_rows

    @contextmanager
    def cuttable(self, work: asyncio.Future[Any]) -> Iterator[None]:
        """Lets `cut` cancel `work`."""
        self._work.add(work)
        try:
            yield
        finally:
            self._work.discard(work)

    def drain(self) -> None:
        """Refuses what comes from now on."""
        self.draining = True

    def cut(self) -> None:
        """Ends the grace period."""
        self.expired = True
        for work in list(self._work):
            work.cancel()
