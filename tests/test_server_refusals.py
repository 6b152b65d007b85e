"""What the reward server must refuse, cleanly: each with its status, and with the next request served as ever."""

import base64
import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import RecordingServer, completion, environment, run
from reward_server import TOKEN, WITH_SETTINGS, RewardServer, head

GOOD = json.dumps({"references": [["a rule"]], "reasons": [["the rule"]]}).encode()
BROKEN = f"""
from rationale_rm.judge.local import LexicalJudge

async def match(self, requests, on_result=None):
    raise ZeroDivisionError(requests)

LexicalJudge.match = match
{WITH_SETTINGS}
"""
LIMITS = [
    *("--max-body", "0.05", "--max-rows", "8", "--max-text", "1000"),
    *("--header-timeout", "1", "--body-timeout", "1", "--grace", "5"),
]


@pytest.fixture(scope="module")
def server():
    with RewardServer(*LIMITS, token=TOKEN) as running:
        yield running
        assert running.process.poll() is None, "the server has ended"
        running.terminate()
        assert running.ended() == 0
        assert not running.events("exception")
        assert running.events("stopped")[0]["accepted"] == running.events("stopped")[0]["answered"]


@pytest.fixture(autouse=True)
def served_as_ever(server):
    yield
    assert server.post("/v1/match", GOOD)["errors"] == [None]
    assert b"rationale_rm_requests_pending 0.0" in server.ask("GET", "/metrics")[2]


# Who may ask.


@pytest.mark.parametrize("path", ["/v1/rewards", "/v1/score", "/v1/match", "/get_reward"])
@pytest.mark.parametrize(
    "shown",
    [
        *(None, "Bearer", "Bearer ", "Bearer wrong-token-0123456789", f"Bearer {TOKEN}x", f"Digest {TOKEN}", TOKEN),
        *("Basic ???", "Basic " + base64.b64encode(b"user:wrong").decode(), "Bearer \xe9\xff"),
    ],
)
def test_without_the_token_nothing_is_scored(server, path, shown):
    headers = {} if shown is None else {"Authorization": shown}
    status, found, answer = server.ask("POST", path, GOOD, token=None, headers=headers)
    assert (status, answer["error"]) == (401, "unauthorised")
    assert found["www-authenticate"].startswith("Bearer")
    assert TOKEN not in json.dumps(answer)


def test_what_the_token_guards(server):
    for path in ("/metrics", "/openapi.json"):
        assert server.ask("GET", path, token=None)[0] == 401
        assert server.ask("GET", path)[0] == 200
    assert server.ask("GET", "/healthz", token=None)[0] == 200


def test_a_url_can_carry_the_token(server):
    shown = "Basic " + base64.b64encode(f"_:{TOKEN}".encode()).decode()
    assert server.ask("POST", "/v1/match", GOOD, token=None, headers={"Authorization": shown})[0] == 200
    assert server.ask("POST", "/v1/match", GOOD, token=None, headers={"Authorization": f"bearer {TOKEN}"})[0] == 200


