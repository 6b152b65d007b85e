"""What the server listens on, who may ask, and how much."""

from __future__ import annotations

import ipaddress
import math
import os
from dataclasses import dataclass, field, fields
from typing import Final

from rationale_rm._core import RationaleError

TOKEN_VARIABLE: Final = "RATIONALE_RM_TOKEN"
SHORTEST_TOKEN: Final = 16
MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Address, token and limits. Sizes are in bytes, texts in characters, times in seconds.

    Raises `RationaleError` for a limit that is not positive, for a token that is too short or that no header carries,
    and for an address beyond loopback without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    token: str | None = field(default=None, repr=False)
    max_body: int = 32 * MIB
    """Bytes of one request."""
    max_rows: int = 4096
    """Rows of one request."""
    max_text: int = 1_000_000
    """Characters of one text."""
    max_items: int = 1024
    """Entries of one list within a row: human reasons, model reasons, judge answers, cells."""
    max_cells: int = 262_144
    """Cells of one request: human reasons times model reasons, over the rows that the judge is asked about."""
    max_requests_pending: int = 1024
    """Requests accepted and not answered yet; more are told to come back (429)."""
    max_rows_pending: int = 16_384
    """Rows of these requests."""
    max_cells_pending: int = 1_048_576
    """Cells that the judge is at, those of requests given up before included."""
    max_bytes_pending: int = 256 * MIB
    """Bytes of these requests."""
    max_connections: int = 2048
    """Open connections; more are closed at once."""
    header_timeout: float = 10.0
    """For the head of a request."""
    body_timeout: float = 30.0
    """For its body."""
    request_timeout: float = 600.0
    """For its answer, once the body is there."""
    idle_timeout: float = 75.0
    """For the next request on an open connection."""
    write_timeout: float = 30.0
    """For the client to take an answer."""
    grace: float = 60.0
    """After SIGTERM, for what was accepted."""

    def __post_init__(self) -> None:
        """Checks."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, (int, float)) and one.name != "port" and not (0 < value < math.inf):
                raise RationaleError(f"{one.name} is {value}: expected a positive number")
        if not 0 <= self.port <= 65535:
            raise RationaleError(f"port is {self.port}: expected 0 to 65535")
        if self.token is not None:
            _check_token(self.token)
        elif not is_loopback(self.host):
            raise RationaleError(
                f"{self.host} can be reached from other machines, so clients must show a token: put one of "
                f"{SHORTEST_TOKEN} characters and more into ${TOKEN_VARIABLE} or a file (--token-env, --token-file), "
                "or listen on 127.0.0.1"
            )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's alone. Names other than ``localhost`` are not looked up: what
    they stand for may change.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def read_token(*, variable: str | None = None, path: str | None = None) -> str | None:
    """The token from a file or an environment variable (`TOKEN_VARIABLE` by default); None where there is none.

    Raises `RationaleError` where a source is named and holds none.
    """
    if path is not None:
        try:
            with open(path, encoding="ascii") as stream:
                found = stream.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not ASCII"
            raise RationaleError(f"cannot read the token from {path}: {reason}") from None
        if not found:
            raise RationaleError(f"{path} holds no token")
        return found
    found = os.environ.get(variable or TOKEN_VARIABLE, "").strip()
    if variable is not None and not found:
        raise RationaleError(f"the environment variable {variable} holds no token")
    return found or None


def _check_token(token: str) -> None:
    """Never repeats it."""
    if len(token) < SHORTEST_TOKEN:
        raise RationaleError(f"the token has {len(token)} characters: expected {SHORTEST_TOKEN} and more")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise RationaleError("the token must be printable ASCII without spaces")
