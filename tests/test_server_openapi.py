"""schemathesis on the server's own OpenAPI document: requests of the form and beside it, to a server in a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reward_server import TOKEN, RewardServer

PATHS = {
    **dict.fromkeys(("/v1/rewards", "/v1/score", "/v1/match", "/get_reward"), "post"),
    **dict.fromkeys(("/healthz", "/metrics", "/openapi.json"), "get"),
}


@pytest.fixture(scope="module")
def server():
    with RewardServer("--max-rows", "64", token=TOKEN) as running:
        yield running
        assert running.process.poll() is None


def test_what_the_document_promises(server, tmp_path):
    """All checks but one: positive_data_acceptance would have every request of the form accepted, and no JSON Schema
    can say that columns are of one length. What must be accepted is held by test_server.py.
    """
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json"),
        *("--header", f"Authorization: Bearer {TOKEN}", "--checks", "all"),
        *("--exclude-checks", "positive_data_acceptance", "--max-examples", "40", "--seed", "1", "--no-color"),
        *("--generation-database", "none"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=500, env=os.environ)
    assert done.returncode == 0, done.stdout[-8000:]
    assert "No issues found" in done.stdout
    found = server.events("request")
    statuses = {line["status"] for line in found}
    assert {200, 400, 401, 405, 415, 422} <= statuses, "good and bad requests were made"
    assert not any(status >= 500 for status in statuses)
    for path, method in PATHS.items():
        assert any((line["path"], line["method"].lower(), line["status"]) == (path, method, 200) for line in found), (
            path
        )
    assert not server.events("exception")


def test_the_document_names_every_endpoint_and_its_limits(server):
    document = server.ask("GET", "/openapi.json")[2]
    assert {path: next(iter(found)) for path, found in document["paths"].items()} == PATHS
    assert document["security"] == [{"token": []}]
    assert "64 rows" in document["info"]["description"]


def test_the_examples_are_answered(server):
    """Each by what it says: the example's only reason is the human one."""
    document = server.ask("GET", "/openapi.json")[2]
    answers = {}
    for path, method in PATHS.items():
        if method == "post":
            body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
            answers[path] = server.post(path, json.dumps(body))
    assert answers["/v1/rewards"]["reward"] == answers["/get_reward"]["rewards"] == [1.0]
    assert answers["/v1/score"]["rc"] == [0.75]
    assert answers["/v1/match"]["matches"][0][0][:2] == [0, 0]
