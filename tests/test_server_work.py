"""Work that takes a core: it is bounded, it counts until it has ended, and it does not keep the server from ending."""

import json
import signal
import socket
import time

import pytest
from reward_server import WITH_SETTINGS, RewardServer, head

SLOW = f"""
import os, time
from rationale_rm.judge.local import LexicalJudge

plain = LexicalJudge._part

def held(self, requests):
    while any("slow" in text for one in requests for text in one.references) and not os.path.exists(os.environ["DONE"]):
        time.sleep(0.02)
    return plain(self, requests)

LexicalJudge._part = held
{WITH_SETTINGS}
"""
"""A lexical judge whose thread computes until a file is there."""


def lists(n_references, n_reasons, first="a reference"):
    return {"references": [[first] * n_references], "reasons": [["a reason"] * n_reasons]}


@pytest.fixture
def done(tmp_path):
    return tmp_path / "done"


def test_cells_of_a_request_are_bounded():
    """Over all rows that the judge is asked about: equal rows and those without reasons are none."""
    with RewardServer("--max-cells", "12") as server:
        status, _, answer = server.ask("POST", "/v1/match", lists(1, 13))
        assert (status, answer["error"]) == (413, "too_many_cells")
        assert "12" in answer["message"]
        two = {name: [["a", "b"], ["a", "c"]] for name in ("references", "reasons")}
        assert server.post("/v1/match", two)["errors"] == [None, None]
        three = {name: [*two[name], ["a", "d", "e"]] for name in two}
        assert server.ask("POST", "/v1/match", three)[0] == 413
        equal = {name: [["a", "b", "c"]] * 5 for name in two}
        assert server.post("/v1/match", equal)["errors"] == [None] * 5
        text = "<RESULT_START>\nList of reasons:\n1. b\n2. c\nFinal assessment result:\n\\boxed{A>B}\n<RESULT_END>"
        batch = {"texts": [text], "references": [["a"] * 7]}
        assert server.ask("POST", "/v1/score", batch)[0] == 413
        assert server.ask("POST", "/v1/rewards", batch | {"labels": [1]})[0] == 413
        assert server.post("/v1/rewards", batch | {"labels": [-1]})["gated"] == [True], "no judge is asked"
        label = json.dumps({"references": ["a"] * 7, "label": 1})
        assert server.ask("POST", "/get_reward", {"query": [text], "prompts": [""], "labels": [label]})[0] == 413
        assert server.post("/v1/match", lists(4, 30) | {"entries": [[[0, 0, 1.0]]]})["total"] == [1.0]


def cells(server, number):
    """Waits until the judge is at so many."""
    until = time.monotonic() + 60
    while f"rationale_rm_cells_pending {number}.0".encode() not in server.ask("GET", "/metrics")[2]:
        assert time.monotonic() < until, f"never {number} cells under way"
        time.sleep(0.02)


def test_work_that_outlives_its_answer_counts(done):
    """After its 504 the thread goes on: others are told 429 where there is no room beside it, until it has ended."""
    limits = {"request_timeout": 0.5, "max_cells_pending": 16}
    with RewardServer(settings=limits, code=SLOW, DONE=str(done)) as server:
        assert server.ask("POST", "/v1/match", lists(3, 4, "slow"))[0] == 504
        cells(server, 12)
        status, headers, answer = server.ask("POST", "/v1/match", lists(1, 5))
        assert (status, answer["error"]) == (429, "busy")
        assert headers["retry-after"]
        assert server.ask("POST", "/v1/match", lists(2, 2))[0] == 200
        done.touch()
        cells(server, 0)
        assert server.ask("POST", "/v1/match", lists(1, 5))[0] == 200
        server.terminate()
        assert server.ended() == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_the_end_does_not_wait_for_a_thread_that_computes(done, signals):
    """Whether the grace period ends or a second signal comes. Without the end that is made here, it never would."""
    limits = {"grace": 0.5 if signals == 1 else 300.0}
    with (
        RewardServer(settings=limits, code=SLOW, DONE=str(done)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as asking,
    ):
        body = json.dumps(lists(3, 4, "slow")).encode()
        asking.sendall(head("/v1/match", len(body)) + body)
        cells(server, 12)
        server.terminate()
        if signals == 2:
            server.event("draining")
            server.process.send_signal(signal.SIGINT)
        status, answer = server.answer(asking)
        assert (status, json.loads(answer)["error"]) == (503, "draining")
        assert server.ended() == 1
        assert server.event("stopped")["cut"]


def test_nor_for_one_whose_request_was_given_up(done):
    with RewardServer(settings={"request_timeout": 0.2}, code=SLOW, DONE=str(done)) as server:
        assert server.ask("POST", "/v1/match", lists(3, 4, "slow"))[0] == 504
        server.terminate()
        assert server.ended() == 0, "everything accepted was answered"


def test_a_body_that_is_still_to_come_does_not_outlast_the_grace_period():
    with (
        RewardServer("--grace", "0.5", "--body-timeout", "300") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as sending,
    ):
        sending.sendall(head("/v1/match", 100))
        while b"rationale_rm_requests_pending 1.0" not in server.ask("GET", "/metrics")[2]:
            time.sleep(0.02)
        server.terminate()
        assert server.answer(sending)[0] == 503
        assert server.ended() == 1


def large_answer():
    """A request whose answer of 9 MB is more than the kernel holds for a client that reads nothing."""
    entries = [[number, -1, 0.0] for number in range(1000)]
    return json.dumps(
        {"references": [["a"] * 1000] * 600, "reasons": [["x"]] * 600, "entries": [entries] * 600}
    ).encode()


@pytest.mark.parametrize("write_timeout", [2.0, 300.0])
def test_answers_that_nobody_took_are_counted(write_timeout):
    """The drain ends with the client's time, or with a second signal, and the exit code says that not all went well."""
    body = large_answer()
    with RewardServer(settings={"write_timeout": write_timeout}) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(head("/v1/match", len(body)) + body)
        server.event("request")
        server.terminate()
        server.event("draining")
        if write_timeout > 100:
            time.sleep(1)  # past the drain, into the closing of connections
            server.terminate()
        assert server.ended() == 1
        stopped = server.event("stopped")
        assert (stopped["abandoned"], stopped["cut"]) == (1, False)


def test_a_terminal_that_closes_is_a_signal_to_drain(done):
    with (
        RewardServer(code=SLOW, DONE=str(done)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as asking,
    ):
        body = json.dumps(lists(1, 1, "slow")).encode()
        asking.sendall(head("/v1/match", len(body)) + body)
        cells(server, 1)
        server.process.send_signal(signal.SIGHUP)
        server.event("draining")
        done.touch()
        assert server.answer(asking)[0] == 200
        assert server.ended() == 0
