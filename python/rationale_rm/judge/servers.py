"""Several servers of one model: load spread, and servers that fail left alone for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rationale_rm.judge.address import below

FIRST_REST: Final = 0.5
LONGEST_REST: Final = 30.0
"""Seconds for which a server that failed is passed over: doubled with every failure in a row."""


class Server:
    """One server: what is under way there, and whether it rests."""

    def __init__(self, number: int, name: str, client: Any, url: str):
        self.number = number
        self.name = name
        self.client = client
        self.chat_url = below(url, "/chat/completions")
        """Whole, so that it is not put together and parsed anew for every call."""
        self.under_way = 0
        self.failures = 0
        self.rests_until = 0.0
        self.refuses = False
        """Whether it refused the last call for good: a wrong key, an unknown model."""

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts a call as under way."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def failed(self, retry_after: float | None, *, for_good: bool = False) -> None:
        """Lets the server rest: as long as it asks, else longer with every failure in a row. Calls that fail while it
        rests were under way when it began to, and tell nothing new.
        """
        self.refuses = for_good
        now = time.monotonic()
        if retry_after is not None:
            self.rests_until = max(self.rests_until, now + retry_after)
        elif self.rests_until <= now:
            self.rests_until = now + min(FIRST_REST * 2.0**self.failures, LONGEST_REST)
            self.failures = min(self.failures + 1, 10)

    def answered(self) -> None:
        """It is well again."""
        self.failures = 0
        self.rests_until = 0.0
        self.refuses = False


class Servers:
    """The servers of one model."""

    def __init__(self, servers: Sequence[Server]):
        self.servers = servers
        self.turn = 0
        self.pid = os.getpid()
        """The process whose connections they hold."""

    def __iter__(self) -> Iterator[Server]:
        return iter(self.servers)

    def pick(self, but: Collection[int] = ()) -> Server:
        """The server with the fewest calls under way, those that rest and those in `but` last; in turn on
        a tie.
        """
        if len(self.servers) == 1:
            return self.servers[0]
        now = time.monotonic()
        self.turn += 1
        order = [self.servers[(self.turn + step) % len(self.servers)] for step in range(len(self.servers))]
        return min(
            order,
            key=lambda server: (server.number in but, max(0.0, server.rests_until - now), server.under_way),
        )

    @property
    def all_refuse(self) -> bool:
        """Whether there is no server left that asking again may help with."""
        return all(server.refuses for server in self.servers)

    async def close(self) -> None:
        """Closes all connections."""
        for server in self.servers:
            await server.client.close()

    def others_up(self, failed: Collection[int]) -> bool:
        """Whether there is a server beside `failed` that does not rest."""
        now = time.monotonic()
        return any(server.number not in failed and server.rests_until <= now for server in self.servers)
