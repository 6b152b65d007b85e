"""Models made on the spot and a real vLLM server on them; runs in the environment of `make setup-models`."""

import sys
from pathlib import Path

import pytest

from benches import tiny_model
from benches.vllm_server import VllmServer


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory):
    """A folder with a random chat model of 0.4M parameters and a context of 8,192 tokens."""
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def vllm_server(tiny_model_path, tmp_path_factory):
    """A vLLM OpenAI server with the tiny model: `base_url`, `model_name`, `metrics()`."""
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with VllmServer(tiny_model_path, log=log, python=Path(sys.executable)) as server:
        yield server
