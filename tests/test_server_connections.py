"""Connections that speak no HTTP, are slow, half-closed, left or too many; then a request is served as ever."""

import contextlib
import json
import socket
import time

import pytest
from reward_server import GOOD, TOKEN, RewardServer, assert_serves, head, strict_server


@pytest.fixture(scope="module")
def server():
    with strict_server() as running:
        yield running


@pytest.fixture(autouse=True)
def served_as_ever(server):
    yield
    assert_serves(server)


# Bytes that are no HTTP, or come too slowly.


@pytest.mark.parametrize(
    "parts",
    [
        [b"nonsense\r\n\r\n"],
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
        [b"POST /v1/match HTTP/1.1\r\nContent-Length: -1\r\n\r\n"],
        [b"POST /v1/match HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
        [b"POST /v1/match HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        [b"POST /v1/match HTTP/1.1\r\nA B: c\r\n\r\n"],
        [head("/v1/match", None, token=TOKEN, more="Transfer-Encoding: chunked\r\n"), b"zz\r\n"],
    ],
)
def test_no_http(server, parts):
    assert server.raw(*parts)[0] == 400


LONG_HEADS = [b"GET /healthz HTTP/1.1\r\n", *[b"X-A: " + b"b" * 1000 + b"\r\n"] * 66]


@contextlib.contextmanager
def cut(server, why):
    """A connection is cut meanwhile, for a cause."""
    before = len(server.events("connection_cut"))
    yield
    until = time.monotonic() + 30
    while len(found := server.events("connection_cut")) == before:
        assert time.monotonic() < until, "no connection is cut"
        time.sleep(0.01)
    assert found[-1]["why"] == why


@pytest.mark.parametrize("end", [b"", b"Host: localhost\r\n\r\n"])
def test_a_head_that_is_too_long(server, end):
    """With or without its end; the bytes come at once, so that the server has read them all when it refuses."""
    with cut(server, "long_head"):
        assert server.raw(b"".join([*LONG_HEADS, end]))[0] == 431
    assert server.raw(b"".join([*LONG_HEADS[:60], b"Host: localhost\r\n\r\n"]))[0] == 200


def test_a_head_without_end(server):
    """The refusal may be lost with the connection, for the client goes on writing; the cut is not."""
    with cut(server, "long_head"):
        server.raw(LONG_HEADS[0], *LONG_HEADS[1:] * 20)


def drip(server, first, drops, *, pause=0.15, most=60.0):
    """Sends a byte now and then until the server has enough of it; its answer. A server that never has is a timeout."""
    until = time.monotonic() + most
    with socket.create_connection(("127.0.0.1", server.port), timeout=most) as connection:
        connection.sendall(first)
        connection.settimeout(pause)
        while time.monotonic() < until:
            try:
                connection.recv(1, socket.MSG_PEEK)
                break
            except TimeoutError:
                connection.sendall(drops)
        connection.settimeout(pause)
        return server.answer(connection)


@pytest.mark.parametrize("first", [b"", b"POST /v1/match HTTP/1.1\r\nX-A: "])
def test_slow_heads_are_cut(server, first):
    """The time is for the whole head: a byte now and then does not start it anew."""
    assert drip(server, first, b"a" if first else b"\r\n")[0] == 408


def test_a_slow_head_on_a_connection_in_use(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head("/healthz", None, method="GET"))
        assert server.answer(connection)[0] == 200
        connection.sendall(b"GET /healthz HT")
        assert server.answer(connection)[0] == 408


def test_slow_bodies_are_cut(server):
    status, body = drip(server, head("/v1/match", 40_000, token=TOKEN), b" ")
    assert (status, json.loads(body)["error"]) == (408, "slow_body")


def test_half_closed_before_the_body_is_whole(server):
    status, body = server.raw(head("/v1/match", 1000, token=TOKEN), b'{"references"', half_close=True)
    assert status == 400
    assert json.loads(body)["error"] == "cut_body"
    chunked = head("/v1/match", None, token=TOKEN, more="Transfer-Encoding: chunked\r\n")
    status, _ = server.raw(chunked, b"%x\r\n%s\r\n" % (len(GOOD), GOOD), half_close=True)
    assert status == 400


def test_half_closed_in_the_head(server):
    assert server.raw(b"POST /v1/match HT", half_close=True) is None
    assert server.raw(half_close=True) is None


def test_half_closed_after_the_whole_request_is_answered(server):
    status, body = server.raw(head("/v1/match", len(GOOD), token=TOKEN), GOOD, half_close=True)
    assert status == 200
    assert json.loads(body)["errors"] == [None]


def test_clients_that_leave(server):
    for first in (
        b"",
        b"POST",
        head("/v1/match", 40_000, token=TOKEN),
        head("/v1/match", len(GOOD), token=TOKEN) + GOOD,
    ):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(first)


def test_pipelined_requests_are_answered_in_order(server):
    health = head("/healthz", None, method="GET")
    match = head("/v1/match", len(GOOD), token=TOKEN) + GOOD
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(match + health + match + head("/nowhere", None, method="GET", more="Connection: close\r\n"))
        with connection.makefile("rb") as stream:
            found = stream.read()
    assert [int(part.split()[0]) for part in found.split(b"HTTP/1.1 ")[1:]] == [200, 200, 200, 404]


# Connections.


def test_a_client_that_does_not_take_its_answer_is_cut():
    """An answer of 9 MB, of which the client reads nothing, is more than the kernel holds for it."""
    cells = [[number, -1, 0.0] for number in range(1000)]
    body = json.dumps({"references": [["a"] * 1000] * 600, "reasons": [["x"]] * 600, "entries": [cells] * 600}).encode()
    with RewardServer(settings={"write_timeout": 1.0}) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(head("/v1/match", len(body)) + body)
        assert server.event("connection_cut")["why"] == "slow_reader"
        assert server.event("request")["status"] == 200
        assert server.ask("GET", "/healthz")[0] == 200


def test_open_connections_are_bounded_and_idle_ones_end():
    limits = {"max_connections": 5, "idle_timeout": 1.0, "header_timeout": 1.0}
    with RewardServer(settings=limits) as server, contextlib.ExitStack() as stack:

        def connect():
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))

        held = [connect() for _ in range(5)]
        held[0].sendall(head("/healthz", None, method="GET"))
        assert server.answer(held[0])[0] == 200
        assert server.answer(connect()) is None, "the sixth is closed"
        assert server.event("connection_cut")["why"] == "connections"
        assert held[0].recv(1) == b"", "idle after its answer"
        assert [server.answer(one)[0] for one in held[1:]] == [408] * 4, "without a head"
        assert server.ask("GET", "/healthz")[0] == 200
