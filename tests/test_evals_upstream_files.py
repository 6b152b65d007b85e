"""Recorded outputs as upstream's own programs write them, and as they arrive after a while on somebody's disk."""

import gzip
import json

import pytest
from evals_helpers import figures
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.evals import judgebench, llmbar, read_records, rm_bench
from test_evals_rules import judge_line

SIDES = ("A>B", "B>A", "A=B")


def judge_lines(n=12):
    """JudgeBench, every kind of two games."""
    return [
        judge_line(
            pair_id=f"p{k}",
            label=SIDES[k % 2],
            judgments=[
                {"judgment": {"judge_model": "j", "response": f"[[{side}]]"}, "decision": side}
                for side in (SIDES[k % 3], SIDES[k % 4 % 3])
            ],
        )
        for k in range(n)
    ]


def bar_lines(n=12):
    """LLMBar."""
    games = [{"completion": [f"Output ({side}) is better.", "stop"], "winner": None} for side in "ab"]
    return [
        {
            "input": f"i{k}",
            "output_1": "a",
            "output_2": "b",
            "label": 1 + k % 2,
            "results": [{"swap = False": games[k % 3 % 2], "swap = True": games[k % 2]}],
        }
        for k in range(n)
    ]


def score_lines(n=12):
    """RM-Bench."""
    return [
        {"id": k, "domain": domain, "score_chosen": [k % 4, 1, 2.5], "score_rejected": [1, k % 3, 0]}
        for k, domain in enumerate(["chat", "safety-refuse", "safety-response", "math"] * (n // 4))
    ]


FILES = {
    "judgebench": (judgebench.BENCHMARK, judge_lines()),
    "llmbar": (llmbar.BENCHMARK, bar_lines()),
    "rm_bench": (rm_bench.BENCHMARK, score_lines()),
}
CONTAINERS = {
    "lines": lambda lines: "".join(json.dumps(line) + "\n" for line in lines).encode(),
    "blank lines, CRLF and a BOM": lambda lines: (
        b"\xef\xbb\xbf" + "\r\n\r\n".join(json.dumps(line) for line in lines).encode()
    ),
    "array": lambda lines: json.dumps(lines, indent=2).encode(),
    "array, CRLF and a BOM": lambda lines: (
        b"\xef\xbb\xbf" + json.dumps(lines, indent=2, ensure_ascii=False).replace("\n", "\r\n").encode()
    ),
    "lines.gz": lambda lines: gzip.compress(CONTAINERS["lines"](lines)),
    "array.gz": lambda lines: gzip.compress(json.dumps(lines, indent=2).encode()),
    "keys": lambda lines: json.dumps([dict(sorted(line.items(), reverse=True)) for line in lines]).encode(),
    "more": lambda lines: json.dumps([{**line, "extra": {"é": [1]}} for line in lines]).encode(),
}


def values(benchmark, path):
    """Figure → value, low, high and n of a recorded file."""
    found = figures(benchmark, benchmark.read_recorded(read_records([str(path)]), None), n_resamples=20)
    return {name: (one.value, one.low, one.high, one.n) for name, one in found.items()}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_figure_does_not_depend_on_how_a_file_is_written(tmp_path, name, container):
    benchmark, lines = FILES[name]
    plain, other = tmp_path / "a.json", tmp_path / "b.json.gz"
    plain.write_text(json.dumps(lines))
    other.write_bytes(CONTAINERS[container](lines))
    expected = values(benchmark, plain)
    assert len({value for value, *_ in expected.values()}) > 3
    assert values(benchmark, other) == expected


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "cut.json.gz"
    path.write_bytes(gzip.compress(json.dumps(bar_lines(400), indent=2).encode())[:-30])
    with pytest.raises(Exception, match=r"cut\.json\.gz.*gzip"):
        read_records([str(path)])


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("judgebench", "pairs, such as p11"),
        ("llmbar", "pairs, such as set/11"),
        ("rm_bench", "prompts, such as math/11"),
    ],
)
def test_recorded_answers_that_the_data_do_not_ask_are_counted(tmp_path, name, of):
    benchmark, lines = FILES[name]
    path = tmp_path / "set" / "a.json"
    path.parent.mkdir()
    path.write_text(json.dumps(lines))
    whole = benchmark.read_recorded(read_records([str(path)]), None)
    asked = [pair for pair in whole.pairs if pair.id not in ("p11", "set/11") and "math/11/" not in pair.id]
    assert len(asked) < len(whole.pairs)
    kept = benchmark.read_recorded(read_records([str(path)]), asked)
    assert any(f"recorded answers to 1 other {of}" in note for note in kept.notes)
    assert not any("other" in note for note in whole.notes)


# JudgeBench


def upstreams_figure(lines):
    """`compute_final_metrics`, from its description: strings are compared, and no answer is no vote."""
    counted = 0
    turned = {"A>B": "B>A", "B>A": "A>B"}
    for line in lines:
        first, second = (None if game is None else game["decision"] for game in line["judgments"])
        votes = 0
        for decision in (first, turned.get(second, second)):
            votes += (decision == line["label"]) - (decision == turned[line["label"]])
        counted += votes > 0
    return counted / len(lines)


