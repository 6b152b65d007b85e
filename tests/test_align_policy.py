"""The figures of the example that trains policies, from what its runs left; no model is needed."""

import json

import align_policy
import numpy as np
import pytest
from policy_settings import Settings


def run(seed, start, end, wins=0.75):
    """What a run left whose responses to three test requests had so many flaws."""
    return {
        "start": {"flaws": float(np.mean(start)), "cue": 0.5},
        "end": {"flaws": float(np.mean(end)), "cue": 0.5 + seed / 10},
        "flaws_of_requests": {"start": start, "end": end},
        "responses": {"start": [["It."]] * 3, "end": [["It lists prices."]] * 3},
        "wins": {"by_judge": wins, "in_truth": 0.5},
        "curve": [{"step": 0, "flaws": 2.0}],
        "comparisons": {"n_asked": 40.0},
        "seconds": 10.0,
    }


@pytest.fixture
def found():
    return {
        "hybrid": {0: run(0, [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]), 1: run(1, [3.0, 3.0, 0.0], [1.0, 0.0, 2.0])},
        "outcome_only": {0: run(0, [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]), 1: run(1, [3.0, 3.0, 0.0], [4.0, 1.0, 1.0])},
    }


def test_the_table_holds_a_number_a_seed(found):
    states = align_policy.table(found, [1, 0])
    assert states == {
        "start": {"flaws": [2.0, 2.0], "cue": [0.5, 0.5]},
        "hybrid": {"flaws": [1.0, 1.0], "cue": [0.6, 0.5], "wins_by_judge": [0.75] * 2, "wins_in_truth": [0.5] * 2},
        "outcome_only": {
            "flaws": [2.0, 2.0],
            "cue": [0.6, 0.5],
            "wins_by_judge": [0.75] * 2,
            "wins_in_truth": [0.5] * 2,
        },
    }


def test_a_gap_within_a_seed_is_paired_by_request(found):
    assert align_policy.within_seeds(found, "hybrid", "start", 0) == {"mean": -1.0, "low": -1.0, "high": -1.0}
    gap = align_policy.within_seeds(found, "hybrid", "outcome_only", 1)
    assert gap["mean"] == pytest.approx(-1.0)  # -3, -1, 1
    assert gap["low"] == pytest.approx(-3.0)
    assert gap["high"] == pytest.approx(1.0)
    assert align_policy.within_seeds(found, "outcome_only", "start", 1)["mean"] == pytest.approx(0.0)


def test_finished_runs_are_written_as_they_are(found, tmp_path, monkeypatch, capsys):
    """Those with the same settings; GenRMs that are there are not trained."""
    how = Settings(steps=2)
    for name, runs in found.items():
        for seed, one in runs.items():
            align_policy._write(tmp_path / "runs" / f"{name}-{seed}", how.to_dict(), one)
            align_policy._write(tmp_path / "runs" / f"start-{seed}", how.of_start(), {"seconds": 1.0})
            (tmp_path / "genrms" / f"{name}-{seed}" / align_policy.TRAINED).mkdir(parents=True)
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
    assert sorted(record["flaws_within_seeds"]) == ["hybrid - outcome_only", "hybrid - start", "outcome_only - start"]
    assert record["settings"]["seeds"] == [0, 1]
    assert "flaws: hybrid - outcome_only" in capsys.readouterr().out
    # Other settings, other runs.
    assert align_policy._finished(tmp_path / "runs" / "hybrid-0", how.to_dict()) is not None
    assert align_policy._finished(tmp_path / "runs" / "hybrid-0", Settings().to_dict()) is None
    assert align_policy._finished(tmp_path / "runs" / "hybrid-9", how.to_dict()) is None


def test_missing_genrms_are_trained_by_the_jobs_of_the_experiment(tmp_path, monkeypatch):
    (tmp_path / "hybrid-3" / align_policy.TRAINED).mkdir(parents=True)
    asked = []

    def no_further(*_):
        raise SystemExit("GenRMs come first")

    monkeypatch.setattr(align_policy, "run_all", lambda jobs, at_once: asked.extend(job.name for job in jobs))
    monkeypatch.setattr(align_policy, "make_all", no_further)
    monkeypatch.setattr("sys.argv", ["align_policy.py", "--seeds", "3", "--genrms", str(tmp_path)])
    with pytest.raises(SystemExit, match="GenRMs come first"):
        align_policy.main()
    assert asked == ["start-3", "outcome_only-3"]
