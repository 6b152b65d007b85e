"""A scripted OpenAI-compatible server: ``python -m tests.servers.scripted --port 0 --script '{"faults": 0.3}'``.

Prints one line of JSON with its URL when it is ready. POST ``…/chat/completions`` answers; GET ``/stats`` tells what
was asked, POST ``/reset`` forgets it, POST ``/configure`` changes settings of the script. With ``--with-parent`` it
ends when its standard input does.
"""

import argparse
import asyncio
import contextlib
import email.utils
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, replace

from aiohttp import web

from .script import Script, fault_of
from .transcripts import answer, draw, read_prompt

JSON = "application/json"
CONSTRAINTS = (
    "structured_outputs",
    "response_format",
    "guided_regex",
    "guided_json",
    "guided_choice",
    "guided_grammar",
)
GARBAGE = "As a large language model I would rather talk about the weather. R1 is nice, S2 too: 0.9 of 1."
CREATED = 1_700_000_000
MAX_BODY = 1 << 26


class Stats:
    """What was asked since the last reset."""

    def __init__(self):
        self.requests = self.in_flight = self.peak = self.bytes_in = self.bytes_out = self.repeated = (
            self.constrained
        ) = 0
        self.by_kind = Counter()
        self.by_fault = Counter()
        self.asked = Counter()
        self.answered = set()

    def to_dict(self):
        """`asked`: digest → how often; `repeated`: requests for what had been answered well before."""
        return {
            "requests": self.requests,
            "by_kind": self.by_kind,
            "by_fault": self.by_fault,
            "questions": len(self.asked),
            "answered": len(self.answered),
            "repeated": self.repeated,
            "constrained": self.constrained,
            "peak": self.peak,
            "in_flight": self.in_flight,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "asked": self.asked,
        }


