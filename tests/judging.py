"""What the tests of judges share: requests with known answers, a client without a network, a server that remembers."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rationale_rm import prompts
from rationale_rm.engine import Generation, Sampling
from rationale_rm.judge import Question
from rationale_rm.types import MatchRequest
from records import pair, write
from servers.transcripts import best

KEY = "sk-planted-0123456789abcdef"
GOOD = "<RESULT_START>\n- R1@S1: 0.5\n<RESULT_END>"


def request(number=0, *, n_references=2, n_reasons=3, **changes):
    """A request that no other number shares a text with."""
    fields = {
        "id": f"q{number}",
        "critique_id": f"q{number}/c",
        "pair_id": f"p{number}",
        "model": "m",
        "references": tuple(f"human reason {n} about case {number}" for n in range(n_references)),
        "reasons": tuple(f"model reason {n} about case {number}" for n in range(n_reasons)),
    }
    return MatchRequest(**(fields | changes))


def expected(asked):
    """The cells that the scripted server's own function gives a request."""
    reasons = [prompts.neutralise(text) for text in asked.reasons]
    found = [best(prompts.neutralise(text), reasons) for text in asked.references]
    return tuple((reference, reason - 1, float(score)) for reference, (reason, score) in enumerate(found))


def question(name="q", *, check=lambda text: None, prompt=None, **sampling):
    """A question whose key is its name."""
    key = {"ask": "test", "name": name}
    message = {"role": "user", "content": f"Question {name}."}
    return Question(
        key=key,
        prompt=prompt or (lambda call: prompts.Prompt(messages=(message,), template="test")),
        sampling=Sampling(**({"max_tokens": 16} | sampling)),
        check=check,
    )


class LocalClient:
    """A client in this process. `answer(messages, sampling, number)` returns a text or a `Generation`, raises, or is a
    coroutine function; the number counts calls from 0.
    """

    def __init__(self, answer=lambda messages, sampling, number: "fine", *, model="local", constrains=False):
        self.answer = answer
        self.name = f"test:{model}"
        self.model = model
        self.constrains = constrains
        self.calls = []
        self.under_way = 0
        self.peak = 0
        self.closed = 0

    async def complete(self, messages, sampling, *, timeout):
        """One answer."""
        number = len(self.calls)
        self.calls.append((messages, sampling, timeout))
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            found = self.answer(messages, sampling, number)
            if asyncio.iscoroutine(found):
                found = await found
        finally:
            self.under_way -= 1
        if isinstance(found, Generation):
            return found
        return Generation(text=found, finish_reason="stop", prompt_tokens=10, completion_tokens=3)

    async def close(self):
        """Counts."""
        self.closed += 1


async def ask(caller, questions):
    """Answers by number."""
    answers = {}

    def keep(number, answer):
        assert number not in answers
        answers[number] = answer

    await caller.ask(questions, keep)
    return answers


def completion(text=GOOD, *, model="m", usage=(10, 3), finish="stop", **changes):
    """A chat completion."""
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    } | changes


class RecordingServer:
    """A server that remembers what it was sent: ``with RecordingServer(answer) as server``.

    `answer(number, body)` returns a chat completion (dict), bytes, or (status, headers, dict or bytes); the number
    counts requests from 0. It runs in a thread of the request.
    """

    def __init__(self, answer=lambda number, body: completion()):
        self.answer = answer
        self.times = []
        self.bodies = []
        self.headers = []
        self.paths = []
        self.under_way = 0
        self.peak = 0
        self.lock = threading.Lock()
        self.spent = []
        """The `usage` of every answer."""

    def __enter__(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                with owner.lock:
                    number = len(owner.times)
                    owner.times.append(time.monotonic())
                    owner.paths.append(self.path)
                    owner.bodies.append(json.loads(raw))
                    owner.headers.append({name.lower(): value for name, value in self.headers.items()})
                    owner.under_way += 1
                    owner.peak = max(owner.peak, owner.under_way)
                try:
                    found = owner.answer(number, owner.bodies[number])
                finally:
                    with owner.lock:
                        owner.under_way -= 1
                status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
                if isinstance(body, dict):
                    with owner.lock:
                        owner.spent.append(body.get("usage"))
                    body = json.dumps(body).encode()
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in {"Content-Type": "application/json", **headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def handle_one_request(self):
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()
                    return
                self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def pairs_file(path, count, *, first=0, **changes):
    """JSON Lines of pairs with the reasons of a model m."""
    rows = []
    for number in range(first, first + count):
        asked = request(number)
        fields = {
            "id": asked.id,
            "context": [{"role": "user", "content": f"Case {number}."}],
            "response1": f"The first response to case {number}.",
            "response2": f"The second response to case {number}.",
            "human-checklist": list(asked.references),
            "m-checklist": list(asked.reasons),
            "m-label": "A>B",
        }
        rows.append(pair(**(fields | changes)))
    return write(path, *rows)


def environment(**changes):
    """That of a user who has no key, and a cache folder of the test's own; a change to None takes a variable out."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "XDG", "PYTHONW"))}
    found |= {"PYTHONUNBUFFERED": "1", "COLUMNS": "100", "NO_COLOR": "1"}
    for name, value in changes.items():
        found.pop(name, None)
        if value is not None:
            found[name] = value
    return found


COMMAND = [sys.executable, "-m", "rationale_rm"]


def run(*arguments, code=0, env=None, **options):
    """Runs the program, checks its exit code and that there is no traceback; its output."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env or environment(),
        timeout=240,
        **options,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def records_of(path):
    """Records of an output file by id: the last one counts."""
    found = {}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            found.pop(record["id"], None)
            found[record["id"]] = record
    return dict(sorted(found.items()))
