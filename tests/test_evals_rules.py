"""What counts as right, wrong and missing, benchmark by benchmark, on cases counted by hand."""

import json

import pytest
from evals_helpers import answers, figures, pair
from rationale_rm.data import DataError
from rationale_rm.documents import SampleView
from rationale_rm.evals import (
    ScoredItem,
    estimates,
    judgebench,
    llmbar,
    read_ours,
    read_records,
    sample_views,
    statuses,
)
from records import critiqued, write
from records import pair as record

RIGHT, WRONG, TIE, BAD, NEVER = 1, -1, 0, None, "never"
# (given order, swapped) → released, both orders, average; None: missing
GAMES = {
    (RIGHT, RIGHT): (1, 1, 1),
    (RIGHT, TIE): (1, 0, 0.5),
    (RIGHT, BAD): (1, 0, 0.5),
    (RIGHT, WRONG): (0, 0, 0.5),
    (TIE, TIE): (0, 0, 0),
    (WRONG, TIE): (0, 0, 0),
    (WRONG, WRONG): (0, 0, 0),
    (BAD, BAD): (0, 0, 0),
    (RIGHT, NEVER): (None, None, None),
    (NEVER, NEVER): (None, None, None),
}


@pytest.mark.parametrize("games", GAMES, ids=str)
@pytest.mark.parametrize("label", [1, -1])
@pytest.mark.parametrize("strong", [1, 2])
def test_judgebench_rules(games, label, strong):
    """Whichever response is right, and however strong the verdict."""
    shown = [verdict * label * strong if isinstance(verdict, int) else verdict for verdict in games]
    for order in (shown, shown[::-1]):
        (item,) = judgebench.score(answers((pair(label=label, domain="mmlu-pro-law"), *order)))
        found = tuple(item.values[f"{rule}/accuracy"] for rule in ("released", "both_orders", "average"))
        assert found == GAMES[games]


def test_malformed_is_wrong_and_shown_beside():
    games = [(pair("a"), RIGHT, RIGHT), (pair("b"), BAD, RIGHT), (pair("c"), NEVER, RIGHT), (pair("d"), WRONG, WRONG)]
    given = answers(*games)
    found = figures(llmbar.BENCHMARK, given)
    average = found["text", "overall", "correct_average"]
    assert (average.value, average.n, average.n_total) == (0.5, 3, 4)
    assert average.pessimistic == pytest.approx(1.5 / 4)
    malformed = found["", "overall", "malformed"]
    assert (malformed.value, malformed.n, malformed.pessimistic) == (
        pytest.approx(0.5 / 4),
        4,
        None,
    )  # of those that came
    first = found["text", "overall", "correct_False"]
    assert (first.value, first.n) == (pytest.approx(1 / 3), 3)
    readable = found["", "overall", "accuracy_of_readable"]  # a: both, b: its one, c: its one, d: neither
    assert (readable.value, readable.n, readable.pessimistic) == (0.75, 4, None)
    assert found["", "overall", "order_consistency"].n == 2  # of the pairs with a verdict in both orders
    assert statuses(given) == {"ok": 6, "no_verdict": 1, "not_answered": 1}
    views = {view.id: view for view in sample_views(given)}
    assert (views["b"].right, views["b"].status) == (False, "no_verdict")
    assert (views["c"].right, views["c"].status, views["c"].error) == (None, "not_answered", "timeout: gone")
    assert all(SampleView.from_dict(json.loads(json.dumps(view.to_dict()))) == view for view in views.values())


def test_position_bias_has_a_sign():
    for first, second, bias in ((RIGHT, WRONG, 1.0), (WRONG, RIGHT, -1.0), (RIGHT, RIGHT, 0.0), (TIE, TIE, 0.0)):
        (item,) = llmbar.score(answers((pair(), first, second)))
        assert item.values["/position_bias"] == bias, (first, second)


def test_nothing_was_answered():
    found = figures(judgebench.BENCHMARK, answers((pair(), NEVER, NEVER)))
    accuracy = found["released", "overall", "accuracy"]
    assert (accuracy.value, accuracy.low, accuracy.n, accuracy.n_total) == (None, None, 0, 1)
    assert accuracy.unavailable


def test_intervals_draw_clusters():
    """Forty copies of one answer are one answer: a cluster of them has no interval, two have a wide one."""

    def item(name, cluster, value):
        return ScoredItem(id=name, cluster=cluster, values={"r/m": value})

    one = [item(str(n), "same", 1.0) for n in range(40)]
    (estimate,) = estimates(one, n_resamples=100)
    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)
    assert "single cluster" in estimate.unavailable
    two = [item(str(n), str(n % 2), float(n % 2)) for n in range(40)]
    (estimate,) = estimates(two, n_resamples=500)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)


def judge_line(**changes):
    """A line of JudgeBench's run_judge.py."""
    line = {
        "pair_id": "p1",
        "source": "livecodebench",
        "question": "Q?",
        "response_A": "a",
        "response_B": "b",
        "label": "B>A",
        "judge_name": "arena_hard",
        "judgments": [
            {"judgment": {"judge_model": "j", "response": "So [[B>>A]]"}, "decision": "B>A"},
            {"judgment": {"judge_model": "j", "response": "[[A>B]] though [[B>A]]"}, "decision": None},
        ],
    }
    return line | changes


