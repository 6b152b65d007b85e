"""SIGTERM under load: everything accepted is answered, everything new is refused, and then the process ends well."""

import json
import signal
import socket
import threading
import time

import pytest
from judging import RecordingServer, completion
from reward_server import RewardServer, head, world_batch

BODY = json.dumps({"references": [["a"]], "reasons": [["x"]]}).encode()
MATCHED = "<RESULT_START>\n- R1@S1: 0.5\n<RESULT_END>"


class Load:
    """Clients that ask over connections that stay open, until the server is gone; `statuses` of all answers. In the
    body ``CLIENT`` stands for the number of the client.
    """

    def __init__(self, server, path, body, n_clients):
        self.server = server
        self.path = path
        self.statuses = []
        self.threads = [
            threading.Thread(target=self.run, args=(body.replace(b"CLIENT", b"%d" % number),), daemon=True)
            for number in range(n_clients)
        ]
        for thread in self.threads:
            thread.start()

    def wait_for(self, n_answers):
        until = time.monotonic() + 60
        while len(self.statuses) < n_answers:
            assert time.monotonic() < until, f"{len(self.statuses)} answers"
            time.sleep(0.01)

    def join(self):
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()

    def run(self, body):
        request = head(self.path, len(body)) + body
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
                    while True:
                        connection.sendall(request)
                        answer = self.server.answer(connection)
                        if answer is None:
                            break
                        self.statuses.append(answer[0])
                        if answer[0] != 200:
                            break
            except ConnectionRefusedError:
                return
            except ConnectionError:
                continue


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_everything_accepted_is_answered(sent):
    """Eight clients and a judge that takes its time. The server counts what it accepted, the clients what they got.
    Their questions differ and so do the times, so that they never all wait for their next turn at once.
    """

    def slow(number, body):
        time.sleep(0.2 + 0.07 * (number % 8))
        return completion(MATCHED)

    with RecordingServer(slow) as judge, RewardServer("--judge", f"openai:m@{judge.url}") as server:
        load = Load(server, "/v1/match", BODY.replace(b'"a"', b'"CLIENT"'), 8)
        load.wait_for(16)
        server.process.send_signal(sent)
        assert server.ended() == 0
        load.join()
        stopped = server.events("stopped")[0]
    assert load.statuses.count(200) == stopped["accepted"] == stopped["answered"] > 8
    assert set(load.statuses) <= {200, 503}
    assert not stopped["cut"]
    assert server.events("draining")[0]["pending"] > 0, "the signal came while something was under way"


def test_under_fast_load_too():
    """Batches that take a millisecond each, so that the signal meets requests at every stage."""
    batch = world_batch(16, 4)
    body = json.dumps({"texts": batch["texts"], "references": batch["references"], "entries": [[]] * 64}).encode()
    with RewardServer() as server:
        load = Load(server, "/v1/score", body, 6)
        load.wait_for(50)
        server.terminate()
        assert server.ended() == 0
        load.join()
        stopped = server.events("stopped")[0]
    assert load.statuses.count(200) == stopped["accepted"] == stopped["answered"] > 20
    assert set(load.statuses) <= {200, 503}


def test_while_it_drains():
    """Health says so, new requests are told to go elsewhere, and a body under way may still end."""
    arrived, release = threading.Event(), threading.Event()

    def held(number, body):
        arrived.set()
        release.wait(30)
        return completion(MATCHED)

    with RecordingServer(held) as judge, RewardServer("--judge", f"openai:m@{judge.url}") as server:
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as asking,
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as sending,
        ):
            asking.sendall(head("/v1/match", len(BODY)) + BODY)
            sending.sendall(head("/v1/match", len(BODY)) + BODY[:10])
            assert arrived.wait(30)
            while b"rationale_rm_requests_pending 2.0" not in server.ask("GET", "/metrics")[2]:
                time.sleep(0.01)
            server.terminate()
            while server.ask("GET", "/healthz")[0] == 200:
                time.sleep(0.01)
            assert server.ask("GET", "/healthz")[::2] == (503, {"status": "draining"})
            status, headers, answer = server.ask("POST", "/v1/match", BODY)
            assert (status, answer["error"]) == (503, "draining")
            assert headers["retry-after"]
            assert server.process.poll() is None
            sending.sendall(BODY[10:])
            release.set()
            assert server.answer(asking)[0] == 200
            assert server.answer(sending)[0] == 200
        assert server.ended() == 0


def test_the_grace_period_ends():
    """What is not done by then is told so, and the exit code says that not all went well."""
    with RecordingServer(lambda number, body: time.sleep(20) or completion(MATCHED)) as judge:
        options = ["--judge", f"openai:m@{judge.url}", "--grace", "0.5"]
        with (
            RewardServer(*options) as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as asking,
        ):
            asking.sendall(head("/v1/match", len(BODY)) + BODY)
            while b"rationale_rm_requests_pending 1.0" not in server.ask("GET", "/metrics")[2]:
                time.sleep(0.01)
            server.terminate()
            status, body = server.answer(asking)
            assert (status, json.loads(body)["error"]) == (503, "draining")
            assert server.ended() == 1
            assert server.events("stopped")[0]["cut"]


def test_an_open_connection_without_a_request_does_not_hold_it_up():
    with RewardServer() as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as idle:
        idle.sendall(head("/healthz", None, method="GET"))
        assert server.answer(idle)[0] == 200
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as half:
            half.sendall(b"POST /v1/ma")
            server.terminate()
            assert server.ended() == 0