class ScriptedModel:
    """Handles every request of the server."""

    def __init__(self, script):
        self.script = script
        self.stats = Stats()
        self.null_bodies = {}

    async def __call__(self, request):
        path = request.path
        if path.endswith("/chat/completions") and request.method == "POST":
            return await self._chat(request)
        if path == "/stats":
            return self._json(self.stats.to_dict())
        if path == "/reset":
            in_flight = self.stats.in_flight
            self.stats = Stats()
            self.stats.in_flight = in_flight
            return self._json({})
        if path == "/configure":
            try:
                self.script = replace(self.script, **json.loads(await request.read()))
            except (TypeError, ValueError) as error:
                return self._error(400, str(error))
            self.null_bodies.clear()
            return self._json(asdict(self.script))
        if path.endswith("/models"):
            return self._json({"object": "list", "data": [{"id": self.script.model or "scripted", "object": "model"}]})
        return self._error(404, f"there is nothing at {path}")

    async def _chat(self, request):
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.peak = max(stats.peak, stats.in_flight)
        try:
            raw = await request.read()
            stats.bytes_in += len(raw)
            response = await self._respond(request, raw)
            stats.bytes_out += len(response.body or b"")
            return response
        finally:
            self.stats.in_flight -= 1

    async def _respond(self, request, raw):
        script = self.script
        try:
            asked = json.loads(raw)
            model, messages = asked["model"], asked["messages"]
        except (ValueError, KeyError, TypeError):
            return self._error(400, "expected a JSON object with model and messages")
        if script.mode == "null":
            if script.latency:
                await asyncio.sleep(script.latency)
            return web.Response(body=self._null_body(model), content_type=JSON)
        prompt = read_prompt(messages)
        count = self.stats.asked[prompt.digest]
        self.stats.asked[prompt.digest] += 1
        self.stats.by_kind[prompt.kind] += 1
        self.stats.repeated += prompt.digest in self.stats.answered
        constrained = any(asked.get(name) is not None for name in CONSTRAINTS)
        self.stats.constrained += constrained
        fault = fault_of(script, prompt.digest, count)
        wait = script.latency + script.latency_spread * draw("latency", script.seed, prompt.digest, count)
        if wait:
            await asyncio.sleep(wait)
        if script.permanent is not None:
            fault = f"permanent_{script.permanent}"
        elif constrained and script.reject_constraints:
            fault = "rejected_constraints"
        elif script.model not in (None, model):
            fault = "unknown_model"
        self.stats.by_fault[fault or "none"] += 1
        if fault is None:
            self.stats.answered.add(prompt.digest)
        return await self._with(fault, request, asked, prompt, count)

    async def _with(self, fault, request, asked, prompt, count):
        """The answer with its fault."""
        key = request.headers.get("Authorization", "")
        if fault == "permanent_401":
            return self._error(401, f"Incorrect API key provided: {key}")
        if fault in ("permanent_404", "unknown_model"):
            return self._error(404, f"The model {asked['model']!r} does not exist")
        if fault == "rejected_constraints":
            named = next(name for name in CONSTRAINTS if asked.get(name) is not None)
            return self._error(400, f"Unknown parameter: {named}")
        if fault == "rate_limit":
            return self._error(429, "Too many requests", {"Retry-After": f"{self.script.retry_after:g}"})
        if fault == "rate_limit_date":
            date = email.utils.formatdate(int(time.time()) + 1, usegmt=True)
            return self._error(429, "Too many requests", {"Retry-After": date})
        if fault in ("error_500", "error_503"):
            return self._error(int(fault[-3:]), "The server had an error")
        if fault == "echo_error":
            return self._error(500, f"The server had an error in a request with Authorization: {key}")
        if fault == "html":
            page = "<html><head><title>Gateway</title></head><body>Please try again.</body></html>"
            return web.Response(text=page, content_type="text/html")
        if fault == "slow":
            await asyncio.sleep(self.script.slow)
        body = self._completion(fault, asked, prompt, count, key)
        if fault == "truncated_json":
            body = body[: len(body) // 2]
        if fault in ("cut_before", "reset", "cut_middle"):
            transport = request.transport
            if transport is not None and fault == "cut_middle":
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                transport.write(head + body[: len(body) // 2])
            if transport is not None:
                transport.abort() if fault == "reset" else transport.close()
            body = b""  # goes nowhere
        return web.Response(body=body, content_type=JSON)

    def _completion(self, fault, asked, prompt, count, key):
        """The body of a chat completion, with the faults that lie in it."""
        text, finish = answer(prompt), "stop"
        limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
        words = text.split(" ")
        if fault == "cut_answer":
            text, finish = " ".join(words[: len(words) // 2]), "length"
        elif isinstance(limit, int) and len(words) > limit:
            text, finish = " ".join(words[:limit]), "length"
        if fault in ("garbage", "hopeless"):
            text = GARBAGE
        if fault == "echo_answer":
            text = f"I was sent the header Authorization: {key}\n"
        if fault == "malformed_block":
            lines = text.split("\n")
            at = lines.index("<RESULT_START>") if "<RESULT_START>" in lines else -1
            text = "\n".join(lines[: at + 1] + lines[at + 2 :])
        n_words = len(text.split())
        body = {
            "id": f"chatcmpl-{prompt.digest}-{count}",
            "object": "chat.completion",
            "created": CREATED,
            "model": "some-other-model" if fault == "wrong_model" else asked["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": finish,
                }
            ],
            "usage": {
                "prompt_tokens": prompt.n_words,
                "completion_tokens": n_words,
                "total_tokens": prompt.n_words + n_words,
                "prompt_tokens_details": {"cached_tokens": prompt.n_cached},
            },
        }
        if fault == "empty_choices":
            body["choices"] = []
        if fault == "null_content":
            body["choices"][0]["message"]["content"] = None
        return json.dumps(body).encode()

    def _null_body(self, model):
        body = self.null_bodies.get(model)
        if body is None:
            prompt = read_prompt([])
            asked = {"model": model}
            whole = json.loads(self._completion(None, asked, prompt, 0, ""))
            whole["choices"][0]["message"]["content"] = self.script.null_text
            body = self.null_bodies[model] = json.dumps(whole).encode()
        return body

    @staticmethod
    def _json(value):
        return web.Response(body=json.dumps(value).encode(), content_type=JSON)

    @staticmethod
    def _error(status, message, headers=None):
        body = {"error": {"message": message, "type": "scripted", "param": None, "code": None}}
        return web.Response(status=status, body=json.dumps(body).encode(), content_type=JSON, headers=headers)


async def serve(port, script, with_parent):
    """Serves until the process is ended, or its parent is."""
    loop = asyncio.get_running_loop()

    def request(message, payload, protocol, writer, task):
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)

    # The low-level server: routing and middlewares would cost a third of the rate.
    handler = web.Server(ScriptedModel(script), request_factory=request, handler_cancellation=True, access_log=None)
    server = await loop.create_server(handler, "127.0.0.1", port, backlog=4096)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps({"url": f"{url}/v1", "pid": os.getpid()}), flush=True)
    if with_parent:
        await loop.run_in_executor(None, sys.stdin.buffer.read)
    else:
        await asyncio.Event().wait()


def main():
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="{}", help="settings of the script as JSON")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, Script(**json.loads(arguments.script)), arguments.with_parent))


if __name__ == "__main__":
    main()
