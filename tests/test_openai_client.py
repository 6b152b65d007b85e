"""The client of OpenAI-compatible servers: what is sent, what is read, what each fault becomes, several servers."""

import asyncio
import base64
import contextlib
import email.utils
import gc
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import GOOD, KEY, LocalClient, RecordingServer, ask, completion, question
from rationale_rm import prompts
from rationale_rm.engine import Generation, Sampling
from rationale_rm.judge import Caller, CallError, EngineClient, Limits, OpenAIClient, loop
from rationale_rm.judge.address import Scrubber, read_address
from rationale_rm.judge.hub import check_folder
from rationale_rm.judge.local import EmbeddingJudge
from rationale_rm.judge.spec import Spec, open_client, parse_spec
from rationale_rm.judge.wire import read_completion, retry_after, same_model
from servers import FAULTS, ScriptedServer

MESSAGES = ({"role": "user", "content": "Hello."},)
PLAIN = Sampling(max_tokens=64, temperature=0.25, top_p=0.9, seed=5)
CONSTRAINED = Sampling(max_tokens=64, regex="[a-z]+")


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in list(os.environ):
        if name.startswith("OPENAI"):
            monkeypatch.delenv(name)


def client_of(*servers, model="m", **options):
    return OpenAIClient(model, [server if isinstance(server, str) else server.url for server in servers], **options)


def complete(client, sampling=PLAIN, *, timeout=10, messages=MESSAGES):
    return loop.run(client.complete(messages, sampling, timeout=timeout))


def fault(client, **options):
    with pytest.raises(CallError) as caught:
        complete(client, **options)
    return caught.value


def dead_url():
    """A port where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/v1"


# What is sent and read.


def test_the_request_and_the_answer():
    details = {"prompt_tokens": 70, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 64}}
    with RecordingServer(lambda number, body: completion("Fine.", usage=(70, 9)) | {"usage": details}) as server:
        client = client_of(server)
        answer = complete(client)
        assert answer == Generation(
            text="Fine.", finish_reason="stop", prompt_tokens=70, completion_tokens=9, cached_tokens=64
        )
        complete(client, CONSTRAINED)
    assert server.bodies[0] == {
        "model": "m",
        "messages": list(MESSAGES),
        "temperature": 0.25,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": 5,
    }
    assert server.bodies[1]["structured_outputs"] == {"regex": "[a-z]+"}
    assert "seed" not in server.bodies[1]
    assert server.headers[0]["authorization"] == "Bearer EMPTY"


def test_the_key_goes_into_the_header(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with RecordingServer() as server:
        complete(client_of(server, key_variable="MY_KEY"))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(server.bodies)


def test_user_and_password_go_into_the_header_alone():
    with RecordingServer() as server:
        url = server.url.replace("http://", "http://us%40er:p%2Fass%3Aword@")
        client = client_of(url)
        complete(client)
        assert client.name == f"openai:m@{server.url}"
    want = base64.b64encode(b"us@er:p/ass:word").decode()
    assert server.headers[0]["authorization"] == f"Basic {want}"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "bad_body"),
        (b"<html>", "bad_body"),
        (b"\xff\xfe", "bad_body"),
        (b"[" * 100_000, "bad_body"),
        (b"null", "bad_body"),
        (b'"text"', "bad_body"),
        (b"{}", "bad_body"),
        (b'{"error": {"message": "no"}}', "bad_body"),
        (json.dumps(completion())[:-20].encode(), "bad_body"),
        (completion(choices={}), "bad_body"),
        (completion(choices=[None]), "bad_body"),
        (completion(choices=[{"message": "text"}]), "bad_body"),
        (completion(choices=[]), "empty_answer"),
        (completion(""), "empty_answer"),
        (completion(None), "empty_answer"),
        (completion(["parts"]), "empty_answer"),
        (completion(model="other"), "wrong_model"),
    ],
)
def test_bodies_that_are_no_answer(body, cause):
    with RecordingServer(lambda number, asked: body) as server:
        error = fault(client_of(server))
    assert (error.cause, error.retryable) == (cause, True)
    assert str(error).startswith(f"{cause}: ")


@pytest.mark.parametrize(
    "body",
    [
        completion(usage=(0, 0)) | {"usage": None},
        completion() | {"usage": {"prompt_tokens": "many", "completion_tokens": True}},
        completion() | {"usage": {"prompt_tokens": -5, "completion_tokens": 1.5, "prompt_tokens_details": [1]}},
        completion() | {"model": None},
        completion() | {"usage": {"prompt_tokens_details": {"cached_tokens": 50}}},  # more than there are
    ],
)
def test_counts_that_are_none_are_zero(body):
    with RecordingServer(lambda number, asked: body) as server:
        answer = complete(client_of(server))
    assert answer.text == GOOD
    if body["usage"] != completion()["usage"]:
        assert (answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens) == (0, 0, 0)


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "message", "content", "usage", "model", "finish_reason"]), inner
            )
        ),
    )
)
def test_no_body_breaks_the_reader(body):
    try:
        answer = read_completion(json.dumps(body), "m", Scrubber([]))
    except CallError:
        return
    assert answer.text


def test_thought_and_said_nothing():
    """What a model that reasons says when max_tokens are too few; the tokens were paid for all the same."""
    with RecordingServer(lambda number, body: completion(None, finish="length", usage=(100, 64))) as server:
        error = fault(client_of(server))
    assert "max_tokens" in str(error)
    assert tuple(error.used) == (100, 0, 64)


@pytest.mark.parametrize(
    ("status", "cause", "retryable"),
    [
        (400, "refused", False),
        (401, "refused", False),
        (403, "refused", False),
        (404, "refused", False),
        (413, "refused", False),
        (422, "refused", False),
        (408, "server_error", True),
        (409, "server_error", True),
        (429, "rate_limited", True),
        (500, "server_error", True),
        (503, "server_error", True),
        (599, "server_error", True),
    ],
)
def test_statuses(status, cause, retryable):
    with RecordingServer(lambda *_: (status, {}, {"error": {"message": "The reason why."}})) as server:
        error = fault(client_of(server))
        assert len(server.times) == 1  # retries are the caller's
    assert (error.cause, error.retryable, error.status) == (cause, retryable, status)
    assert "The reason why." in str(error)
    assert server.url in str(error)


def test_a_wrong_key_names_its_variable(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with RecordingServer(lambda *_: (401, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}})) as server:
        error = fault(client_of(server, key_variable="MY_KEY"))
    assert "MY_KEY" in str(error)
    assert KEY not in str(error)


def test_nobody_listens():
    url = dead_url()
    error = fault(client_of(url))
    assert (error.cause, error.retryable) == ("connection", True)
    assert url in str(error)


def test_a_slow_server_runs_out_of_time():
    with ScriptedServer(faults={"slow": 1.0}) as server:
        error = fault(client_of(server), timeout=0.2)
    assert error.cause == "timeout"
    assert "0.2 s" in str(error)


@contextlib.contextmanager
def raw_server(*answers):
    """Sends bytes as they are, the next of them to each connection, and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with contextlib.suppress(OSError):
                for number in itertools.count():
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answers[number % len(answers)])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


