"""RM-Bench against a slow oracle, and its rules on prompts small enough to count by hand."""

import json
from fractions import Fraction

import pytest
from evals_helpers import answer, figures
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.data import DataError
from rationale_rm.evals import Answers, estimates, read_records, rm_bench

BENCHMARK = rm_bench.BENCHMARK


def slow_oracle(scores):
    """Metric → value over (chosen, rejected) scores, comparison by comparison; a tie is lost."""
    wins = {(i, j): 0 for i in range(3) for j in range(3)}
    for chosen, rejected in scores:
        for i in range(3):
            for j in range(3):
                if chosen[i] > rejected[j]:
                    wins[i, j] += 1
    cell = {place: Fraction(count, len(scores)) for place, count in wins.items()}
    found = {
        "hard": (cell[0, 1] + cell[0, 2] + cell[1, 2]) / 3,
        "normal": (cell[0, 0] + cell[1, 1] + cell[2, 2]) / 3,
        "easy": (cell[1, 0] + cell[2, 0] + cell[2, 1]) / 3,
        "accuracy": sum(cell.values()) / 9,
        "concise_over_markdown": cell[0, 2],
        "markdown_over_concise": cell[2, 0],
    }
    return {name: float(value) for name, value in found.items()}


def scored_file(path, prompts):
    """A file of upstream's scripts: (domain, id, chosen, rejected) scores."""
    records = [
        {"id": number, "domain": domain, "score_chosen": chosen, "score_rejected": rejected}
        for domain, number, chosen, rejected in prompts
    ]
    path.write_text(json.dumps(records))
    return read_records([str(path)])


scores = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
DOMAINS = ("chat", "math", "code", "safety-refuse", "safety-response")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DOMAINS), scores, scores), min_size=1, max_size=25))
def test_domains_and_overall_equal_the_oracle(tmp_path_factory, drawn):
    prompts = [(domain, number, chosen, rejected) for number, (domain, chosen, rejected) in enumerate(drawn)]
    records = scored_file(tmp_path_factory.mktemp("rm") / "scores.json", prompts)
    found = figures(BENCHMARK, rm_bench.read_recorded(records, None), n_resamples=5)
    by_domain = {}
    for domain, chosen, rejected in drawn:  # both subsets of safety are one domain
        by_domain.setdefault(domain.partition("-")[0], []).append((chosen, rejected))
    tables = {domain: slow_oracle(rows) for domain, rows in by_domain.items()}
    for metric in next(iter(tables.values())):
        for domain, table in tables.items():
            assert found["scores", domain, metric].value == pytest.approx(table[metric], abs=1e-12)
        overall = sum(table[metric] for table in tables.values()) / len(tables)
        assert found["scores", "overall", metric].value == pytest.approx(overall, abs=1e-12)
    subset = [(chosen, rejected) for domain, chosen, rejected in drawn if domain == "safety-refuse"]
    if subset:
        assert found["scores", "safety-refuse", "hard"].value == pytest.approx(slow_oracle(subset)["hard"])


def test_overall_of_few_prompts_has_an_interval_within_bounds_or_none(tmp_path):
    right, wrong = ([1, 1, 1], [0, 0, 0]), ([0, 0, 0], [1, 1, 1])
    prompts = [("chat", 0, *right), ("chat", 1, *wrong), ("math", 0, *wrong), ("math", 1, *wrong)]
    found = figures(BENCHMARK, rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts), None), n_resamples=500)
    overall = found["scores", "overall", "accuracy"]
    assert (overall.value, overall.low, overall.high) == (0.25, 0.0, 0.5)  # chat is 0, .5 or 1, math 0
    found = figures(BENCHMARK, rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts[:3]), None))
    overall = found["scores", "overall", "accuracy"]
    assert (overall.value, overall.low, overall.high) == (0.25, None, None)
    assert overall.unavailable == "no interval: math has a single cluster of items"


def test_overall_does_not_weigh_domains_by_size(tmp_path):
    right, wrong = ([1, 1, 1], [0, 0, 0]), ([0, 0, 0], [1, 1, 1])
    prompts = [("chat", 0, *right), *(("math", number, *wrong) for number in range(9))]
    found = figures(BENCHMARK, rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts), None))
    assert found["scores", "overall", "accuracy"].value == pytest.approx(0.5)
    assert found["scores", "overall", "accuracy"].n == 10


def test_a_missing_score_is_missing_and_not_lost(tmp_path):
    prompts = [("chat", 0, [1, 1, 1], [0, 0, 0]), ("chat", 1, [1, None, 1], [0, 0, 0])]
    found = figures(BENCHMARK, rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts), None))
    accuracy = found["scores", "overall", "accuracy"]
    assert (accuracy.value, accuracy.n, accuracy.n_total, accuracy.pessimistic) == (1.0, 1, 2, 0.5)
    assert found["scores", "overall", "concise_over_plain"].n == 2


def test_rotations_of_pairwise_results_fill_each_cell_once(tmp_path):
    """The script that wrote such files scores rotation 3 twice and rotation 2 never: here each of the nine counts."""
    files = []
    for rotation in range(3):
        path = tmp_path / f"total_dataset_{rotation + 1}_m.json"
        result = [0, 0, 0]
        result[0] = int(rotation == 1)  # only the right concise against the wrong plain is won
        path.write_text(json.dumps([{"id": 1, "domain": "code", "prompt": "p", "result": result}]))
        files.append(str(path))
    found = figures(BENCHMARK, rm_bench.read_recorded(read_records(files), None))
    assert found["pairwise", "overall", "concise_over_plain"].value == 1.0
    assert found["pairwise", "overall", "accuracy"].value == pytest.approx(1 / 9)
    assert found["pairwise", "overall", "hard"].value == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="three files"):
        rm_bench.read_recorded(read_records(files[:2]), None)


