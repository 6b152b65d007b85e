"""More work than the server takes on: what waits is bounded, and what takes too long is given up."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from judging import RecordingServer, completion
from reward_server import GOOD, RewardServer


def pending(server, what, number):
    """Waits until so much is under way."""
    until = time.monotonic() + 60
    while f"rationale_rm_{what}_pending {number}.0".encode() not in server.ask("GET", "/metrics")[2]:
        assert time.monotonic() < until, f"never {number} {what} under way"
        time.sleep(0.02)


@contextlib.contextmanager
def held(*options):
    """A server whose judge answers when the event is set."""
    release = threading.Event()

    def answer(number, body):
        release.wait(60)
        return completion("<RESULT_START>\n- R1@S1: 0.5\n<RESULT_END>")

    with RecordingServer(answer) as judge, RewardServer("--judge", f"openai:m@{judge.url}", *options) as server:
        yield server, release


def test_back_pressure():
    """More requests than the limit are told to come back, those accepted are answered, and then there is room again."""
    with held("--max-pending", "4") as (server, release), ThreadPoolExecutor(4) as pool:

        def ask(number):
            body = {"references": [[f"reference {number}"]], "reasons": [["a reason"]]}
            return server.ask("POST", "/v1/match", body)

        accepted = [pool.submit(ask, number) for number in range(4)]
        pending(server, "requests", 4)
        for number in range(4, 10):
            status, headers, answer = ask(number)
            assert (status, answer["error"]) == (429, "busy")
            assert int(headers["retry-after"]) >= 1
        assert server.ask("GET", "/healthz")[0] == 200
        release.set()
        assert [(status, answer["total"]) for status, _, answer in (one.result() for one in accepted)] == [
            (200, [0.5])
        ] * 4
        assert ask(10)[0] == 200


def test_rows_under_way_are_bounded():
    with held("--max-rows-pending", "3") as (server, release), ThreadPoolExecutor(1) as pool:

        def ask(rows):
            return server.ask("POST", "/v1/match", {"references": [["a"]] * rows, "reasons": [["x"]] * rows})[0]

        accepted = pool.submit(ask, 2)
        pending(server, "rows", 2)
        assert ask(2) == 429
        release.set()
        assert accepted.result() == 200
        assert ask(5) == 200, "a batch that is alone is served, whatever its size"


def test_a_request_that_takes_too_long():
    with RecordingServer(lambda number, body: time.sleep(5) or completion()) as judge:
        options = ["--judge", f"openai:m@{judge.url}", "--request-timeout", "0.5"]
        with RewardServer(*options) as server:
            status, _, answer = server.ask("POST", "/v1/match", GOOD)
            assert (status, answer["error"]) == (504, "timeout")
            assert b"rationale_rm_requests_pending 0.0" in server.ask("GET", "/metrics")[2]