OK = b"HTTP/1.1 200 OK\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
BODY = json.dumps(completion()).encode()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="ssh"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", id="tls"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/9.9 999999 no\r\n\r\n", id="status"),
        pytest.param(OK + b"no header\r\n\r\n", id="header"),
        pytest.param(OK + b"Content-Length: -1\r\n\r\n", id="length"),
        pytest.param(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nx", id="lengths"),
        pytest.param(OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n", id="long header"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="chunks"),
        pytest.param(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nno gz", id="gzip"),
        pytest.param(OK + b"Content-Type: a; charset=no\r\nContent-Length: 2\r\n\r\n\xff\xfe", id="charset"),
        pytest.param(OK + b"Content-Length: 500\r\n\r\n" + BODY[:20], id="cut"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(FOUND + b"/v1/chat/completions\r\n\r\n", id="redirects"),
        pytest.param(FOUND + b"http://[\r\n\r\n", id="redirect to nowhere"),
        pytest.param(FOUND + b"ftp://x/\r\n\r\n", id="redirect to ftp"),
    ],
)
def test_what_does_not_speak_http_is_a_cause_and_ends_no_run(answer):
    with raw_server(answer) as url:
        caller = Caller(client_of(url), limits=Limits(attempts=2, first_wait=0.01))
        answers = asyncio.run(ask(caller, [question(str(n)) for n in range(3)]))
        asyncio.run(caller.close())
    for found in answers.values():
        assert found.text is None
        assert found.error.partition(":")[0] in ("connection", "bad_body", "server_error", "refused")


# Waiting.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 99 Foo 2015"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date():
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < retry_after({"retry-after": date}) <= 100


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
def test_the_next_call_comes_no_sooner(status, form):
    ready = []

    def answer(number, body):
        if number:
            return completion("fine")
        if form == "date":  # dates have whole seconds: the second after the next
            ready.append(int(time.time()) + 2)
            return status, {"Retry-After": email.utils.formatdate(ready[0], usegmt=True)}, {}
        return status, {"Retry-After": "0.6"} if form == "seconds" else {"retry-after-ms": "600"}, {}

    with RecordingServer(answer) as server:
        caller = Caller(client_of(server), limits=Limits(first_wait=0.001))
        (found,) = asyncio.run(ask(caller, [question()])).values()
        ended = time.time()
    assert found.text == "fine"
    assert len(server.times) == 2
    if form == "date":
        assert ended >= ready[0]
    else:
        assert server.times[1] - server.times[0] >= 0.6


# Model names.


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4.1", "gpt-4.1", True),
        ("gpt-4.1", "GPT-4.1", True),
        ("gpt-4.1", "gpt-4.1-2025-04-14", True),
        ("gpt-4.1-2025-04-14", "gpt-4.1", True),
        ("openai/gpt-4.1", "gpt-4.1-2025-04-14", True),
        ("llama3", "llama3:latest", True),
        ("claude-x-latest", "claude-x-20250219", True),
        ("gemini-1.5-pro", "gemini-1.5-pro-002", True),
        ("gpt-4", "gpt-4.1", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("gpt-4.1", "gpt-4.1-mini", False),
        ("gpt-4-0613", "gpt-4-1106", False),
        ("o1", "o1-preview", False),
        ("claude-opus-4", "claude-opus-4-1", False),
        ("claude-opus-4", "claude-opus-4-1-20250805", False),
        ("qwen3", "qwen3-8b", False),
        ("qwen3-8b", "qwen3", False),
        ("m", "", False),
    ],
)
def test_whether_two_names_are_one_model(asked, answered, same):
    assert same_model(asked, answered) is same
    assert same_model(answered, asked) is same


# Constrained output.


def test_a_server_without_constraints_is_asked_plainly_from_then_on(caplog):
    with ScriptedServer(reject_constraints=True) as server:
        caller = Caller(client_of(server), limits=Limits(concurrency=8))
        wants = [question(str(n), regex="[a-z]+") for n in range(40)]
        answers = asyncio.run(ask(caller, wants))
        stats = server.stats()
    assert {answer.error for answer in answers.values()} == {None}
    assert len(answers) == 40
    assert caller.client.constrains is False
    assert stats["by_fault"]["none"] == 40
    assert stats["constrained"] <= 8  # those that were under way before the first refusal was known
    assert sum("refuses constrained output" in record.getMessage() for record in caplog.records) == 1
    assert caller.usage.constraints_held == caller.usage.constraints_missed == 0


def test_the_constraint_is_not_to_blame_for_every_refusal():
    with RecordingServer(lambda *_: (400, {}, {"error": {"message": "too long"}})) as server:
        client = client_of(server)
        error = fault(client, sampling=CONSTRAINED)
        assert (error.cause, error.retryable) == ("refused", False)
        assert client.constrains
        assert len(server.bodies) == 2


@pytest.mark.parametrize("then", ["slow", "busy"])
def test_the_plain_request_after_a_refused_one_may_fail_as_any_other(then):
    def answer(number, body):
        if "structured_outputs" in body:
            return 400, {}, {"error": {"message": "Unknown parameter"}}
        if then == "slow":
            time.sleep(1.0)
            return completion()
        return 429, {"retry-after": "3"}, {}

    with RecordingServer(answer) as server:
        client = client_of(server)
        error = fault(client, sampling=CONSTRAINED, timeout=0.3 if then == "slow" else 10)
        assert client.constrains
    assert error.cause == {"slow": "timeout", "busy": "rate_limited"}[then]
    assert error.retry_after == (3 if then == "busy" else None)


def test_ignored_constraints_are_noticed_and_counted(caplog):
    """The server takes the parameter and does not look at it; what reads well is kept all the same."""
    texts = ["fine", "Not fine.", "also", "NO", "NO", "NO"]
    with RecordingServer(lambda number, body: completion(texts[number])) as server:
        caller = Caller(client_of(server), limits=Limits(concurrency=1))
        answers = asyncio.run(ask(caller, [question(str(n), regex="[a-z]+") for n in range(6)]))
    assert [answers[n].text for n in range(6)] == texts
    assert (caller.usage.constraints_held, caller.usage.constraints_missed) == (2, 4)
    assert not caplog.records  # it held at times
    with RecordingServer(lambda number, body: completion("NO")) as server:
        caller = Caller(client_of(server), limits=Limits(concurrency=1))
        asyncio.run(ask(caller, [question(str(n), regex="[a-z]+") for n in range(6)]))
    assert (caller.usage.constraints_held, caller.usage.constraints_missed) == (0, 6)
    assert sum("ignores constrained output" in record.getMessage() for record in caplog.records) == 1


def test_an_answer_that_its_length_cut_is_no_broken_constraint():
    with RecordingServer(lambda number, body: completion("NO", finish="length")) as server:
        caller = Caller(client_of(server))
        asyncio.run(ask(caller, [question(regex="[a-z]+")]))
    assert (caller.usage.constraints_held, caller.usage.constraints_missed) == (0, 0)


# Parameters that newer models refuse.


def said(message, **more):
    return 400, {}, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


def strict(number, body, *, structured=True):
    """OpenAI's newer models, which name one parameter at a time."""
    if "structured_outputs" in body and not structured:
        return said("Unrecognized request argument supplied: structured_outputs")
    if "max_tokens" in body:
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return said(text, param="max_tokens", code="unsupported_parameter")
    if body.get("temperature", 1) != 1:
        text = (
            "Unsupported value: 'temperature' does not support 0.25 with this model. Only the default (1) is supported."
        )
        return said(text, param="temperature", code="unsupported_value")
    if "top_p" in body:
        return said("Unsupported parameter: 'top_p' is not supported with this model.")
    if "seed" in body:
        return 422, {}, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 5}]}
    return completion()


