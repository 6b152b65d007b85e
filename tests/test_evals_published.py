"""Published figures of LLMBar, JudgeBench and RM-Bench, through the harness, from raw recorded outputs."""

import json
import math
import random

import pytest
from evals_helpers import by_name, figures, values
from rationale_rm.evals import estimates, judgebench, llmbar, read_records, rm_bench
from test_evals_rm_bench import slow_oracle
from test_real_data import CONTRADICTING, FROM_TEXT

pytestmark = pytest.mark.data
STATISTICS = ("correct_False", "correct_True", "correct_average", "correct_both", "equal")


def published(text):
    """The share in ``94 / 100 = 94.0%`` or ``94.5%``."""
    return float(text.rsplit("=")[-1].strip(" %")) / 100


@pytest.mark.parametrize("evaluator", sorted(FROM_TEXT | set(CONTRADICTING) | {"GPT-4/Rating"}))
def test_llmbar_statistics(data_folder, evaluator):
    folder = data_folder / "llmbar" / "Natural" / "evaluators" / evaluator
    statistics = json.loads((folder / "statistics.json").read_text())
    answers = llmbar.read_recorded(read_records([str(folder / "result.json")]), None)
    found = values(estimates(llmbar.score(answers), n_resamples=10))
    assert answers.model == evaluator
    rules = ("stored", "text") if evaluator not in CONTRADICTING else ("stored",)
    for rule in rules:
        for name in STATISTICS:
            assert found[f"{rule}/{name}"] == pytest.approx(published(statistics[name]), abs=1e-9), (rule, name)
    contradicted = len(CONTRADICTING.get(evaluator, ()))
    assert [note.split(" ")[0] for note in answers.notes] == ([str(contradicted)] if contradicted else [])


def test_llmbar_items_come_from_the_data_as_from_the_results(data_folder):
    natural = data_folder / "llmbar" / "Natural"
    data = llmbar.items(read_records([str(natural / "dataset.json")]))
    recorded = read_records([str(natural / "evaluators" / "GPT-4" / "CoT" / "result.json")])
    assert [(p.id, p.context, p.response1, p.response2, p.label) for p in data] == [
        (p.id, p.context, p.response1, p.response2, p.label) for p in llmbar.items(recorded)
    ]
    assert {pair.domain for pair in data} == {"Natural"}


def test_judgebench_both_rules(data_folder):
    folder = data_folder / "judgebench"
    gold = json.loads((folder / "gold.json").read_text())
    answers = judgebench.read_recorded(read_records([str(folder / "claude_pairs_haiku_judge_90.jsonl")]), None)
    found = figures(judgebench.BENCHMARK, answers, n_resamples=500)
    for slice_name in ("overall", "knowledge"):  # all 90 are of MMLU-Pro
        released, strict = (found[rule, slice_name, "accuracy"] for rule in ("released", "both_orders"))
        assert released.value * 100 == pytest.approx(gold["accuracy_code_rule"], abs=1e-4)
        assert strict.value * 100 == pytest.approx(gold["accuracy_both_orders_agree"], abs=1e-4)
        assert (released.n, released.n_total) == (gold["pairs"], gold["pairs"])
        assert found["stored", slice_name, "accuracy"].value == released.value
        assert released.low < released.value < released.high
    malformed = found["", "overall", "malformed"]
    assert malformed.value * 2 * gold["pairs"] == pytest.approx(gold["games_with_a_null"])
    assert answers.notes == ()  # every text reads as the decision that upstream recorded with it


def test_rm_bench_on_real_prompts(data_folder, tmp_path):
    prompts = json.loads((data_folder / "rm-bench" / "chat_filtered.json").read_text())
    draw = random.Random(5)
    for prompt in prompts:  # few values, so that ties are many
        prompt["score_chosen"] = [draw.choice([0, 1, 2, 2.5]) for _ in range(3)]
        prompt["score_rejected"] = [draw.choice([0, 1, 2]) for _ in range(3)]
    file = tmp_path / "chat_filtered.json"
    file.write_text(json.dumps(prompts))
    answers = rm_bench.read_recorded(read_records([str(file)]), None)
    found = by_name(estimates(rm_bench.score(answers), strata=rm_bench.BENCHMARK.strata, n_resamples=50))
    table = slow_oracle([(p["score_chosen"], p["score_rejected"]) for p in prompts])
    ties = sum(a == b for p in prompts for a in p["score_chosen"] for b in p["score_rejected"])
    assert ties > 200
    for slice_name in ("overall", "chat"):
        for metric, expected in table.items():
            estimate = found["scores", slice_name, metric]
            assert estimate.value == pytest.approx(expected, abs=1e-12), metric
            assert (estimate.n, estimate.n_total) == (129, 129)
    assert not any(one.slice in ("math", "code", "safety") for one in found.values())


def test_rm_bench_nine_pairs_of_a_prompt(data_folder):
    records = read_records([str(data_folder / "rm-bench" / "chat_filtered.json")])
    pairs = rm_bench.items(records)
    assert len(pairs) == 9 * len(records) == 1161
    first, prompt = records[0].value, pairs[:9]
    shown = [(pair.response1, pair.response2) for pair in prompt]
    assert shown == [(first["chosen"][i], first["rejected"][j]) for i in range(3) for j in range(3)]
    assert [pair.id for pair in prompt[:3]] == [f"chat/8/concise-{style}" for style in rm_bench.STYLES]
    assert math.isclose(sum(len(pair.response1) for pair in prompt), 3 * sum(map(len, first["chosen"])))
