"""Limits on connections that uvicorn has none for: the head of a request, half-closed and idle clients, slow readers.

uvicorn counts neither the bytes nor the seconds of a head, it drops a request whose client has closed its own side,
though the answer could still be sent, and it loses the body of one that offers another protocol. The methods below
extend those of its protocol; nothing of it is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rationale_rm.server.http_parser import LongHeadError, PlainParser
from rationale_rm.server.settings import ServerSettings

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request line and its headers."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `limits` and `refused` are set on a subclass (`guarded`)."""

    limits: ServerSettings
    refused: Callable[[str], None]
    parser: PlainParser  # type: ignore[assignment]

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.parser = PlainParser(self)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Closes what is too much, and starts the clock of the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.refused("connections")
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        self._stop_head_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head that is not whole. A chunk may also hold the end of the body before."""
        if self._in_head:
            if self._head_timer is None:
                self._await_head()
            self._head_bytes += len(data)
        try:
            super().data_received(data)
            if self._in_head and self._head_bytes > MAX_HEAD:
                raise LongHeadError
        except LongHeadError:
            if not self.transport.is_closing():
                self._refuse("long_head", b"431 Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        """The head is whole: the application's clocks run now. Raises `LongHeadError`."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD:
            raise LongHeadError
        if self.parser.offered:  # comes again without the offer
            return
        self._in_head = False
        self._head_bytes = 0
        self._stop_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What follows is a head again; its clock starts with its first byte."""
        if self.parser.offered:
            return
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more, but may wait for an answer: True keeps its side open until that is sent."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        if cycle.more_body:
            cycle.scope["state"]["cut"] = True
            cycle.more_body = False
            cycle.message_event.set()
        return True

    def on_response_complete(self) -> None:
        """Gives the client a time to take the answer."""
        super().on_response_complete()
        self._stop_write_timer()
        if self.transport.get_write_buffer_size():
            self._write_timer = self.loop.call_later(self.limits.write_timeout, self._abandon)

    @property
    def owes(self) -> bool:
        """Whether the client has not taken all of an answer."""
        under_way = self.cycle is not None and not self.cycle.response_complete
        return under_way or self.transport.get_write_buffer_size() > 0

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout, self._slow_head)

    def _slow_head(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:  # the answer before it comes first
            self._await_head()
        elif self._in_head and not self.transport.is_closing():
            self._refuse("slow_head", b"408 Request Timeout")

    def _abandon(self) -> None:
        if self.transport.get_write_buffer_size():
            self.refused("slow_reader")
            self.transport.abort()

    def _refuse(self, why: str, status: bytes) -> None:
        self.refused(why)
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def guarded(settings: ServerSettings, refused: Callable[[str], None]) -> type[GuardedProtocol]:
    """The class with its limits; `refused(why)` hears of every connection that they end."""
    return type("GuardedProtocol", (GuardedProtocol,), {"limits": settings, "refused": staticmethod(refused)})