def test_parameters_that_a_server_refuses_are_left_out_from_then_on(caplog):
    with RecordingServer(strict) as server:
        client = client_of(server)
        assert complete(client).text == GOOD
        assert len(server.bodies) == 5
        assert server.bodies[-1] == {"model": "m", "messages": list(MESSAGES), "max_completion_tokens": 64}
        loop.run(client.close())
        complete(client), complete(client)
        assert server.bodies[5:] == [server.bodies[4]] * 2
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [server.url in line for line in logged] == [True] * 4
    for line, name in zip(logged, ("max_tokens", "temperature", "top_p", "seed"), strict=True):
        assert f"refuses {name};" in line
        assert ("max_completion_tokens" if name == "max_tokens" else "draws are the server's own") in line


def test_parameters_are_learnt_beside_the_constraint(caplog):
    """Each once, however many calls are under way."""
    with RecordingServer(lambda number, body: strict(number, body, structured=False)) as server:
        caller = Caller(client_of(server), limits=Limits(concurrency=4))
        wants = [question(str(n), regex="[a-z]+", temperature=0.25, seed=5) for n in range(20)]
        answers = asyncio.run(ask(caller, wants))
        assert {answer.error for answer in answers.values()} == {None}
        assert caller.client.constrains is False
        assert len(server.bodies) <= 20 + 4 * 5
        assert caller.usage.calls == len(server.bodies)
        assert caller.usage.faults == {"refused": len(server.bodies) - 20}
    assert sum("refuses" in record.getMessage() for record in caplog.records) == 5


