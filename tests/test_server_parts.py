"""Parts of the reward server on their own: decoding, tokens, settings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.server import ServerSettings, is_loopback, read_token
from rationale_rm.server.codec import decode, decoder
from rationale_rm.server.guard import check_host, check_token
from rationale_rm.server.judge import without_address
from rationale_rm.server.problems import Problem
from rationale_rm.server.schema import MatchRequest

READ = decoder(MatchRequest)


@given(st.lists(st.lists(st.text(st.characters(), max_size=5), max_size=3), max_size=3))
def test_any_text_comes_through(lists):
    """Half surrogate pairs included, whichever of the two readers takes them."""
    found = decode(json.dumps({"references": [], "reasons": lists}).encode(), READ)
    assert found.reasons == lists


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_as_a_problem(body):
    with pytest.raises(Problem) as caught:
        decode(body, READ)
    assert caught.value.status in (400, 422)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("::ffff:127.0.0.1", True),
     ("LocalHost", True), ("::ffff:10.0.0.1", False),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_loopback(host, is_one):
    assert is_loopback(host) is is_one


@pytest.mark.parametrize(
    "token", ["", "short", "a" * 15, "with a space in it", "ümläute-sind-keine", "line\nbreak-in-a-token"]
)
def test_tokens_that_are_none(token):
    with pytest.raises(RationaleError) as caught:
        ServerSettings(token=token)
    assert not token or token not in str(caught.value)


def test_limits_must_be_positive():
    for changes in ({"max_rows": 0}, {"grace": float("nan")}, {"body_timeout": float("inf")}, {"port": -1}):
        with pytest.raises(RationaleError, match=next(iter(changes))):
            ServerSettings(**changes)


def test_settings_do_not_show_their_token():
    assert "secret" not in repr(ServerSettings(token="secret-0123456789"))


def test_a_token_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("RATIONALE_RM_TOKEN", raising=False)
    assert read_token() is None
    monkeypatch.setenv("RATIONALE_RM_TOKEN", " from-the-environment ")
    assert read_token() == "from-the-environment"
    (tmp_path / "token").write_text("")
    with pytest.raises(RationaleError, match="no token"):
        read_token(path=str(tmp_path / "token"))


@given(st.text(max_size=40))
def test_no_header_but_the_token_opens(shown):
    with pytest.raises(Problem) as caught:
        check_token(shown, "token-0123456789-token")
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "127.8.0.1", "[::1]", "[::1]:8080"],
)
def test_hosts_of_this_machine(host):
    check_host([host])


@pytest.mark.parametrize(
    "host",
    [
        *("", ":80", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("10.0.0.1", "0.0.0.0", "2130706433", "[evil.example]", "x@localhost", "localhost/", "localhost\n"),
        *("localhost:80:80", "[::1", "::1", "[::1]x"),
    ],
)
def test_hosts_of_others(host):
    with pytest.raises(Problem) as caught:
        check_host([host])
    assert caught.value.status == 403


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["local", "host"]])
def test_one_host_and_no_more(hosts):
    with pytest.raises(Problem):
        check_host(hosts)


@pytest.mark.parametrize(
    ("error", "answered"),
    [
        (None, None),
        ("malformed: reference_out_of_range (attempt 2 of 2)", "malformed: reference_out_of_range (attempt 2 of 2)"),
        ("connection: http://10.0.0.5:9: cannot connect to ('10.0.0.5', 9)", "connection: the judge gave no answer"),
        ("refused: http://a.internal:9 answered 400: no such model", "refused: the judge answered 400"),
        ("budget: time spent; the last: server_error: http://a answered 503: b", "budget: the judge answered 503"),
    ],
)  # fmt: skip
def test_errors_tell_the_cause_and_not_the_address(error, answered):
    assert without_address(error) == answered