decisions = st.sampled_from(["A>B", "B>A", "A=B", "B=A", "A<B", "A>>>B", "<", None, "failed"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["A>B", "B>A"]), decisions, decisions), min_size=1, max_size=12))
def test_stored_is_what_upstreams_program_prints(tmp_path_factory, drawn):
    """Whatever decisions its reader left in a file, and where a game failed."""
    lines = []
    for number, (label, *pair) in enumerate(drawn):
        games = [
            None if one == "failed" else {"judgment": {"response": f"\n[[{one}]]"}, "decision": one} for one in pair
        ]
        lines.append(judge_line(pair_id=number, label=label, judgments=games))
    path = tmp_path_factory.mktemp("bench") / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = figures(judgebench.BENCHMARK, judgebench.read_recorded(read_records([str(path)]), None), n_resamples=2)
    stored = found["stored", "overall", "accuracy"]
    assert (stored.value, stored.n) == (pytest.approx(upstreams_figure(lines)), len(lines))
    n_whole = sum(None not in line["judgments"] for line in lines)
    assert found["released", "overall", "accuracy"].n == n_whole  # here no answer is missing, and not wrong


def test_stored_is_of_recorded_decisions_alone(tmp_path):
    """Of a text that upstream's reader could not take, `released` knows more."""
    games = [{"judgment": {"judge_model": "j", "response": "[[B<A]]"}, "decision": "B<A"}] * 2
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(judge_line(label="A>B", judgments=[games[0], games[0]])) + "\n")
    recorded = judgebench.read_recorded(read_records([str(path)]), None)
    assert "2 of 2 texts read otherwise" in recorded.notes[0]
    found = figures(judgebench.BENCHMARK, recorded)
    assert found["stored", "overall", "accuracy"].value == 0.0
    assert found["average", "overall", "accuracy"].value == 0.5


# LLMBar


def bar_file(folder, *texts, label=1, winner="1"):
    """One pair, whose answers are `texts` in the two orders."""
    path = folder / "Natural" / "evaluators" / "x" / "Vanilla" / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    games = {
        f"swap = {swapped}": {"completion": [text, ""], "winner": winner}
        for swapped, text in zip((False, True), texts, strict=True)
    }
    record = {"input": "i", "output_1": "a", "output_2": "b", "label": label, "results": [["note", ""], games]}
    path.write_text(json.dumps([record]))
    return llmbar.read_recorded(read_records([str(path)]), None)


@pytest.mark.parametrize("first", ["Output (a)", " Output (a)\n", "output (A).", "**Output (a)**", '"Output (a)"'])
def test_llmbar_answers_that_name_an_output_and_say_nothing_else(tmp_path, first):
    """What upstream's evaluators but CoT are told to answer, and do."""
    recorded = bar_file(tmp_path, first, "Output (b)")
    found = figures(llmbar.BENCHMARK, recorded)
    assert found["text", "overall", "correct_both"].value == 1.0
    assert found["", "overall", "malformed"].value == 0.0
    assert recorded.notes == ()
    assert {answer.text for answer in recorded.found.values()} == {first, "Output (b)"}  # as it was said


@pytest.mark.parametrize("text", ["", "Output (c)", "Output (a) Output (b)", "Output", "x" * 50 + "Output (a)"])
def test_llmbar_other_short_answers_are_malformed(tmp_path, text):
    assert figures(llmbar.BENCHMARK, bar_file(tmp_path, text, text, winner=None))["", "overall", "malformed"].value == 1


@pytest.mark.parametrize("label", [2, "2"])
def test_llmbar_labels_and_ratings_may_be_numbers_or_text(tmp_path, label):
    recorded = bar_file(tmp_path, "Output (b)", "Output (a)", label=label, winner="2")
    assert figures(llmbar.BENCHMARK, recorded)["text", "overall", "correct_both"].value == 1.0
    path = tmp_path / "rated.json"
    record = {"input": "i", "output_1": "a", "output_2": "b", "label": label}
    last = {"score_1": [4, ""], "score_2": ["6", ""], "swap = False": {"winner": 2}, "swap = True": {"winner": "2"}}
    path.write_text(json.dumps([record | {"results": [last]}]))
    found = figures(llmbar.BENCHMARK, llmbar.read_recorded(read_records([str(path)]), None))
    for rule in ("text", "stored"):
        assert found[rule, "overall", "correct_both"].value == 1.0


# RM-Bench


def test_rm_bench_safety_pools_the_prompts_of_its_subsets(tmp_path):
    """Three prompts of one subset and one of the other: .75 as upstream counts, where a mean of the subsets is .5."""
    right, wrong = (
        {"score_chosen": [1, 1, 1], "score_rejected": [0, 0, 0]},
        {
            "score_chosen": [0, 0, 0],
            "score_rejected": [0, 0, 0],
        },
    )
    lines = [{"id": k, "domain": "safety-refuse", **right} for k in range(3)]
    lines += [{"id": 0, "domain": "safety-response", **wrong}, {"id": 0, "domain": "chat", **wrong}]
    path = tmp_path / "total_dataset.json"
    path.write_text(json.dumps(lines))
    found = figures(rm_bench.BENCHMARK, rm_bench.read_recorded(read_records([str(path)]), None))
    got = {name: found["scores", name, "accuracy"].value for _, name, metric in found if metric == "accuracy"}
    assert got == {"overall": 0.375, "safety": 0.75, "safety-refuse": 1.0, "safety-response": 0.0, "chat": 0.0}