def test_each_server_refuses_for_itself():
    with RecordingServer(strict) as one, RecordingServer() as two:
        client = client_of(one, two)
        for _ in range(6):
            complete(client)
        assert "temperature" not in one.bodies[-1]
        assert two.bodies[-1]["temperature"] == 0.25
        assert two.bodies[-1]["max_tokens"] == 64


def test_of_temperature_and_top_p_the_temperature_stays():
    def either(number, body):
        if {"temperature", "top_p"} <= set(body):
            return said("`temperature` and `top_p` cannot both be specified for this model.")
        return completion()

    with RecordingServer(either) as server:
        complete(client_of(server))
        assert server.bodies[-1]["temperature"] == 0.25


@pytest.mark.parametrize(
    "refusal",
    [
        said("max_tokens is too large: 64. This model supports at most 16.", param="max_tokens", code="invalid_value"),
        said("temperature must be at most 2", param="temperature", code="decimal_above_max_value"),
        said("Unsupported parameter: 'messages'", param="messages", code="unsupported_parameter"),
        said("This model does not support seeds."),
        (400, {}, {"error": "no"}),
        (400, {}, b"temperature is not supported"),
        (400, {}, {"detail": [{"loc": ["body"], "msg": "unknown", "input": {"temperature": 1}}]}),
        (403, {}, {"error": {"message": "x", "param": "seed", "code": "unsupported_parameter"}}),
    ],
)
def test_other_refusals_stay_refusals(refusal, caplog):
    with RecordingServer(lambda *_: refusal) as server:
        error = fault(client_of(server))
        assert (error.cause, error.retryable) == ("refused", False)
        assert len(server.bodies) == 1
    assert not caplog.records


def test_what_does_not_help_is_not_learnt(caplog):
    """The message blames the seed, wrongly: the request is refused without it too."""
    with RecordingServer(lambda *_: said("Unsupported parameter: 'seed'")) as server:
        client = client_of(server)
        assert fault(client).cause == fault(client).cause == "refused"
        assert ["seed" in body for body in server.bodies] == [True, False] * 2
    assert not caplog.records


# Several servers.


def spread(servers, count, **limits):
    caller = Caller(client_of(*servers), limits=Limits(**({"concurrency": 8, "first_wait": 0.01} | limits)))
    answers = asyncio.run(ask(caller, [question(str(n)) for n in range(count)]))
    assert sorted(answers) == list(range(count))
    return caller, answers


def test_load_is_spread():
    with RecordingServer() as one, RecordingServer() as two, RecordingServer() as three:
        spread([one, two, three], 90)
        counts = [len(server.times) for server in (one, two, three)]
    assert sum(counts) == 90
    assert min(counts) >= 15