def test_a_body_is_not_awaited_from_those_who_may_not_ask(server):
    """The refusal comes at the head, while the body is still to come."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head("/v1/match", 40_000))
        assert server.answer(connection)[0] == 401


# How much.


def test_oversized_by_its_head(server):
    status, body = server.raw(head("/v1/match", 10**9, token=TOKEN))
    assert status == 413
    assert json.loads(body)["error"] == "too_large"
    status, _ = server.raw(head("/v1/match", "9" * 400, token=TOKEN))
    assert status == 400, "no length at all to an HTTP parser"


def test_oversized_all_of_it(server):
    """The whole body is sent before the answer is read: the client must still come to read it."""
    for size in (60_000, 4_000_000):
        status, _, answer = server.ask("POST", "/v1/match", b"x" * size)
        assert (status, answer["error"]) == (413, "too_large")


def test_oversized_in_chunks(server):
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    request = head("/v1/match", None, token=TOKEN, more="Transfer-Encoding: chunked\r\n")
    status, body = server.raw(request, *[chunk] * 20)
    assert status == 413
    assert json.loads(body)["error"] == "too_large"


def test_chunks_that_fit(server):
    request = head("/v1/match", None, token=TOKEN, more="Transfer-Encoding: chunked\r\n")
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:7], GOOD[7:])]
    status, body = server.raw(request, *parts, b"0\r\n\r\n")
    assert status == 200
    assert json.loads(body)["errors"] == [None]


def test_too_many_rows(server):
    status, _, answer = server.ask("POST", "/v1/match", {"references": [["a"]] * 9, "reasons": [["b"]] * 9})
    assert (status, answer["error"]) == (413, "too_many_rows")


LONG = "x" * 1001


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/match", {"references": [["a", LONG]], "reasons": [["b"]]}, "references[0][1]"),
        ("/v1/match", {"references": [["a"]], "reasons": [[LONG]]}, "reasons[0][0]"),
        ("/v1/match", {"references": [["a"] * 1025], "reasons": [["b"]]}, "references[0]"),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [[[0, 0, 1]] * 1025]}, "entries[0]"),
        ("/v1/score", {"texts": [None, LONG], "references": [["a"]] * 2}, "texts[1]"),
        ("/v1/score", {"texts": ["t"], "references": [["a"]], "judge_answers": [[LONG]]}, "judge_answers[0][0]"),
        ("/v1/rewards", {"texts": [LONG], "references": [["a"]], "labels": [1]}, "texts[0]"),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [1], "ids": [LONG]}, "ids[0]"),
        ("/get_reward", {"query": [LONG], "prompts": ["p"], "labels": ["{}"]}, "query[0]"),
    ],
)
def test_too_long(server, path, body, place):
    status, _, answer = server.ask("POST", path, body)
    assert (status, answer["error"]) == (422, "invalid")
    assert place in answer["message"]


# What is no request.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (GOOD + b" and more", 400),
        (GOOD.replace(b"rule", b"\xff"), 400),
        (b"\xef\xbb\xbf" + GOOD, 400),
        (GOOD.decode().encode("utf-16"), 400),
        (GOOD[:-1] + b', "entries": [[[0, 0, NaN]]]}', 400),
        (GOOD[:-1] + b', "entries": [[[0, 0, -Infinity]]]}', 400),
        (GOOD.replace(b"a rule", b"\\ud800")[:-1] + b', "entries": [[[0, 0, NaN]]]}', 400),
        (GOOD.replace(b"rule", b"\x00"), 400),
        (b"[" * 40_000, 422),
        (b'{"x": ' + b"[" * 40_000, 422),
        (b"[" * 40_000 + b'"\\ud800"', 422),
        (b'"\\ud800' + b"[" * 40_000, 400),
        (GOOD.replace(b"a rule", b"\\ud800")[:-1] + b', "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
        (GOOD.replace(b"a rule", b"\\ud800")[:-1] + b', "entries": [[[' + b"9" * 5000 + b", 0, 1]]]}", 400),
        (GOOD[:-1] + b', "entries": [[[0, 0, ' + b"9" * 5000 + b"]]]}", 422),
        (GOOD[:-1] + b', "entries": [[[0, 0, 1e999]]]}', 422),
    ],
)
def test_no_json(server, body, status):
    found, _, answer = server.ask("POST", "/v1/match", body)
    assert (found, answer["error"]) == (status, "bad_json" if status == 400 else "invalid")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/match", []),
        ("/v1/match", None),
        ("/v1/match", {}),
        ("/v1/match", {"references": [["a"]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "reson": 1}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"], ["c"]]}),
        ("/v1/match", {"references": ["a"], "reasons": [["b"]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [[None]]}),
        ("/v1/match", {"references": [["\ud800"]], "reasons": [["b"]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "\udc00": 1}),
        ("/v1/rewards", {"\ud800": ["t"]}),
        ("/get_reward", {"query": ["q"], "prompts": ["q"], "labels": ['{"\\ud800": 1}']}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [[[0, 0, 1.5]]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [[[0, 0]]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [[[-1, 0, 1]]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [[[2**31, 0, 1]]]}),
        ("/v1/match", {"references": [["a"]], "reasons": [["b"]], "entries": [None], "judge_answers": [[]]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [3]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [10**30]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [1.5]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [True]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": ["A>B"]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [1], "groups": [2**63]}),
        ("/v1/rewards", {"texts": ["t"], "references": [["a"]], "labels": [1], "lengths": [-(2**70)]}),
        ("/get_reward", {"query": ["q"], "prompts": ["q"], "labels": [{"references": ["a"]}]}),
    ],
    ids=str,
)
def test_json_of_another_form(server, path, body):
    status, _, answer = server.ask("POST", path, json.dumps(body))
    assert (status, answer["error"]) == (422, "invalid")
    assert len(answer["message"]) < 500


any_text = st.text(st.characters(), max_size=8)  # half surrogate pairs included, in names as in values
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["/v1/rewards", "/v1/score", "/v1/match", "/get_reward"]),
    st.dictionaries(
        st.sampled_from(
            [
                "texts",
                "references",
                "labels",
                "reasons",
                "entries",
                "judge_answers",
                "groups",
                "swapped",
                "query",
                "prompts",
            ]
        )
        | any_text,
        json_values | st.lists(json_values, max_size=2),
        max_size=6,
    ),
)
def test_any_json_is_answered(server, path, body):
    """Surrogates, NaN literals and numbers of any size are among them."""
    status, _, answer = server.ask("POST", path, json.dumps(body))
    assert status in (200, 400, 413, 422), answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "APPLICATION/JSON; charset=utf-8"}, 200),
    ],
)
def test_content_types(server, headers, status):
    """A page in a browser can send text/plain to this machine, but application/json only with leave."""
    assert server.ask("POST", "/v1/match", GOOD, headers=headers)[0] == status


def test_wrong_methods_and_paths(server):
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        status, headers, answer = server.ask(method, "/v1/match", GOOD)
        assert (status, answer["error"]) == (405, "wrong_method")
        assert headers["allow"] == "POST"
    assert server.ask("POST", "/healthz", GOOD)[0] == 405
    for path in ("/", "/v1", "/v1/match/", "/v1/%6datch%00", "/../etc/passwd", "/v1/match?x=" + "y" * 3000):
        assert server.ask("POST", path, GOOD)[0] in (404, 200 if "?" in path else 404)


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


# Too much at once.


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


# Starting.


@pytest.mark.parametrize(
    ("options", "env", "message"),
    [
        (["--host", "0.0.0.0"], {}, "RATIONALE_RM_TOKEN"),
        (["--host", "::"], {}, "--token-file"),
        (["--host", "example.org"], {}, "token"),
        (["--host", "0.0.0.0"], {"RATIONALE_RM_TOKEN": "short"}, "16 and more"),
        (["--token-env", "NOT_SET"], {}, "NOT_SET holds no token"),
        (["--token-file", "no/such/file"], {}, "no/such/file"),
        (["--token-file", "f", "--token-env", "E"], {}, "exclude"),
        (["--set", "mdoe=sum"], {}, "did you mean mode"),
        (["--set", "mode"], {}, "NAME=VALUE"),
        (["--set", "weight=2"], {}, "weight"),
        (["--judge", "nobody"], {}, "nobody"),
        (["--reward", "no/such/file.json"], {}, "no/such/file.json"),
        (["--request-timeout", "nan"], {}, "request_timeout"),
        (["--max-body", "inf"], {}, "--max-body is inf"),
        (["--max-body", "nan"], {}, "--max-body is nan"),
        (["--max-body", "1e300"], {}, "--max-body is 1e+300"),
        ([], {"RATIONALE_RM_REWARD": "{"}, "RATIONALE_RM_REWARD"),
    ],
    ids=str,
)
def test_what_it_does_not_start_with(options, env, message):
    done = run("serve", *options, code=2, env=environment(**({"RATIONALE_RM_TOKEN": None} | env)))
    assert message in done.stderr
    assert "short" not in done.stderr


def test_a_token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    with RewardServer("--token-file", str(path)) as running:
        assert running.ask("POST", "/v1/match", GOOD)[0] == 401
        assert running.ask("POST", "/v1/match", GOOD, token=TOKEN)[0] == 200


def test_an_address_that_is_taken(server):
    done = run("serve", "--port", str(server.port), code=1, env=environment())
    assert "address already in use" in done.stderr


def test_a_fault_of_the_server_is_answered_and_named():
    """A judge that breaks its contract: the client gets 500 and an id, the log the place, and the server goes on."""
    with RewardServer(code=BROKEN) as server:
        status, headers, answer = server.ask("POST", "/v1/match", GOOD)
        assert (status, answer["error"]) == (500, "internal")
        fault = server.event("exception")
        assert (fault["id"], fault["error"]) == (headers["x-request-id"], "ZeroDivisionError")
        assert any("match" in place for place in fault["at"])
        assert "a rule" not in json.dumps(server.log)
        assert server.ask("GET", "/healthz")[0] == 200
        assert b"rationale_rm_requests_pending 0.0" in server.ask("GET", "/metrics")[2]
