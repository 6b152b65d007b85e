"""Requests that offer to go on in another protocol (``Upgrade``) are answered in this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

if TYPE_CHECKING:
    from rationale_rm.server.connections import GuardedProtocol


class LongHeadError(Exception):
    """A head of too many bytes."""


class PlainParser:
    """httptools' parser, for which ``Upgrade`` is a header like others.

    RFC 9110 (7.8) lets a server ignore the offer of another protocol, such as the h2c of curl and Java. httptools takes
    what follows the head for that protocol's and the body is lost; so it is given the same request without the offer.
    """

    def __init__(self, protocol: GuardedProtocol):
        self._protocol = protocol
        self._parser = httptools.HttpRequestParser(protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    @property
    def offered(self) -> bool:
        """Whether the head that was read offers a protocol. CONNECT asks for a tunnel, which is no offer."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def feed_data(self, data: bytes | memoryview) -> None:
        """As httptools; raises `LongHeadError` too."""
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self.offered:
                    return
                head, data = self._without_offer(), memoryview(data)[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self._protocol)
                self._parser.feed_data(head)
            except httptools.HttpParserCallbackError as error:
                if isinstance(error.__context__, LongHeadError):
                    raise error.__context__ from None
                raise

    def _without_offer(self) -> bytes:
        """The head as the parser has read and checked it: no value holds a line break."""
        protocol, version = self._protocol, self._parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self._parser.get_method(), protocol.url, version)]
        lines += [name + b": " + value for name, value in protocol.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])