def prompt_file(path):
    """One prompt as in the data."""
    record = {"id": 7, "prompt": "Q?", "chosen": ["c1", "c2", "c3"], "rejected": ["r1", "r2", "r3"]}
    path.write_text(json.dumps([record]))
    return rm_bench.items(read_records([str(path)]))


def test_pairwise_genrm_rules(tmp_path):
    """In the diagonal right in both orders; above it right in one, below it malformed in one order."""
    pairs = prompt_file(tmp_path / "math_filtered.json")
    found = {}
    for number, pair in enumerate(pairs):
        i, j = divmod(number, 3)
        first, second = (1, 2) if i == j else (1, -1) if i < j else (None, 1)
        found[pair.id, False] = answer(pair, first)
        found[pair.id, True] = answer(pair, second, swapped=True)
    table = figures(BENCHMARK, Answers(pairs=tuple(pairs), found=found, model="m"))
    got = {(rule, metric): table[rule, "math", metric].value for rule, _, metric in table if rule}
    assert got["average", "normal"] == got["both_orders", "normal"] == 1.0
    assert got["average", "hard"] == got["average", "easy"] == 0.5
    assert got["both_orders", "hard"] == got["both_orders", "easy"] == 0.0
    assert got["average", "accuracy"] == pytest.approx(6 / 9)
    assert got["both_orders", "accuracy"] == pytest.approx(3 / 9)
    assert table["", "math", "accuracy_of_readable"].value == pytest.approx(12 / 15)
    assert table["", "math", "malformed"].value == pytest.approx(3 / 18)
    assert table["", "math", "order_consistency"].value == pytest.approx(3 / 6)
    assert table["", "math", "position_bias"].value == pytest.approx(0.5)  # where orders differ, A won both times


@pytest.mark.parametrize(
    ("name", "model"),
    [("Skywork-Llama-3.1-8B.json", "Skywork-Llama-3.1-8B"), ("m.v2.jsonl", "m.v2"), ("plain", "plain")],
)
def test_a_model_keeps_the_dots_of_its_name(tmp_path, name, model):
    records = scored_file(tmp_path / name, [("chat", 0, [1, 1, 1], [0, 0, 0])])
    assert rm_bench.read_recorded(records, None).model == model


def test_malformed_is_of_the_answers_that_came(tmp_path):
    pairs = prompt_file(tmp_path / "code_filtered.json")
    found = {(pairs[0].id, False): answer(pairs[0], None), (pairs[1].id, False): answer(pairs[1], 1)}
    table = figures(BENCHMARK, Answers(pairs=tuple(pairs), found=found, model="m"))
    assert table["", "overall", "malformed"].value == 0.5
    assert table["average", "overall", "accuracy"].value is None


def test_a_tie_loses(tmp_path):
    pairs = prompt_file(tmp_path / "code_filtered.json")
    found = {(pair.id, swapped): answer(pair, 0, swapped=swapped) for pair in pairs for swapped in (False, True)}
    table = figures(BENCHMARK, Answers(pairs=tuple(pairs), found=found, model="m"))
    assert table["average", "overall", "accuracy"].value == 0.0
    assert table["", "overall", "order_consistency"].value == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": ["a", "b"]}, "chosen must be a list of 3 texts"),
        ({"domain": "poetry"}, "domain is 'poetry'"),
        ({"prompt": 3}, "prompt must be text"),
        ({"id": None}, "id must be text or a whole number"),
    ],
)
def test_bad_items_are_named(tmp_path, change, message):
    path = tmp_path / "chat_filtered.json"
    record = {"id": 1, "prompt": "Q?", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}
    path.write_text(json.dumps([record, record | {"id": 2} | change]))
    with pytest.raises(DataError, match=message) as caught:
        rm_bench.items(read_records([str(path)]))
    assert str(caught.value).startswith(f"{path}:2:")


def test_one_prompt_has_one_set_of_scores(tmp_path):
    prompts = [("chat", 0, [1, 1, 1], [0, 0, 0]), ("chat", 0, [1, 1, 1], [0, 0, 0])]
    with pytest.raises(DataError, match="has scores already"):
        rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts), None)


def test_the_interval_of_a_mean_of_means_covers_it(tmp_path):
    """Intervals of overall come near those of a bootstrap within domains, which is slow and obvious."""
    import numpy as np

    draw = np.random.default_rng(3)
    prompts = [
        (domain, number, draw.integers(0, 3, 3).tolist(), draw.integers(0, 2, 3).tolist())
        for number, domain in enumerate(["chat"] * 8 + ["math"] * 150 + ["code"] * 40)
    ]
    items = rm_bench.score(rm_bench.read_recorded(scored_file(tmp_path / "s.json", prompts), None))
    (overall,) = [
        one
        for one in estimates(items, strata=BENCHMARK.strata, n_resamples=4000)
        if (one.slice, one.metric) == ("overall", "accuracy")
    ]
    parts = [
        np.array([item.values["scores/accuracy"] for item in items if domain in item.slices])
        for domain in ("chat", "math", "code")
    ]
    means = [np.mean([part[draw.integers(0, len(part), len(part))].mean() for part in parts]) for _ in range(4000)]
    low, high = np.percentile(means, [2.5, 97.5])
    assert overall.low == pytest.approx(low, abs=0.01)
    assert overall.high == pytest.approx(high, abs=0.01)
