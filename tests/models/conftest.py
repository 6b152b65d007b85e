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
def started(tmp_path_factory):
    """A folder with a model of 40k parameters that knows the form of an answer about the synthetic world."""
    from rationale_rm.train.loop import train
    from training import one_thread, recipe

    folder = tmp_path_factory.mktemp("started") / "run"
    warm_start = {"steps": 120, "batch_size": 16, "warmup_steps": 4, "lr": 0.02, "schedule": "linear"}
    with one_thread():
        train(recipe(folder, warm_start=warm_start, train={"steps": 1}, evaluation={"every": None, "test_pairs": 1}))
    return folder / "start"


@pytest.fixture(scope="session")
def wide_start(started, tmp_path_factory):
    """The same with heads of 32 dimensions, the fewest that vLLM has kernels for on a CPU: half of them are 0."""
    from training import with_wider_heads

    return with_wider_heads(started, tmp_path_factory.mktemp("started") / "wider")


@pytest.fixture(scope="session")
def vllm_server(tiny_model_path, tmp_path_factory):
    """A vLLM OpenAI server with the tiny model: `base_url`, `model_name`, `metrics()`."""
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with VllmServer(tiny_model_path, log=log, python=Path(sys.executable)) as server:
        yield server


@pytest.fixture(scope="session")
def trainings(tmp_path_factory):
    """Starts trainings in processes of their own (`training.Trainings`)."""
    from training import Trainings

    running = Trainings(tmp_path_factory.mktemp("log") / "trainings.log")
    yield running
    running.close()
