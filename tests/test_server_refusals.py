"""What the reward server must refuse, cleanly: each with its status, and with the next request served as ever."""

import base64
import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_server import GOOD, TOKEN, assert_serves, head, strict_server


@pytest.fixture(scope="module")
def server():
    with strict_server() as running:
        yield running


@pytest.fixture(autouse=True)
def served_as_ever(server):
    yield
    assert_serves(server)


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
