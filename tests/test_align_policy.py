"""The figures of the example that trains policies, from what its runs left; no model is needed."""

import json
import sys
import types

import align_policy
import numpy as np
import pytest
from align_policy import TRAINED
from policy_settings import Settings


def run(seed, start, end, wins=0.75):
    """What a run left whose responses to three test requests had so many flaws."""
    return {
        "start": {"flaws": float(np.mean(start)), "unmet": 1.0, "cue": 0.5},
        "end": {"flaws": float(np.mean(end)), "unmet": 1.0, "cue": 0.5 + seed / 10},
        "by_request": {"flaws": {"start": start, "end": end}, "unmet": {"start": start, "end": start}},
        "responses": {"start": [["It."]] * 3, "end": [["It lists prices."]] * 3},
        "wins": {"by_judge": wins, "in_truth": 0.5},
        "curve": [{"step": 0, "flaws": 2.0}],
        "judge": {"cue_wins": float("nan")},
        "comparisons": {"n_asked": [40.0]},
        "commit": f"c{seed}",
        "seconds": 10.0,
    }


@pytest.fixture
def found():
    return {
        "hybrid": {0: run(0, [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]), 1: run(1, [3.0, 3.0, 0.0], [1.0, 0.0, 2.0])},
        "outcome_only": {0: run(0, [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]), 1: run(1, [3.0, 3.0, 0.0], [4.0, 1.0, 1.0])},
    }


def policy_runs_of(monkeypatch):
    """Stand-ins for the modules that need torch."""
    judges, runs = types.ModuleType("policy_judges"), types.ModuleType("policy_runs")
    judges.open_judge = lambda reads, path: None
    for module in (judges, runs):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    runs.align = None
    return runs


def genrm(folder, finished=True):
    """A run of the experiment with its last checkpoint, as it was left by its end or by a stop before it."""
    (folder / align_policy.TRAINED).mkdir(parents=True)
    (folder / align_policy.TRAINED / "model.safetensors").write_bytes(folder.name.encode())
    line = {"phase": "evaluation", "split": "test" if finished else "validation", "step": 160 if finished else 40}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")


def test_the_table_holds_a_number_a_seed(found):
    states = align_policy.table(found, [1, 0])
    assert states == {
        "start": {"flaws": [2.0, 2.0], "unmet": [1.0, 1.0], "cue": [0.5, 0.5]},
        "hybrid": {
            "flaws": [1.0, 1.0],
            "unmet": [1.0] * 2,
            "cue": [0.6, 0.5],
            "wins_by_judge": [0.75] * 2,
            "wins_in_truth": [0.5] * 2,
        },
        "outcome_only": {
            "flaws": [2.0, 2.0],
            "unmet": [1.0, 1.0],
            "cue": [0.6, 0.5],
            "wins_by_judge": [0.75] * 2,
            "wins_in_truth": [0.5] * 2,
        },
    }


def test_a_gap_within_a_seed_is_paired_by_request(found):
    assert align_policy.within_seeds(found, "flaws", "hybrid", "start", 0) == {"mean": -1.0, "low": -1.0, "high": -1.0}
    gap = align_policy.within_seeds(found, "flaws", "hybrid", "outcome_only", 1)
    assert gap["mean"] == pytest.approx(-1.0)  # -3, -1, 1
    assert gap["low"] == pytest.approx(-3.0)
    assert gap["high"] == pytest.approx(1.0)
    assert align_policy.within_seeds(found, "flaws", "outcome_only", "start", 1)["mean"] == pytest.approx(0.0)


def test_finished_runs_are_written_as_they_are(found, tmp_path, monkeypatch, capsys):
    """Those with the same settings; GenRMs that are there are not trained."""
    how = Settings(steps=2)
    for name, runs in found.items():
        for seed, one in runs.items():
            genrm(tmp_path / "genrms" / f"{name}-{seed}")
            settings = {
                **how.to_dict(),
                "genrm": align_policy._digest(tmp_path / "genrms" / f"{name}-{seed}" / TRAINED),
            }
            align_policy._write(tmp_path / "runs" / f"{name}-{seed}", settings, one)
            align_policy._write(tmp_path / "runs" / f"start-{seed}", how.of_start(), {"seconds": 1.0})
    monkeypatch.setattr(align_policy, "run_all", lambda jobs, _: [pytest.fail("all GenRMs are there") for _ in jobs])
    output = tmp_path / "found.json"
    arguments = ["--seeds", "0", "1", "--rewards", "hybrid", "outcome_only", "--steps", "2", "--jobs", "1"]
    arguments += ["--folder", str(tmp_path / "runs"), "--genrms", str(tmp_path / "genrms"), "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["align_policy.py", *arguments])
    align_policy.main()
    record = json.loads(output.read_text("utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert record["figures"] == align_policy.table(found, [0, 1])
    gap = record["differences"]["flaws: hybrid - outcome_only"]
    assert gap == pytest.approx({"mean": -1.0, "low": -1.0, "high": -1.0})
    assert record["within_seeds"]["flaws: hybrid - start"][0] == {"mean": -1.0, "low": -1.0, "high": -1.0}
    assert record["settings"]["commits"] == ["c0", "c1"]
    assert record["settings"]["seeds"] == [0, 1]
    assert "flaws: hybrid - outcome_only" in capsys.readouterr().out
    # Other settings, other weights of the GenRM: other runs.
    assert align_policy._finished(tmp_path / "runs" / "hybrid-0", how.to_dict()) is None
    assert align_policy._finished(tmp_path / "runs" / "hybrid-9", settings) is None
    (tmp_path / "genrms" / "hybrid-1" / TRAINED / "model.safetensors").write_bytes(b"others")
    monkeypatch.setattr(align_policy, "_write", lambda *_: pytest.fail("nothing is trained in this test"))
    monkeypatch.setattr(policy_runs_of(monkeypatch), "align", lambda *_: pytest.fail("trained anew"))
    with pytest.raises(pytest.fail.Exception, match="trained anew"):
        align_policy.run_of("hybrid", 1, tmp_path / "runs", tmp_path / "genrms", how)


def test_genrms_that_are_not_finished_are_trained_by_the_jobs_of_the_experiment(tmp_path, monkeypatch):
    genrm(tmp_path / "hybrid-3")
    genrm(tmp_path / "outcome_only-3", finished=False)
    asked = []

    def no_further(*_):
        raise SystemExit("GenRMs come first")

    monkeypatch.setattr(align_policy, "run_all", lambda jobs, at_once: asked.extend(job.name for job in jobs))
    monkeypatch.setattr(align_policy, "make_all", no_further)
    monkeypatch.setattr("sys.argv", ["align_policy.py", "--seeds", "3", "--genrms", str(tmp_path)])
    with pytest.raises(SystemExit, match="GenRMs come first"):
        align_policy.main()
    assert asked == ["start-3", "outcome_only-3"]
