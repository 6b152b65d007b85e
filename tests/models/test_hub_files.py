"""Files of data sets on the hub, through the hub's own library: from its cache, and where there is no network."""

import json
import os
import subprocess
import sys

import pytest

RECORD = {
    "pair_id": "p1",
    "source": "mmlu-pro-law",
    "question": "Q?",
    "response_A": "a",
    "response_B": "b",
    "label": "A>B",
    "judge_name": "vanilla",
    "judgments": [{"judgment": {}, "decision": "A>B"}, {"judgment": {}, "decision": "B>A"}],
}


@pytest.fixture
def cached(tmp_path):
    """An environment without a network whose cache holds one file of JudgeBench."""
    snapshot = tmp_path / "hf" / "hub" / "datasets--ScalerLab--JudgeBench" / "snapshots" / ("a" * 40)
    (snapshot / "data").mkdir(parents=True)
    (snapshot / "data" / "gpt-00000-of-00001.jsonl").write_text(json.dumps(RECORD) + "\n")
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    return os.environ | {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(tmp_path / "hf" / "hub"),
    }


def evaluate(env, folder, source):
    command = [sys.executable, "-m", "rationale_rm", "eval", "judgebench", str(folder), "--recorded", source]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_a_file_in_the_cache_is_taken_from_it(cached, tmp_path):
    done = evaluate(cached, tmp_path / "run", "hub:ScalerLab/JudgeBench/data/gpt-00000-of-00001.jsonl")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["manifest"]["recorded"][0]["file"] == "data/gpt-00000-of-00001.jsonl"
    assert result["statuses"] == {"ok": 2}


def test_without_a_network_the_remedy_is_said(cached, tmp_path):
    source = "hub:ScalerLab/JudgeBench/data/claude-00000-of-00001.jsonl"
    done = evaluate(cached, tmp_path / "run", source)
    assert done.returncode == 1
    assert f"{source} is not on this machine and the hub cannot be reached: name a local copy" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
