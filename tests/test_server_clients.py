"""What clients send besides a request: offers of another protocol, and other names for the host."""

import json
import socket
from itertools import pairwise

import pytest
from reward_server import TOKEN, RewardServer, head

BODY = json.dumps({"references": [["a rule"]], "reasons": [["the rule"]]}).encode()
H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
"""As curl --http2 and Java's HttpClient offer it."""


@pytest.fixture(scope="module")
def server():
    with RewardServer() as running:
        yield running
        running.terminate()
        assert running.ended() == 0
        assert not [line for line in running.log if "upgrade" in line["event"].lower() or "WebSocket" in line["event"]]


@pytest.mark.parametrize("sizes", [(), (100,), (1, 40, 300)])
@pytest.mark.parametrize("more", [H2C, "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"])
def test_an_offer_of_another_protocol_is_not_taken(server, sizes, more):
    """The request is answered, and so is the next one on the connection, however the bytes are cut."""
    whole = head("/v1/match", len(BODY), more=more) + BODY
    chunked = head("/v1/match", None, more=f"{more}Transfer-Encoding: chunked\r\n")
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in (whole, chunked, whole):
            for start, end in pairwise([0, *sizes, len(request)]):
                connection.sendall(request[start:end])
            status, body = server.answer(connection)
            assert (status, json.loads(body)["errors"]) == (200, [None])


def test_offers_in_a_row(server):
    """In one chunk, each with its body."""
    offering = head("/v1/match", len(BODY), more=H2C) + BODY
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(offering * 3 + head("/nowhere", 0, more="Connection: close\r\n"))
        with connection.makefile("rb") as stream:
            found = stream.read()
    assert [int(part.split()[0]) for part in found.split(b"HTTP/1.1 ")[1:]] == [200, 200, 200, 404]


def test_an_offer_does_not_open_a_limit(server):
    """What is wrong with a request is as wrong beside an offer."""
    for more in ("Transfer-Encoding: chunked\r\n", "Content-Length: 7\r\n"):
        assert server.raw(head("/v1/match", len(BODY), more=H2C + more) + BODY)[0] == 400
    assert server.raw(head("/v1/match", len(BODY), more=H2C + f"X: {'y' * 70_000}\r\n") + BODY)[0] == 431
    assert server.raw(head("/v1/match", len(BODY), more=H2C) + BODY[:-1], half_close=True)[0] == 400
    assert server.raw(head("/v1/match", 10**9, more=H2C))[0] == 413


def test_a_tunnel_is_not_opened(server):
    assert server.raw(b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 400


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8080", "10.0.0.1", "localhost.evil.example"])
def test_a_name_that_was_made_to_stand_for_this_address(server, name):
    """DNS rebinding: a page's own script asks, of what the browser takes for the page's own host."""
    for method, path, body in (
        *(("POST", path, BODY) for path in ("/v1/rewards", "/v1/score", "/v1/match", "/get_reward")),
        *(("GET", path, None) for path in ("/healthz", "/metrics", "/openapi.json")),
    ):
        status, _, answer = server.ask(method, path, body, headers={"Host": name})
        assert (status, answer["error"]) == (403, "wrong_host")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1:9000", "[::1]:9000"])
def test_names_of_this_machine(server, name):
    assert server.ask("POST", "/v1/match", BODY, headers={"Host": name})[0] == 200


def test_with_a_token_any_name_will_do():
    with RewardServer(token=TOKEN) as server:
        assert server.ask("POST", "/v1/match", BODY, headers={"Host": "rewards.example"})[0] == 200
        assert server.ask("GET", "/healthz", headers={"Host": "rewards.example"})[0] == 200
        assert server.ask("POST", "/v1/match", BODY, token=None, headers={"Host": "localhost"})[0] == 401