def test_a_slow_server_gets_less():
    def slow(number, body):
        time.sleep(0.2)
        return completion()

    with RecordingServer(slow) as one, RecordingServer() as two:
        spread([one, two], 120)
        assert len(one.times) < len(two.times) / 2


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(lambda *_: (500, {}, {}), id="500"),
        pytest.param(lambda *_: (429, {"retry-after": "60"}, {}), id="429"),
        pytest.param(lambda *_: (200, {}, b"<html>the wrong service</html>"), id="html"),
        pytest.param(lambda *_: completion(model="other"), id="wrong_model"),
        pytest.param(lambda *_: (404, {}, {"error": {"message": "no such model"}}), id="404"),
        pytest.param(lambda *_: (401, {}, {"error": {"message": "no such key"}}), id="401"),
    ],
)
def test_a_server_that_fails_every_call_costs_no_answer(bad):
    """It fails at once, and so always has the fewest calls under way: it must not draw all calls to it."""

    def good(number, body):
        time.sleep(0.01)
        return completion()

    with RecordingServer(bad) as one, RecordingServer(good) as two:
        caller, answers = spread([one, two], 100, attempts=3)
        assert {answer.error for answer in answers.values()} == {None}
        assert len(two.times) == 100
        assert len(one.times) <= 20
        assert caller.client.failovers >= 1


def spent_by(*servers):
    """Tokens in and out that servers say they used."""
    used = [usage for server in servers for usage in server.spent if usage]
    return tuple(sum(usage[name] for usage in used) for name in ("prompt_tokens", "completion_tokens"))


def test_calls_and_tokens_are_those_of_all_servers():
    """A server of another model is passed over; what it took for its answers is paid for all the same."""
    with RecordingServer(lambda *_: completion(model="other")) as one, RecordingServer() as two:
        caller, answers = spread([one, two], 50)
        assert {answer.error for answer in answers.values()} == {None}
        assert len(one.times) >= 1
        usage = caller.usage
        assert usage.calls == len(one.times) + len(two.times)
        assert usage.faults == {"wrong_model": len(one.times)}
        assert usage.answers == 50
        assert (usage.prompt_tokens, usage.completion_tokens) == spent_by(one, two)
        assert {answer.prompt_tokens for answer in answers.values()} == {10}


def test_calls_and_tokens_of_questions_without_an_answer():
    wrong, silent = completion(model="other", usage=(7, 2)), completion("", usage=(5, 1))
    with RecordingServer(lambda *_: wrong) as one, RecordingServer(lambda *_: wrong) as two:
        caller, answers = spread([one, two], 20, attempts=3)
        assert {answer.text for answer in answers.values()} == {None}
        assert caller.usage.calls == len(one.times) + len(two.times) == caller.usage.faults["wrong_model"]
        assert (caller.usage.prompt_tokens, caller.usage.completion_tokens) == spent_by(one, two)
    with RecordingServer(lambda *_: wrong) as one, RecordingServer(lambda *_: silent) as two:
        caller, _ = spread([one, two], 20, attempts=3)
        assert caller.usage.calls == len(one.times) + len(two.times) == sum(caller.usage.faults.values())
        assert (caller.usage.prompt_tokens, caller.usage.completion_tokens) == spent_by(one, two)


def test_a_refusal_of_the_request_itself_goes_to_no_other_server():
    with RecordingServer(lambda *_: (400, {}, {"error": {"message": "too long"}})) as one, RecordingServer() as two:
        client = client_of(one, one, two)
        errors = [fault(client) for _ in range(1)]
        assert errors[0].cause == "refused"
        assert len(two.times) == 0


def test_a_server_that_dies_within_the_run_is_passed_over():
    with ScriptedServer(latency=0.02) as one, ScriptedServer(latency=0.02) as two:
        caller = Caller(client_of(one, two), limits=Limits(concurrency=8, first_wait=0.01))
        ended = []

        def on_answer(number, answer):
            ended.append(answer)
            if len(ended) == 40:
                one.stop()

        asyncio.run(caller.ask([question(str(n)) for n in range(200)], on_answer))
        assert len(ended) == 200
        assert {answer.error for answer in ended} == {None}
        assert two.stats()["requests"] >= 160


def test_a_server_that_comes_back_is_asked_again():
    with ScriptedServer() as one, RecordingServer() as two:
        port = one.port = int(one.url.split(":")[2].split("/")[0])
        client = client_of(one, two)
        complete(client), complete(client)
        one.stop()
        for _ in range(4):
            complete(client)
        with ScriptedServer(port=port) as again:
            deadline = time.monotonic() + 30
            while not again.stats()["requests"] and time.monotonic() < deadline:
                complete(client)
                time.sleep(0.05)
            assert again.stats()["requests"]


def test_all_servers_down_is_a_cause():
    urls = [dead_url(), dead_url()]
    caller = Caller(client_of(*urls), limits=Limits(attempts=3, first_wait=0.01))
    answers = asyncio.run(ask(caller, [question(str(n)) for n in range(5)]))
    for answer in answers.values():
        assert answer.text is None
        assert answer.error.startswith("connection: http://127.0.0.1:")
        assert "(attempt 3 of 3)" in answer.error


def test_all_servers_refuse():
    with RecordingServer(lambda *_: (401, {}, {})) as one, RecordingServer(lambda *_: (404, {}, {})) as two:
        error = fault(client_of(one, two))
        assert error.cause == "refused"
        assert not error.retryable


