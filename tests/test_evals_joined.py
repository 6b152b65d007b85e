"""Recorded outputs are joined to the data by id: what they are about must be what the data hold."""

import json

import pytest
from evals_helpers import pair
from rationale_rm import RationaleError
from rationale_rm.data import DataError, read_pairs
from rationale_rm.evals import judgebench, llmbar, rationale, read_ours, read_records, rm_bench
from rationale_rm.metrics import Settings
from records import critiqued, write
from records import pair as record
from test_evals_rules import judge_line

GAME = {"completion": ["Output (a) is better.", "stop"], "winner": "1"}


def natural(folder, name, records):
    path = folder / "Natural" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records))
    return read_records([str(path)])


def bar_records(n=3):
    games = {"swap = False": GAME, "swap = True": GAME}
    return [
        {"input": f"Do {k}.", "output_1": f"a{k}", "output_2": f"b{k}", "label": 1, "results": [games]}
        for k in range(n)
    ]


def test_llmbar_in_another_order_is_refused(tmp_path):
    """The ids are places in a file: of the same pairs in another order each answer would be about another pair."""
    recorded = natural(tmp_path, "result.json", bar_records())
    asked = llmbar.items(natural(tmp_path, "dataset.json", bar_records()))
    assert len(llmbar.read_recorded(recorded, asked).found) == 6
    other = llmbar.items(natural(tmp_path, "dataset.json", bar_records()[::-1]))
    with pytest.raises(RationaleError, match=r"result\.json:1: .*Natural/0 is about a prompt.*dataset\.json:1"):
        llmbar.read_recorded(recorded, other)


@pytest.mark.parametrize(
    ("change", "what"),
    [({"question": "R?"}, "a prompt"), ({"response_B": "c"}, "responses"), ({"label": "A>B"}, "a label")],
)
def test_judgebench_of_other_texts_is_refused(tmp_path, change, what):
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps(judge_line()))
    recorded = read_records([str(path)])
    path.write_text(json.dumps(judge_line() | change))
    with pytest.raises(RationaleError, match=f"about {what} other than in"):
        judgebench.read_recorded(recorded, judgebench.items(read_records([str(path)])))


@pytest.mark.parametrize("change", [{"response1": "Other."}, {"context": [{"role": "user", "content": "O?"}]}])
def test_our_own_answers_to_other_texts_are_refused(tmp_path, change):
    texts = record(label=None)
    known = pair("p1", context=tuple(texts["context"]), response1=texts["response1"], response2=texts["response2"])
    assert read_ours([str(write(tmp_path / "a.jsonl", critiqued(texts)))], pairs=[known]).found
    lines = critiqued(texts | change)
    with pytest.raises(RationaleError, match="the recorded answer to p1 is about"):
        read_ours([str(write(tmp_path / "a.jsonl", lines))], pairs=[known])


def test_rationales_of_other_human_reasons_are_refused(tmp_path):
    answers = read_pairs([str(write(tmp_path / "a.jsonl", critiqued(record())))]).pairs
    asked = read_pairs([str(write(tmp_path / "p.jsonl", record()))]).pairs
    assert rationale.judged(answers, None, Settings(), asked).records
    other = read_pairs([str(write(tmp_path / "p.jsonl", record(**{"human-checklist": ["It is long."]})))]).pairs
    with pytest.raises(RationaleError, match="about human reasons other than"):
        rationale.judged(answers, None, Settings(), other)


def prompts(path, *records):
    path.write_text(json.dumps(records))
    return str(path)


PROMPT = {"id": 1, "prompt": "Q?", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}
SCORES = {"score_chosen": [1, 2, 3], "score_rejected": [0, 1, 2]}


def test_rm_bench_scores_of_other_texts_are_refused(tmp_path):
    recorded = read_records([prompts(tmp_path / "chat_scores.json", PROMPT | SCORES)])
    asked = rm_bench.items(read_records([prompts(tmp_path / "chat_filtered.json", PROMPT)]))
    assert rm_bench.read_recorded(recorded, asked).recorded
    other = rm_bench.items(
        read_records([prompts(tmp_path / "chat_filtered.json", PROMPT | {"rejected": ["d", "e", "g"]})])
    )
    with pytest.raises(RationaleError, match="chat/1/concise-markdown is about responses"):
        rm_bench.read_recorded(recorded, other)


def test_rm_bench_has_one_result_a_prompt_and_rotation(tmp_path):
    once = PROMPT | {"result": [1, 0, 1]}
    files = [prompts(tmp_path / f"chat_{n}.json", once) for n in range(3)]
    assert rm_bench.read_recorded(read_records(files), None).recorded
    twice = [files[0], prompts(tmp_path / "chat_twice.json", once, once | {"result": [0, 0, 0]}), files[2]]
    with pytest.raises(DataError, match=r"chat_twice\.json:2: .*results of this rotation already"):
        rm_bench.read_recorded(read_records(twice), None)
    other = [files[0], prompts(tmp_path / "chat_other.json", once | {"chosen": ["x", "b", "c"]}), files[2]]
    with pytest.raises(RationaleError, match="about responses other than"):
        rm_bench.read_recorded(read_records(other), None)