def test_judgebench_conflicting_labels_are_none(tmp_path):
    found = figures(judgebench.BENCHMARK, judgebench.read_recorded(read(tmp_path, judge_line()), None))
    assert found["released", "code", "accuracy"].value == 1.0
    assert found["both_orders", "code", "accuracy"].value == 0.0
    assert found["", "code", "malformed"].value == 0.5


def test_judgebench_other_judges_by_their_decision(tmp_path):
    """A null judgment is a call that failed; a null decision an answer without a verdict."""
    games = [{"judgment": {"response": "Output (b)"}, "decision": "B>A"}, None]
    recorded = judgebench.read_recorded(read(tmp_path, judge_line(judge_name="vanilla", judgments=games)), None)
    found = figures(judgebench.BENCHMARK, recorded)
    assert found["released", "overall", "accuracy"].value is None
    assert any("recorded decision stands" in note for note in recorded.notes)
    one = judge_line(judge_name="reward_model", judgments=[{"judgment": {}, "decision": "B>A"}])
    found = figures(judgebench.BENCHMARK, judgebench.read_recorded(read(tmp_path, one), None))
    assert found["released", "overall", "accuracy"].value == 1.0
    assert ("both_orders", "overall", "accuracy") not in found


def test_judgebench_says_where_texts_read_otherwise(tmp_path):
    line = judge_line()
    line["judgments"][0]["decision"] = "A>B"
    assert "1 of 2 texts read otherwise" in judgebench.read_recorded(read(tmp_path, line), None).notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "A=B"}, "label is 'A=B'"),
        ({"judgments": []}, "one or two games"),
        ({"judgments": ["A>B"]}, "objects or null"),
        ({"judge_name": "vanilla", "judgments": [{"decision": "maybe"}]}, "decision is 'maybe'"),
        ({"question": None}, "question must be text"),
    ],
)
def test_judgebench_bad_lines_are_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message) as caught:
        judgebench.read_recorded(read(tmp_path, judge_line(), judge_line(pair_id="p2") | change), None)
    assert ":2:" in str(caught.value)


def read(folder, *lines):
    """Records of JSON Lines."""
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_records([str(path)])


def bar(folder, scores, *, label=1, winners=("1", "1")):
    """An LLMBar result whose outputs were rated alone."""
    path = folder / "Adversarial" / "Manual" / "evaluators" / "x" / "Rating" / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    last = {f"score_{n}": [text, "stop"] for n, text in enumerate(scores, 1)}
    last |= {"swap = False": {"winner": winners[0]}, "swap = True": {"winner": winners[1]}}
    path.write_text(json.dumps([{"input": "i", "output_1": "a", "output_2": "b", "label": label, "results": [last]}]))
    return llmbar.read_recorded(read_records([str(path)]), None)


def test_llmbar_ratings_and_subsets(tmp_path):
    found = figures(llmbar.BENCHMARK, bar(tmp_path, ("7", "3")))
    for slice_name in ("overall", "Adversarial", "Adversarial/Manual"):
        assert found["text", slice_name, "correct_both"].value == 1.0
    tied = bar(tmp_path, ("5", "5"), winners=("2", "1"))  # the output shown second
    found = figures(llmbar.BENCHMARK, tied)
    assert found["text", "overall", "correct_False"].value == 0.0
    assert found["text", "overall", "correct_True"].value == 1.0
    assert tied.notes == ()
    unread = bar(tmp_path, ("5", "none"), winners=(None, None))
    assert figures(llmbar.BENCHMARK, unread)["", "overall", "malformed"].value == 1.0


def test_llmbar_ids_do_not_depend_on_how_a_path_is_given(tmp_path, monkeypatch):
    bar(tmp_path, ("7", "3"))
    folder = tmp_path / "Adversarial" / "Manual" / "evaluators" / "x" / "Rating"
    (folder / "deep").mkdir()
    whole = str(folder / "result.json")
    for place, given in ((folder, "result.json"), (folder / "deep", "../result.json"), (tmp_path, whole)):
        monkeypatch.chdir(place)
        answers = llmbar.read_recorded(read_records([given]), None)
        assert (answers.pairs[0].id, answers.model) == ("Adversarial/Manual/0", "x/Rating")


def test_our_own_records_join_by_id(tmp_path):
    texts = record()
    asked = {"context": tuple(texts["context"]), "response1": texts["response1"], "response2": texts["response2"]}
    pairs = [pair(name, **asked) for name in ("p1", "p2", "p3")]
    lines = [
        critiqued(record(id="p1"), "A>B"),
        critiqued(record(id="p1"), "B>A", swapped=True),
        critiqued(record(id="p2"), error="timeout: gone"),
        critiqued(record(id="p2"), "A>>B", swapped=True),
        critiqued(record(id="elsewhere"), "A>B"),
    ]
    found = read_ours([str(write(tmp_path / "c.jsonl", *lines))], pairs=pairs)
    assert found.found["p1", False].verdict == 1
    assert found.found["p1", True].verdict == -1
    assert found.found["p2", False].error == "timeout: gone"
    assert ("p3", False) not in found.found
    assert "1 other pairs, such as elsewhere" in found.notes[0]
    values = figures(llmbar.BENCHMARK, found)["text", "overall", "correct_average"]
    assert (values.value, values.n, values.n_total) == (0.5, 1, 3)