def test_one_refuses_while_the_other_is_down_for_a_moment():
    """The answer is not lost: the one that is down may come back."""

    def busy_once(number, body):
        return (503, {}, {}) if number < 2 else completion("fine")

    with RecordingServer(lambda *_: (404, {}, {})) as one, RecordingServer(busy_once) as two:
        _, answers = spread([one, two], 6, attempts=8, first_wait=0.2)
        assert {answer.error for answer in answers.values()} == {None}


# Every fault of the scripted server.


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_cause(name):
    causes = {
        "rate_limit": "rate_limited",
        "rate_limit_date": "rate_limited",
        "error_500": "server_error",
        "error_503": "server_error",
        "echo_error": "server_error",
        "slow": "timeout",
        "cut_before": "connection",
        "reset": "connection",
        "cut_middle": "connection",
        "truncated_json": "bad_body",
        "html": "bad_body",
        "empty_choices": "empty_answer",
        "null_content": "empty_answer",
        "wrong_model": "wrong_model",
    }
    metajudge = prompts.metajudge(["human"], ["model"], key=b"k" * 32, call="0").messages
    with ScriptedServer(faults={name: 1.0}) as server:
        client = client_of(server)
        if name in causes:
            error = fault(client, timeout=0.5 if name == "slow" else 10)
            assert (error.cause, error.retryable) == (causes[name], True)
        else:  # a text, which the parser has to refuse
            assert complete(client, messages=metajudge).text
        assert server.stats()["by_fault"] == {name: 1}
        server.configure(faults=0.0)
        assert complete(client).text  # and the client is as good as new


# Misuse.


@pytest.mark.parametrize("model", ["", None])
def test_a_model_is_needed(model):
    with pytest.raises(ValueError, match="model name"):
        OpenAIClient(model, ["http://127.0.0.1:1/v1"])


def test_without_a_url_a_key_is_needed():
    with pytest.raises(ValueError, match="set OPENAI_API_KEY"):
        OpenAIClient("m")


def test_a_key_variable_that_was_named_must_be_set():
    with pytest.raises(ValueError, match="NO_SUCH_KEY"):
        OpenAIClient("m", ["http://127.0.0.1:1/v1"], key_variable="NO_SUCH_KEY")


def test_a_key_that_no_header_carries(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    with pytest.raises(ValueError, match="no HTTP header") as caught:
        OpenAIClient("m", ["http://127.0.0.1:1/v1"])
    assert KEY not in str(caught.value)


URLS = [
    "http://user:s3cr/et@127.0.0.1:80/v1",
    "http://user:s3cr?et@127.0.0.1:80/v1",
    "http://user:s3cr#et@127.0.0.1:80/v1",
    "http://user:s3cret@127.0.0.1:port/v1",
    "http://user:s3cret@127.0.0.1:99999/v1",
    "http://user:s3cret@[::1/v1",
    "ftp://user:s3cret@127.0.0.1/v1",
    "user:s3cret@127.0.0.1:80",
    "s3cret@127.0.0.1:80/v1",
    "http://",
    "http:///v1?key=s3cret",
    "127.0.0.1:8000",
    "",
]


@pytest.mark.parametrize("url", URLS)
def test_bad_urls_are_refused_without_repeating_their_secrets(url):
    with pytest.raises(ValueError, match="is no server") as caught:
        OpenAIClient("m", [url])
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "HOST:PORT" in str(caught.value)


def test_an_address_taken_apart():
    found = read_address("https://us%65r:p%40ss@Host.example:8443/v1/?version=2&key=topsecret")
    assert found.url == "https://host.example:8443/v1?version=2&key=topsecret"
    assert found.shown == "https://host.example:8443/v1"
    assert found.authorization == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert {"p%40ss", "p@ss", "topsecret", base64.b64encode(b"user:p@ss").decode()} <= set(found.secrets)
    assert read_address("http://[::1]:80/v1").shown == "http://[::1]:80/v1"
    assert read_address("http://h/v1").secrets == ()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1?api-version=3", "/v1/chat/completions?api-version=3"),
        ("/v1/?api-version=3&key=a%26b", "/v1/chat/completions?api-version=3&key=a%26b"),
        ("?q=/", "/chat/completions?q=/"),
        ("/a/b/v2", "/a/b/v2/chat/completions"),
    ],
)
def test_the_path_goes_before_the_query(path, asked):
    with RecordingServer() as server:
        client = client_of(server.url.removesuffix("/v1") + path)
        assert complete(client).text == GOOD
        loop.run(client.close())
    assert server.paths == [asked]


def test_openais_own_server_may_stand_elsewhere(monkeypatch):
    """As the official client has it."""
    with RecordingServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "?api-version=3")
        complete(OpenAIClient("m"))
    assert server.paths == ["/v1/chat/completions?api-version=3"]


