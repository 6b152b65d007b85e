"""What the server does not start with, and what it says when it breaks."""

import json

import pytest
from judging import environment, run
from reward_server import GOOD, TOKEN, WITH_SETTINGS, RewardServer

BROKEN = f"""
from rationale_rm.judge.local import LexicalJudge

async def match(self, requests, on_result=None):
    raise ZeroDivisionError(requests)

LexicalJudge.match = match
{WITH_SETTINGS}
"""


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


def test_an_address_that_is_taken():
    with RewardServer() as running:
        done = run("serve", "--port", str(running.port), code=1, env=environment())
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
