"""The process: listener, signals, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from types import FrameType
from typing import Any, Final

import uvicorn

from rationale_rm._core import __version__
from rationale_rm.judge import MetaJudge, loop
from rationale_rm.rewards import RewardSettings
from rationale_rm.server import connections, logs
from rationale_rm.server.app import App
from rationale_rm.server.settings import ServerSettings

FILES: Final = 256
"""Open files beside connections."""


def serve(settings: ServerSettings, reward_settings: RewardSettings, *, quiet: bool = False) -> int:
    """Serves until SIGTERM, SIGINT or SIGHUP, and gives the exit code: 0 when everything accepted was answered and
    taken, 1 when the address cannot be had or the grace period ended first. Where work had to be cut off, it ends the
    process itself.

    The judge is opened before the address is: a server that listens can score. Raises what `RewardSettings.open` does.
    """
    logs.set_up(quiet=quiet)
    _allow_files(settings.max_connections + FILES)
    reward = reward_settings.open()
    app = App(settings, reward_settings, reward)

    def refused(why: str) -> None:
        app.gate.abandoned += app.gate.draining and why == "slow_reader"
        app.metrics.cut.labels(why).inc()
        logs.write("connection_cut", why=why)

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connections.guarded(settings, refused),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(settings.idle_timeout)),
        timeout_graceful_shutdown=max(1, round(settings.write_timeout)),
        backlog=2048,
    )
    server = DrainingServer(config, app, reward_settings)
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that the address cannot be had; its log says why
        return 1
    finally:
        app.endpoints.close()
        if isinstance(reward.judge, MetaJudge):
            loop.run(reward.judge.caller.close())
    code = 1 if app.gate.expired or app.gate.abandoned else 0
    if app.gate.expired or app.judge.cells:
        # The interpreter would wait for threads whose work nobody is waiting for any more.
        logging.shutdown()
        os._exit(code)
    return code


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which on a signal goes on listening until what was accepted is answered: what comes meanwhile
    is told 503 instead of finding nobody there.
    """

    def __init__(self, config: uvicorn.Config, app: App, reward_settings: RewardSettings):
        super().__init__(config)
        self._app = app
        self._reward_settings = reward_settings
        self._until: float | None = None

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Says where it listens, so that a port of 0 can be found out."""
        await super().startup(sockets)
        if self.started:
            self._hear_hangups()
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            logs.write(
                "listening",
                host=host,
                port=port,
                version=__version__,
                judge=self._reward_settings.judge.partition("@")[0],
                mode=self._reward_settings.mode,
                token=self._app.settings.token is not None,
            )

    def _hear_hangups(self) -> None:
        """A terminal that closes is a signal like the others, unless the server was told to outlive it (nohup)."""
        hangup = getattr(signal, "SIGHUP", None)  # Windows has none
        if hangup is None or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(hangup) is not signal.SIG_IGN:
            signal.signal(hangup, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, the second ends at once. uvicorn would raise it again at the end: a drained server
        has ended well.
        """
        if self._app.gate.draining:
            self._until = 0.0
            self.force_exit = True  # answers that are not taken are not waited for either
        else:
            self._app.gate.drain()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        ended = await super().on_tick(counter)
        gate = self._app.gate
        if not gate.draining:
            return ended
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self._app.settings.grace
            logs.write("draining", pending=gate.requests, grace=self._app.settings.grace)
        if gate.requests and now >= self._until and not gate.expired:
            gate.cut()
            return False  # those that were cut are told
        return not gate.requests

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Closes connections as their answers are taken."""
        await super().shutdown(sockets)
        gate = self._app.gate
        gate.abandoned += sum(
            connection.owes
            for connection in self.server_state.connections
            if isinstance(connection, connections.GuardedProtocol)
        )
        logs.write(
            "stopped", accepted=gate.accepted, answered=gate.answered, abandoned=gate.abandoned, cut=gate.expired
        )


def _allow_files(wanted: int) -> None:
    """Raises this process's limit on open files: many systems give 1,024, and every connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
