"""The demo: its data are what their README says, and show what they are meant to show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import rationale_rm as rm
from rationale_rm.data import read_pairs
from rationale_rm.metrics import Settings, compare, evaluate

DEMO = Path(__file__).parents[1] / "examples" / "demo"
MODELS = ("careful", "shallow")


@pytest.fixture(scope="module")
def scored():
    loaded = read_pairs([DEMO / f"metajudge-{model}.jsonl" for model in MODELS], strict=True)
    return [evaluate(loaded.pairs, model) for model in MODELS]


def test_outcomes_agree_and_rationales_do_not(scored):
    careful, shallow = scored
    assert careful.overall["oa"].value == shallow.overall["oa"].value == 0.8
    difference = compare(careful, shallow).differences
    assert difference["oa"].low < 0 < difference["oa"].high
    assert difference["rc"].low > 0.4
    assert difference["ap"].low > 0.4
    for domain in ("code", "general", "multilingual", "stem"):
        assert careful.by_domain[domain]["rc"].low > shallow.by_domain[domain]["rc"].high


def test_failed_judge_answers_are_missing_and_not_zero(scored):
    careful, shallow = scored
    assert (careful.overall["rc"].n, careful.overall["rc"].n_total) == (29, 30)
    assert (shallow.overall["rc"].n, shallow.overall["rc"].n_total) == (28, 30)
    assert shallow.judge == {"ok": 28, "duplicate_reference": 1, "unclosed_block": 1}
    for model in scored:
        assert model.overall["rc"].pessimistic < model.overall["rc"].value


@pytest.mark.parametrize("model", MODELS)
def test_the_recorded_lists_are_what_the_parser_reads(model):
    records = [json.loads(line) for line in (DEMO / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    batch = rm.parse_genrm([record[f"{model}-generated_text"] for record in records])
    assert not batch.status.any()
    assert batch.reasons == [record[f"{model}-checklist"] for record in records]


def test_lexical_scores_tell_the_judges_apart_too():
    loaded = read_pairs([DEMO / "pairs.jsonl"], strict=True)
    careful, shallow = (evaluate(loaded.pairs, model, Settings(judge="lexical")) for model in MODELS)
    assert careful.overall["rc"].low > shallow.overall["rc"].high


def test_the_command_prints_the_comparison():
    files = [str(DEMO / f"metajudge-{model}.jsonl") for model in MODELS]
    command = [sys.executable, "-m", "rationale_rm.cli", "score", *files]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    for text in ("careful minus shallow", "29/30", "28/30", "multilingual"):
        assert text in done.stdout
    assert done.stderr == ""


def test_the_whole_folder_can_be_scored():
    """The pairs behind the judge runs lie beside them, and add nothing."""
    assert read_pairs([DEMO], strict=True).n_labelled == 30


def test_plain_similarity_would_rank_them_the_wrong_way_round():
    """Why the lexical judge does not score by plain similarity (docs/architecture.md)."""
    records = [json.loads(line) for line in (DEMO / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    references = [record["human-checklist"] for record in records]
    careful, shallow = (
        rm.score(rm.match(rm.similarity(references, [record[f"{model}-checklist"][:5] for record in records])))
        for model in MODELS
    )
    assert careful.recall.mean() == pytest.approx(0.514, abs=0.001)
    assert shallow.recall.mean() == pytest.approx(0.546, abs=0.001)
