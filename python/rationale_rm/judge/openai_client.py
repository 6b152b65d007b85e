"""Any server that speaks OpenAI's chat completions, through the official client on its aiohttp transport."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import weakref
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from rationale_rm.engine import Generation, Message, Sampling
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge import faults, loop
from rationale_rm.judge.address import Scrubber, read_address
from rationale_rm.judge.client import LateGeneration
from rationale_rm.judge.faults import CallError, Failed
from rationale_rm.judge.parameters import instead, refused_parameter, without
from rationale_rm.judge.servers import Server, Servers
from rationale_rm.judge.transport import http_client
from rationale_rm.judge.wire import read_completion, retry_after

DEFAULT_KEY_VARIABLE: Final = "OPENAI_API_KEY"
NO_KEY: Final = "EMPTY"
"""What local servers are sent when no key is set."""
_OF_SERVER: Final = (
    faults.CONNECTION,
    faults.SERVER_ERROR,
    faults.RATE_LIMITED,
    faults.TIMEOUT,
    faults.BAD_BODY,
    faults.WRONG_MODEL,
    faults.REFUSED,
)
"""Causes that lie with a server, for which it is passed over; a timeout has used the time up."""
_VERSIONED: Final = re.compile(r"/v\d\w*(/|$)")
"""In a URL that is whole: ``/v1``, ``/v1beta/openai``, ``/api/v4``."""
_log = logging.getLogger(__name__)


class OpenAIClient:
    """A model on one or more OpenAI-compatible servers.

    Calls go to the server with the fewest of ours under way. One that fails, or that answers as no server of this
    model does, is left alone for a while, and the call goes on to the next; an error is raised only when no server
    that is up is left.

    The key is read from the environment variable `key_variable` and never leaves the Authorization header:
    it is cut out of whatever servers send back. Without `urls`, OpenAI's own server is meant, and the key must
    be set.
    """

    def __init__(self, model: str, urls: Sequence[str] = (), *, key_variable: str = DEFAULT_KEY_VARIABLE):
        try:
            import aiohttp  # which openai misses only when it is used
            import openai
        except ImportError as error:
            raise MissingExtraError(error.name or "aiohttp", "judge") from None
        if not model:
            raise ValueError("a model name is needed, such as openai:NAME@http://127.0.0.1:8000/v1")
        key = os.environ.get(key_variable, "")
        if not key and not urls:
            raise ValueError(f"set {key_variable}, or name a server: openai:{model}@http://HOST:PORT/v1")
        if not key and key_variable != DEFAULT_KEY_VARIABLE:
            raise ValueError(f"{key_variable}, which is to hold the key, is not set")
        if any(ord(character) < 33 or ord(character) > 126 for character in key):
            raise ValueError(f"{key_variable} holds characters that no HTTP header can carry")
        self._openai = openai
        self._broken = (aiohttp.ClientError, OSError, ValueError)
        """What the libraries let pass when a server does not speak HTTP."""
        self._model = model
        self._key_variable = key_variable
        self._addresses = tuple(map(read_address, urls))
        if int(openai.__version__.split(".")[0]) < 3 and any("?" in address.url for address in self._addresses):
            raise ValueError("an address with a query needs openai 3 or later: the client before it drops the query")
        self._scrub = Scrubber([key, *(secret for address in self._addresses for secret in address.secrets)])
        self._key = key or NO_KEY
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: Servers | None = None
        self._refused_regex = False
        self._refused: defaultdict[int, set[str]] = defaultdict(set)
        """Number of a server → parameters that it does not take."""
        self.failovers = 0
        """Calls that went on to another server."""

    @property
    def name(self) -> str:
        """``openai:MODEL@URL,URL``, without credentials."""
        urls = ",".join(address.shown for address in self._addresses)
        return f"openai:{self._model}@{urls}" if urls else f"openai:{self._model}"

    @property
    def model(self) -> str:
        """The model name that is sent."""
        return self._model

    @property
    def constrains(self) -> bool:
        """Whether no server has refused a constraint so far."""
        return not self._refused_regex

    async def complete(self, messages: Sequence[Message], sampling: Sampling, *, timeout: float) -> Generation:
        """One answer; each server that is up is tried once."""
        earlier: list[Failed] = []
        try:
            answer = await self._first_answer(messages, sampling, timeout, earlier)
        except CallError as error:
            error.earlier = tuple(earlier)
            raise
        if not earlier:
            return answer
        sent = {field.name: getattr(answer, field.name) for field in fields(answer)}
        return LateGeneration(**sent, earlier=tuple(earlier))

    async def _first_answer(
        self, messages: Sequence[Message], sampling: Sampling, timeout: float, earlier: list[Failed]
    ) -> Generation:
        """From the first server that gives one; what fails before is added to `earlier`."""
        servers = self._opened()
        failed: set[int] = set()
        while True:
            server = servers.pick(failed)
            try:
                with server.busy():
                    answer = await self._ask(server, messages, sampling, timeout, earlier)
            except CallError as error:
                if error.cause not in _OF_SERVER or error.status in (400, 413, 422):
                    raise
                server.failed(error.retry_after, for_good=not error.retryable)
                failed.add(server.number)
                if error.cause != faults.TIMEOUT and servers.others_up(failed):
                    self.failovers += 1
                    earlier.append(Failed(error.cause, error.used))
                    continue
                error.retryable = error.retryable or not servers.all_refuse
                raise
            server.answered()
            return answer

    async def close(self) -> None:
        """Closes the connections."""
        servers, self._servers, self._loop = self._servers, None, None
        if servers is not None:
            await servers.close()

    def _opened(self) -> Servers:
        """The servers, with connections that belong to the running loop."""
        running = asyncio.get_running_loop()
        if self._servers is None or self._loop is not running:
            self._loop = running
            self._servers = Servers(
                [
                    Server(number, address.shown, self._connections(address.url, address.authorization), address.url)
                    for number, address in enumerate(self._addresses)
                ]
                or [self._openai_server()]
            )
            # Dropped without `close`, or at the end of the program, connections are closed all the same.
            weakref.finalize(self, _close_later, self._servers, running)
        return self._servers

    def _openai_server(self) -> Server:
        connections = self._connections(None, None)
        return Server(0, "OpenAI's server", connections, str(connections.base_url))

    def _connections(self, url: str | None, authorization: str | None) -> Any:
        return self._openai.AsyncOpenAI(
            api_key=self._key,
            base_url=url,
            max_retries=0,
            default_headers={"Authorization": authorization} if authorization else None,
            http_client=http_client(),
        )

    async def _ask(
        self, server: Server, messages: Sequence[Message], sampling: Sampling, timeout: float, earlier: list[Failed]
    ) -> Generation:
        constrained = sampling.regex is not None and not self._refused_regex
        try:
            return await asyncio.wait_for(
                self._answer(server, messages, sampling, constrained, timeout, earlier), timeout
            )
        except asyncio.TimeoutError:
            raise CallError(faults.TIMEOUT, f"{server.name} gave no answer within {timeout:g} s") from None

    async def _answer(
        self,
        server: Server,
        messages: Sequence[Message],
        sampling: Sampling,
        constrained: bool,
        timeout: float,
        earlier: list[Failed],
    ) -> Generation:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": list(messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if constrained:
            body["structured_outputs"] = {"regex": sampling.regex}
        known = self._refused[server.number]
        body = without(body, known) if known else body
        refused: list[str] = []
        while True:
            try:
                raw = await self._post(server, body, timeout)
                break
            except CallError as error:
                # A constraint is not always named: asked without it, the server says itself whether that was all.
                parameter = error.parameter or ("structured_outputs" if "structured_outputs" in body else None)
                if error.status not in (400, 422) or parameter is None:
                    raise
                refused.append(parameter)
                earlier.append(Failed(error.cause, error.used))
                body = without(body, refused)
        for parameter in refused:  # only now is it known that they were to blame
            self._learn(server, parameter)
        return read_completion(raw, self._model, self._scrub)

    def _learn(self, server: Server, parameter: str) -> None:
        if parameter == "structured_outputs":
            if not self._refused_regex:
                _log.warning("%s refuses constrained output (structured_outputs); asking without it", server.name)
            self._refused_regex = True
        elif parameter not in self._refused[server.number]:
            _log.warning("%s refuses %s; %s", server.name, parameter, instead(parameter))
            self._refused[server.number].add(parameter)

    async def _post(self, server: Server, body: Mapping[str, Any], timeout: float) -> str:
        openai = self._openai
        try:
            # Not chat.completions.create, which takes as long to check our body and model its own answer as all
            # the rest of a call: the body is plain JSON already, and `read_completion` trusts no answer anyway.
            content: str = await server.client.post(
                server.chat_url, cast_to=str, body=body, options={"timeout": timeout}
            )
            return content
        except openai.APIStatusError as error:
            fault = self._status_error(server, error.status_code, error.response.headers, error.body)
            fault.parameter = refused_parameter(error.body, body)
            raise fault from None
        except openai.APIConnectionError as error:  # its child for timeouts is raised for refused connections too
            root = _root(error)
            if isinstance(root, (asyncio.TimeoutError, openai.APITimeoutError)):
                raise CallError(faults.TIMEOUT, f"{server.name} gave no answer within {timeout:g} s") from None
            why = " ".join(self._scrub(str(root) or type(root).__name__).split())[:200]
            raise CallError(faults.CONNECTION, f"{server.name}: {why}") from None
        except openai.OpenAIError as error:
            raise CallError(faults.BAD_BODY, f"{server.name}: {self._scrub(str(error))[:200]}") from None
        except self._broken as error:
            why = " ".join(self._scrub(str(error)).split())[:200]
            raise CallError(faults.CONNECTION, f"{server.name} does not answer in HTTP: {why}") from None

    def _status_error(self, server: Server, status: int, headers: Mapping[str, str], body: object) -> CallError:
        said = body.get("message", body) if isinstance(body, Mapping) else body
        text = said if isinstance(said, str) else json.dumps(said, default=str)
        message = f"{server.name} answered {status}: {self._scrub(text)[:300]}"
        if status == 429:
            return CallError(faults.RATE_LIMITED, message, retry_after=retry_after(headers), status=status)
        if status >= 500 or status in (408, 409):
            return CallError(faults.SERVER_ERROR, message, retry_after=retry_after(headers), status=status)
        if status in (401, 403):
            message += f"; is {self._key_variable} set to a key of this server?"
        if status in (404, 405) and self._addresses and not _VERSIONED.search(server.name):
            message += f" (is it {server.name}/v1?)"
        return CallError(faults.REFUSED, message, retryable=False, status=status)


def _root(error: BaseException) -> BaseException:
    """What an error goes back to."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _close_later(servers: Servers, running: asyncio.AbstractEventLoop) -> None:
    if not running.is_closed() and os.getpid() == servers.pid:
        loop.later(servers.close())
