"""A reward server as a process, and ways to speak to it: JSON over HTTP, and raw bytes."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPResponse

from judging import environment
from rationale_rm import world

TOKEN = "token-of-the-tests-0123456789"
WITH_SETTINGS = """
import json, sys
from rationale_rm.rewards import RewardSettings
from rationale_rm.server import ServerSettings
from rationale_rm.server.run import serve
sys.exit(serve(ServerSettings(port=0, **json.loads(sys.argv[1])), RewardSettings()))
"""


GOOD = json.dumps({"references": [["a rule"]], "reasons": [["the rule"]]}).encode()
"""A body that ``/v1/match`` serves."""
LIMITS = (
    *("--max-body", "0.05", "--max-rows", "8", "--max-text", "1000"),
    *("--header-timeout", "1", "--body-timeout", "1", "--grace", "5"),
)


class RewardServer:
    """``rationale-rm serve`` on a free port: ``with RewardServer("--max-rows", "8") as server``; `log` is its log.

    `settings` are `ServerSettings` that the command line has no options for, `code` a program that takes them as JSON.
    """

    def __init__(self, *options, token=None, settings=None, code=WITH_SETTINGS, **env):
        self.command = [sys.executable, "-m", "rationale_rm", "serve", "--port", "0", *options]
        if settings is not None or code is not WITH_SETTINGS:
            self.command = [sys.executable, "-c", code, json.dumps(settings or {})]
        self.env = environment(RATIONALE_RM_TOKEN=token, RATIONALE_RM_REWARD=None, **env)
        self.token = token
        self.log = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True, env=self.env)
        self.port = self.next_line()["port"]
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()

    def next_line(self):
        line = self.process.stderr.readline()
        assert line.startswith("{"), line + self.process.stderr.read()
        self.log.append(json.loads(line))
        return self.log[-1]

    def _read(self):
        for line in self.process.stderr:
            self.log.append(json.loads(line))

    def terminate(self):
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self):
        """Waits for the end; the exit code."""
        code = self.process.wait(60)
        self.reader.join()
        return code

    def events(self, name):
        return [line for line in self.log if line["event"] == name]

    def event(self, name, seconds=30):
        """The first line of a name, which may be on its way."""
        until = time.monotonic() + seconds
        while not (found := self.events(name)):
            assert time.monotonic() < until, f"the log has no {name}"
            time.sleep(0.02)
        return found[0]

    def connection(self):
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, *, headers=None, token=...):
        """Status, headers and the answer, decoded where it is JSON."""
        shown = self.token if token is ... else token
        sent = {} if body is None else {"Content-Type": "application/json"}
        sent |= {} if shown is None else {"Authorization": f"Bearer {shown}"}
        sent |= headers or {}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, sent)
            response = connection.getresponse()
            found = response.read()
        kind = response.headers.get("content-type", "")
        return response.status, response.headers, json.loads(found) if kind == "application/json" else found

    def post(self, path, body, **options):
        """The answer to a request that must be served."""
        status, _, answer = self.ask("POST", path, body, **options)
        assert status == 200, (status, answer)
        return answer

    def raw(self, *parts, half_close=False, timeout=30):
        """The status and the body of what comes back for some bytes; None where the connection is closed without."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            with contextlib.suppress(ConnectionError):  # the server had enough of it; its answer may be there
                for part in parts:
                    connection.sendall(part)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            return self.answer(connection)

    @staticmethod
    def answer(connection):
        response = HTTPResponse(connection)
        try:
            response.begin()
            return response.status, response.read()
        except (ConnectionError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            return None
        finally:
            response.close()

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def strict_server():
    """A server with `LIMITS` and a token. It outlives what the tests do to it, and answers all that it accepted."""
    with RewardServer(*LIMITS, token=TOKEN) as running:
        yield running
        assert running.process.poll() is None, "the server has ended"
        running.terminate()
        assert running.ended() == 0
        assert not running.events("exception")
        assert running.events("stopped")[0]["accepted"] == running.events("stopped")[0]["answered"]


def assert_serves(server):
    """A request is served, and none is left under way."""
    assert server.post("/v1/match", GOOD)["errors"] == [None]
    assert b"rationale_rm_requests_pending 0.0" in server.ask("GET", "/metrics")[2]


def head(path, length, *, method="POST", token=None, more=""):
    """The head of a request."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    size = "" if length is None else f"Content-Length: {length}\r\n"
    fields = f"Host: localhost\r\nContent-Type: application/json\r\n{shown}{size}{more}"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode()


def world_batch(n_pairs=12, n_answers=4, seed=0):
    """Answers of careful and shallow annotators of the synthetic world, in either order, some of them malformed."""
    rng = random.Random(seed)
    careful, shallow = world.AnnotatorSettings(careful=1.0), world.AnnotatorSettings(careful=0.0)
    batch = {"texts": [], "references": [], "labels": [], "groups": [], "swapped": []}
    for number, pair in enumerate(world.pairs(world.WorldSettings(seed=seed), "train", n_pairs)):
        swapped = number % 2 == 1
        for at in range(n_answers):
            text = world.demonstrate(pair, careful if at % 2 else shallow, rng, swapped=swapped)
            batch["texts"].append(text if at < 3 or number % 3 else text[: len(text) // 2])
            batch["references"].append(list(pair.references))
            batch["labels"].append(pair.label if number % 5 else None)
            batch["groups"].append(number)
            batch["swapped"].append(swapped)
    return batch