def test_secrets_of_a_query_stay_secret():
    """Whatever way the server repeats them; a version is none."""
    seen = "s3cret+in%20query of version 3, s3cret in query, s3cret+in query"

    with RecordingServer(lambda *_: (500, {}, {"error": {"message": seen}})) as server:
        client = client_of(server.url + "?api-version=3&key=s3cret+in%20query")
        error = fault(client)
        assert server.paths == ["/v1/chat/completions?api-version=3&key=s3cret+in%20query"]
    assert "s3cret" not in str(error) + client.name
    assert "of version 3," in str(error)


@pytest.mark.parametrize(
    ("path", "hint"),
    [("", True), ("/api", True), ("/v1", False), ("/v1beta/openai", False), ("/api/v4/", False), ("/vault", True)],
)
def test_a_url_without_a_version_is_asked_about(path, hint):
    with RecordingServer(lambda *_: (404, {}, {"detail": "Not Found"})) as server:
        url = server.url.removesuffix("/v1") + path
        error = fault(client_of(url + "?key=s3cret"))
    assert str(error).endswith(f" (is it {url}/v1?)") is hint
    assert ("is it" in str(error)) is hint
    assert "s3cret" not in str(error)


# Secrets in what comes back.


@pytest.mark.parametrize("key", ["EMPTY", "x", "0", "test", "R1"])
def test_a_short_key_changes_no_answer(monkeypatch, key):
    """Users of local servers set anything: its letters must not be cut out of what a judge says."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    text = f"The EMPTY test x 0 Bearer of R1.\n{GOOD}"
    with RecordingServer(lambda number, body: completion(text)) as server:
        assert complete(client_of(server)).text == text
    with RecordingServer(lambda number, body: completion(f"I was sent Bearer {key}.")) as server:
        assert complete(client_of(server)).text == "I was sent [key removed]."


def test_a_key_in_any_form_is_cut_out(monkeypatch):
    key = 'sk-"quo\\te/d"-key'
    monkeypatch.setenv("OPENAI_API_KEY", key)
    scrub = Scrubber([key])
    for text in (key, json.dumps(key), json.dumps({"a": f"Bearer {key}!"}), f"x{key}{key}y", "%22quo%5Cte"):
        assert "quo" not in scrub(text) or text.startswith("%")
    assert scrub.answer(f"a {key} b") == "a [key removed] b"
    with RecordingServer(lambda *_: (500, {}, {"detail": {"headers": [f"Bearer {key}"]}})) as server:
        assert "quo" not in str(fault(client_of(server)))


# Names on the command line.


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("openai:m@http://h:1/v1", Spec("openai", "m", ("http://h:1/v1",))),
        ("openai:a/b:c@https://h/v1,http://i/v1", Spec("openai", "a/b:c", ("https://h/v1", "http://i/v1"))),
        ("openai:gpt-4.1", Spec("openai", "gpt-4.1")),
        ("vllm:/a/b", Spec("vllm", "/a/b")),
        ("hf:org/name", Spec("hf", "org/name")),
    ],
)
def test_specs(text, spec):
    assert parse_spec(text) == spec == parse_spec(text, judge=True)


def test_specs_of_judges():
    assert parse_spec("lexical", judge=True) == Spec("lexical", "lexical")
    assert parse_spec("embedding:./m", judge=True) == Spec("embedding", "./m")
    assert parse_spec("embedding", judge=True).kind == "embedding"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "openai",
        "openai:",
        "openai:@http://user:s3cret@h/v1",
        "openai:m@user:s3cret@h:80/v1",
        "openai:m@127.0.0.1:8000/v1",  # would be a model of OpenAI's, and the texts would go there
        "openai:m@ftp://user:s3cret@h",
        "opnai:m@http://user:s3cret@h/v1",
        "http://user:s3cret@h/v1",
        "vllm:",
        "lexical",
        "embedding:x",
    ],
)
def test_bad_specs_say_what_is_expected_and_no_secret(text):
    with pytest.raises(ValueError, match=r"expected|write") as caught:
        parse_spec(text)
    assert "s3cret" not in str(caught.value)


def test_a_judge_without_a_model_is_no_client():
    with pytest.raises(ValueError, match="without a model"):
        open_client(Spec("lexical", "lexical"))


NO_FOLDERS = ["/nope", "./nope", "../nope", "~/nope", "a/b/nope", "a nope", "é"]


@pytest.mark.parametrize("kind", ["hf", "vllm", "embedding"])
@pytest.mark.parametrize("name", NO_FOLDERS)
def test_a_folder_that_is_missing_is_said_to_be(kind, name):
    with pytest.raises(FileNotFoundError) as caught:
        EmbeddingJudge(name) if kind == "embedding" else open_client(Spec(kind, name))
    assert str(caught.value) == f"no such folder: {name}"


@pytest.mark.parametrize("name", ["org/name", "name", "org/name-1.5B:Q4_K_M", "s3://bucket/a/b"])
def test_names_that_may_be_the_hubs_are_no_folders(name):
    check_folder(name)


# Connections.


def test_closed_and_used_again():
    with RecordingServer() as server:
        client = client_of(server)
        complete(client)
        loop.run(client.close())
        loop.run(client.close())
        assert complete(client).text == GOOD
        loop.run(client.close())


def test_a_client_that_is_dropped_closes_its_connections():
    with RecordingServer() as server:
        client = client_of(server)
        complete(client)
        del client
        gc.collect()
        loop.run(asyncio.sleep(0.05))


@pytest.mark.parametrize("end", ["", "loop.run(client.close())", "os._exit(0)", "sys.exit(0)"])
def test_programs_end_without_noise(end):
    code = f"""
