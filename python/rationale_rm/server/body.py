"""The body of a request: its size and its time are bounded."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from rationale_rm.server.problems import Problem

_CLOSE = {"Connection": "close"}
"""What is left of such a body is not read."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


def announced(request: Request, limit: int) -> int:
    """Bytes that the head announces, `limit` where it names none. Raises `Problem` 413, 415 and 400."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "not_json", "send application/json", headers=_CLOSE)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "encoded", "send the body without a content encoding", headers=_CLOSE)
    length = request.headers.get("content-length")
    if length is None:
        return limit
    if not (length.isascii() and length.isdigit()):
        raise Problem(400, "bad_length", "Content-Length is no number", headers=_CLOSE)
    if len(length) > 18 or int(length) > limit:
        raise _too_large(limit)
    return int(length)


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body. Raises `Problem` 413 beyond `limit`, 408 after `seconds` and 400 where it ends early, and
    `ClientGoneError`.
    """
    try:
        found = await asyncio.wait_for(_whole(request, limit), seconds)
    except asyncio.TimeoutError:
        raise Problem(408, "slow_body", "the body did not come in time", headers=_CLOSE) from None
    if request.scope["state"].get("cut") or len(found) != int(request.headers.get("content-length", len(found))):
        raise Problem(400, "cut_body", "the connection ended before the body did", headers=_CLOSE)
    return found


async def _whole(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"at most {limit} bytes in one request: send several", headers=_CLOSE)
