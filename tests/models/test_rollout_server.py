"""Rollouts from a server that gives other numbers of answers than it is asked for; no vLLM is needed for it."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import transformers
from rationale_rm.engine import EngineError
from rationale_rm.rollout import VllmServerRollouts, served

PROMPTS = [[{"role": "user", "content": "Which response is better?"}], [{"role": "user", "content": "And why?"}]]
SHORT = {"max_tokens": 4, "seeds": [1, 2]}


@contextlib.contextmanager
def serving(counts, limit=512):
    """A server of the model "tiny", whose answer number i has ``counts[i]`` choices; its URL, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send({"object": "list", "data": [{"id": "tiny", "object": "model", "max_model_len": limit}]})

        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            choices = [
                {
                    "index": index,
                    "text": "",
                    "finish_reason": "length",
                    "token_ids": [7 + index],
                    "logprobs": {"token_logprobs": [-1.0 - index], "tokens": ["x"]},
                }
                for index in range(counts[len(asked) - 1])
            ]
            self.send({"id": "x", "object": "text_completion", "created": 0, "model": "tiny", "choices": choices})

        def send(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", asked
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def tokenizer(tiny_model_path):
    return transformers.AutoTokenizer.from_pretrained(tiny_model_path)


def rollouts(url, tokenizer, **how):
    """One that is given no weights, one request at a time."""
    return contextlib.closing(VllmServerRollouts(url, None, tokenizer, sends=False, concurrency=1, **how))


@pytest.mark.parametrize("given", [0, 1, 2, 4])
def test_too_few_answers_fail_their_group_and_no_other(tokenizer, given):
    with serving([given, 3]) as (url, asked), rollouts(url, tokenizer) as sampler:
        first, second = sampler.sample(PROMPTS, 3, temperature=0.9, **SHORT)
    assert [request["n"] for request in asked] == [3, 3]
    assert {one.error for one in first} == {f"the server gave {given} answers instead of 3"}
    assert not any(one.token_ids for one in first)
    assert [one.token_ids for one in second] == [(7,), (8,), (9,)]
    assert [one.sample for one in second] == [0, 1, 2]


def test_at_temperature_0_one_answer_is_asked_for_and_is_all_of_them(tokenizer):
    with serving([1, 0]) as (url, asked), rollouts(url, tokenizer) as sampler:
        first, second = sampler.sample(PROMPTS, 3, temperature=0.0, **SHORT)
    assert [request["n"] for request in asked] == [1, 1]
    assert [(one.sample, one.token_ids) for one in first] == [(0, (7,)), (1, (7,)), (2, (7,))]
    assert {one.error for one in second} == {"the server gave 0 answers instead of 1"}


def test_a_limit_of_its_own_holds_up_to_the_server_s(tokenizer):
    with serving([1], limit=30) as (url, asked):
        with rollouts(url, tokenizer, max_model_len=25) as sampler:
            (group,) = sampler.sample(PROMPTS[:1], 1, max_tokens=100, temperature=0.0, seeds=[1])
        assert asked[0]["max_tokens"] == 25 - len(group[0].prompt_ids)
        with (
            pytest.raises(EngineError, match="start it with --max-model-len 31"),
            rollouts(url, tokenizer, max_model_len=31),
        ):
            pass


@contextlib.contextmanager
def answering(pages):
    """A server that has these pages, path → (type, text), and no others; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            kind, text = pages.get(self.path, ("text/plain", "not found"))
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


JSON = "application/json"


@pytest.mark.parametrize(
    "page",
    [("text/html", "<html>hello</html>"), (JSON, '{"a": 1}'), (JSON, '{"data": null}'), (JSON, "[]"), (JSON, "{")],
)
def test_a_page_that_is_no_answer_of_a_model_server(page):
    with (
        answering({"/v1/models": page}) as url,
        served.open_client(url, 5.0) as client,
        pytest.raises(EngineError, match=r"does not speak OpenAI's protocol|does not answer"),
    ):
        served.served_model(client, url, None)


def test_a_server_without_routes_for_weights_is_told_from_one_that_has_them():
    models = (JSON, '{"object": "list", "data": [{"id": "tiny", "object": "model", "max_model_len": 64}]}')
    with answering({"/v1/models": models}) as url, served.open_client(url, 5.0) as client:
        assert served.served_model(client, url, None) == ("tiny", 64)
        with pytest.raises(EngineError, match=r"takes no weights .*VLLM_SERVER_DEV_MODE=1"):
            served.check_takes_weights(client, url)
    with answering({"/get_world_size": (JSON, '{"world_size": 1}')}) as url, served.open_client(url, 5.0) as client:
        served.check_takes_weights(client, url)