import os, sys
from rationale_rm.engine import Sampling
from rationale_rm.judge import OpenAIClient, loop
client = OpenAIClient("m", [sys.argv[1]])
print(loop.run(client.complete([{{"role": "user", "content": "x"}}], Sampling(max_tokens=9), timeout=20)).text)
sys.stdout.flush()
{end}
"""
    with RecordingServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "always", "-c", code, server.url], capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == GOOD


def test_a_forked_child_makes_connections_of_its_own():
    code = """
import os, sys
from rationale_rm.engine import Sampling
from rationale_rm.judge import OpenAIClient, loop
def ask():
    return loop.run(client.complete([{"role": "user", "content": "x"}], Sampling(max_tokens=9), timeout=20)).text
client = OpenAIClient("m", [sys.argv[1]])
ask()
child = os.fork()
print("child" if child == 0 else "parent", [ask() for _ in range(3)], flush=True)
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
ask()
"""
    with RecordingServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, server.url],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(line.split()[0] for line in done.stdout.splitlines()) == ["child", "parent"]
        assert len(server.times) == 8


# The engine as a client.


class Engine:
    """Answers with the number of prompts in the batch."""

    constrains = True

    def __init__(self, answer=lambda prompts: [str(len(prompts))] * len(prompts)):
        self.answer = answer
        self.batches = []
        self.closed = 0

    def generate(self, prompts, sampling, *, logprobs=False):
        self.batches.append(len(prompts))
        assert not self.closed
        return [Generation(text=text, finish_reason="stop") for text in self.answer(prompts)]

    def close(self):
        self.closed += 1


def test_calls_that_wait_are_generated_together():
    engine = Engine(lambda prompts: time.sleep(0.05) or ["fine"] * len(prompts))
    caller = Caller(EngineClient(engine, name="hf:x", max_batch=16), limits=Limits(concurrency=64))
    answers = asyncio.run(ask(caller, [question(str(n)) for n in range(100)]))
    assert len(answers) == sum(engine.batches) == 100
    assert max(engine.batches) == 16
    assert len(engine.batches) <= 12
    assert (caller.client.name, caller.client.model, caller.client.constrains) == ("hf:x", "x", True)
    asyncio.run(caller.close())


@pytest.mark.parametrize(
    "broken", [lambda prompts: 1 / 0, lambda prompts: [], lambda prompts: ["one"] * (len(prompts) + 1)]
)
def test_an_engine_that_fails_is_a_cause_and_not_a_hang(broken):
    caller = Caller(EngineClient(Engine(broken), name="hf:x"), limits=Limits(timeout=30))
    answers = asyncio.run(ask(caller, [question(str(n)) for n in range(5)]))
    assert {answer.error.partition(":")[0] for answer in answers.values()} == {"engine"}


def test_an_engine_that_says_nothing():
    caller = Caller(EngineClient(Engine(lambda prompts: [""] * len(prompts)), name="hf:x"), limits=Limits(attempts=1))
    (answer,) = asyncio.run(ask(caller, [question()])).values()
    assert answer.error.startswith("empty_answer: ")


def test_closing_answers_what_waits_and_closes_the_engine_for_good():
    engine = Engine(lambda prompts: time.sleep(0.05) or ["fine"] * len(prompts))
    client = EngineClient(engine, name="hf:x", max_batch=2)

    async def work():
        calls = [asyncio.ensure_future(client.complete(MESSAGES, PLAIN, timeout=20)) for _ in range(5)]
        await asyncio.sleep(0.01)
        await client.close()
        assert engine.closed == 1
        assert [(await call).text for call in calls] == ["fine"] * 5

    loop.run(work())
    assert engine.batches == [2, 2, 1]
    error = fault(client)
    assert (error.cause, error.retryable) == ("engine", False)
    assert "hf:x is closed" in str(error)
    loop.run(client.close())


def test_a_client_that_was_never_asked_closes_its_engine():
    engine = Engine()
    asyncio.run(Caller(EngineClient(engine, name="hf:x")).close())
    assert engine.closed == 1


def test_the_local_client_is_a_client():
    """What the tests of the caller use behaves as `Client` says."""
    from rationale_rm.judge import Client

    client: Client = LocalClient()
    assert isinstance(loop.run(client.complete(MESSAGES, PLAIN, timeout=1)), Generation)
