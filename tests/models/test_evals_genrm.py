"""`rationale-rm eval` with a real, tiny trained GenRM in this process: on its own world, and on texts unlike it."""

import json

import pytest
from rationale_rm.cli.main import app
from typer.testing import CliRunner


def evaluate(run, name, *arguments):
    """Runs ``eval NAME`` with the model's brief prompt; the overall figures, by metric, and the whole result."""
    done = CliRunner().invoke(app, ["eval", name, str(run), *map(str, arguments), "--prompt", "brief", "--no-cache"])
    assert done.exit_code == 0, done.output
    result = json.loads((run / "result.json").read_text())
    return {e["metric"]: e for e in result["estimates"] if e["slice"] == "overall"}, result


def test_the_world_that_it_was_trained_on(started, tmp_path):
    asked = ["--data", "world:test:8", "--model", f"hf:{started}", "--judge", "oracle", "--max-tokens", "112"]
    figures, result = evaluate(tmp_path / "run", "rationale", *asked)
    assert sum(result["statuses"].values()) == 16
    assert result["statuses"].get("ok", 0) > 8, result["statuses"]
    assert figures["oa"]["n"] == figures["oa"]["n_total"] == 16
    assert 0 <= figures["joint"]["value"] <= figures["rc"]["value"] <= 1
    assert result["manifest"]["judges"] == ["oracle"]
    assert result["manifest"]["sampling"]["template"].startswith("genrm_brief/")
    again, _ = evaluate(tmp_path / "run", "rationale", *asked)
    assert again == figures


@pytest.mark.data
def test_llmbar_is_chance_and_the_interval_says_so(started, data_folder, tmp_path):
    """It knows nothing of these: of the answers that can be read half are right, give or take; prompts beyond its
    context are answers that never came, and show as coverage.
    """
    data = data_folder / "llmbar" / "Natural" / "dataset.json"
    asked = ["--data", data, "--model", f"hf:{started}", "--max-tokens", "112", "--max-failure-rate", "1"]
    figures, result = evaluate(tmp_path / "run", "llmbar", *asked, "--limit", "60")
    readable = figures["accuracy_of_readable"]
    assert result["statuses"]["ok"] >= 5, result["statuses"]
    assert result["statuses"]["not_answered"] > 0
    assert figures["correct_average"]["n"] < figures["correct_average"]["n_total"] == 60
    assert readable["low"] <= 0.5 <= readable["high"]
    assert figures["correct_average"]["value"] <= readable["value"]
