"""The application: routes, and what every request passes on its way in and out."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rationale_rm.rewards import RationaleReward, RewardSettings
from rationale_rm.server import body, logs, schema
from rationale_rm.server.codec import encode
from rationale_rm.server.endpoints import Answered, Endpoints
from rationale_rm.server.guard import Gate, check_host, check_token
from rationale_rm.server.judge import ServedJudge
from rationale_rm.server.metrics import Metrics
from rationale_rm.server.openapi import document
from rationale_rm.server.problems import Problem, draining
from rationale_rm.server.settings import ServerSettings

LINGER: Final = 5.0
"""Seconds for which the rest of a refused body is read, so that its client comes to read the refusal."""
CLIENT_GONE: Final = 499
"""What the log says of a request whose client did not wait."""

T = TypeVar("T")
Work = Callable[[bytes], Awaitable[Answered]]


class App:
    """One server's application, an ASGI callable, with the parts that `run` needs."""

    def __init__(self, settings: ServerSettings, reward_settings: RewardSettings, reward: RationaleReward):
        self.settings = settings
        self.gate = Gate(settings)
        self.judge = ServedJudge(reward.judge, settings)
        self.metrics = Metrics(self.gate, reward.judge, self.judge)
        self.endpoints = Endpoints(settings, reward_settings, self.judge, self.gate)
        batches: dict[str, Work] = {
            "/v1/rewards": self.endpoints.rewards,
            "/v1/score": self.endpoints.score,
            "/v1/match": self.endpoints.match,
            "/get_reward": self.endpoints.remote,
        }
        self._openapi = encode(document(settings))
        self._paths = {*batches, "/healthz", "/metrics", "/openapi.json"}
        routed = Starlette(
            routes=[
                *(Route(path, self._batch(work), methods=["POST"]) for path, work in batches.items()),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                Route("/openapi.json", self._document, methods=["GET"]),
            ],
            exception_handlers={Problem: _problem, HTTPException: _http_problem, Exception: _fault},
        )
        routed.router.redirect_slashes = False  # a redirect would send the batch, and the token, once more
        self._app: ASGIApp = routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts and logs every request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = secrets.token_hex(8)
        status = CLIENT_GONE
        unread = _Unread(receive)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            elif status >= 400 and not message.get("more_body") and not unread.ended:
                await send({**message, "more_body": True})
                await unread.discard(LINGER)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        scope["log"] = {}
        try:
            await self._app(scope, unread, observed)
        except body.ClientGoneError:
            pass
        except Exception as error:
            logs.fault("exception", error, id=request_id)  # Starlette has answered it, and raised it again
        path = scope["path"] if scope["path"] in self._paths else "other"
        seconds = time.perf_counter() - began
        self.metrics.requests.labels(path, str(status)).inc()
        self.metrics.seconds.labels(path).observe(seconds)
        logs.write(
            logs.REQUEST,
            id=request_id,
            method=scope["method"] if len(scope["method"]) < 10 else "other",
            path=path,
            status=status,
            seconds=round(seconds, 6),
            client=scope["client"][0] if scope.get("client") else None,
            **scope["log"],
        )

    def _batch(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._admit(request)
            with self.gate.request(body.announced(request, self.settings.max_body)):
                read, answered = await self._cuttable(self._answered(request, work))
            request.scope["log"].update(rows=answered.rows, errors=answered.errors, bytes=len(read))
            path = request.scope["path"]
            self.metrics.rows.labels(path).inc(answered.rows)
            self.metrics.unknown.labels(path).inc(answered.errors)
            self.metrics.batch.labels(path).observe(answered.rows)
            return Response(answered.body, media_type="application/json")

        return endpoint

    def _admit(self, request: Request) -> None:
        """Raises `Problem` 403 and 401."""
        self._admit_host(request)
        check_token(request.headers.get("authorization"), self.settings.token)

    def _admit_host(self, request: Request) -> None:
        """Raises `Problem` 403."""
        if self.settings.token is None:
            check_host(request.headers.getlist("host"))

    async def _answered(self, request: Request, work: Work) -> tuple[bytes, Answered]:
        """The body and what it asks for. Raises `Problem` 504 when the time is up."""
        settings = self.settings
        read = await body.read(request, settings.max_body, settings.body_timeout)
        try:
            return read, await asyncio.wait_for(work(read), settings.request_timeout)
        except asyncio.TimeoutError:
            seconds = settings.request_timeout
            raise Problem(504, "timeout", f"no answer within {seconds:g} s: send fewer rows") from None

    async def _cuttable(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises `Problem` 503 when the grace period ends."""
        task = asyncio.ensure_future(work)
        with self.gate.cuttable(task):
            try:
                return await task
            except asyncio.CancelledError:
                if self.gate.expired and task.cancelled():
                    raise draining() from None
                raise

    async def _healthz(self, request: Request) -> Response:
        self._admit_host(request)
        if self.gate.draining:
            return _json(503, schema.Health("draining"), {"Connection": "close"})
        return _json(200, schema.Health())

    async def _metrics(self, request: Request) -> Response:
        self._admit(request)
        return Response(self.metrics.exposition(), media_type="text/plain; version=1.0.0")

    async def _document(self, request: Request) -> Response:
        self._admit(request)
        return Response(self._openapi, media_type="application/json")


class _Unread:
    """`receive`, knowing whether all of the body has come."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def discard(self, seconds: float) -> None:
        """Reads the rest and drops it."""

        async def rest() -> None:
            while not self.ended:
                await self()

        try:
            await asyncio.wait_for(rest(), seconds)
        except asyncio.TimeoutError:
            self.ended = True


def _json(status: int, answer: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(answer), status, headers, media_type="application/json")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    request.scope["log"]["refused"] = error.code
    return _json(error.status, schema.ProblemAnswer(error.code, error.message), error.headers)


async def _http_problem(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, no such method."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "wrong_method"}.get(error.status_code, "refused")
    return _json(error.status_code, schema.ProblemAnswer(code, error.detail), dict(error.headers or {}))


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody expected: the log has its place, and the client the id that it stands under (X-Request-Id)."""
    return _json(500, schema.ProblemAnswer("internal", "a fault of the server, which its log describes"))
