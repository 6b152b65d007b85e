"""The local judges: what they read of a text, how they score, and what must not change a result."""

import asyncio
import json
import math
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import judging
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import LocalClient
from rationale_rm import RationaleError
from rationale_rm.judge import Caller, MetaJudge
from rationale_rm.judge.local import EmbeddingJudge, LexicalJudge, open_local
from rationale_rm.judge.local.alignment import SHARPNESS, Texts, align, rivalry
from rationale_rm.judge.local.claims import read
from rationale_rm.judge.local.conflicts import CONFLICTS, conflicts
from rationale_rm.judge.local.judge import FEATURES, PART, PART_CELLS, parts
from rationale_rm.judge.local.model import shipped
from rationale_rm.judge.local.numbers import disagree
from rationale_rm.judge.local.sides import focus, mentions
from rationale_rm.judge.local.thread import in_thread
from rationale_rm.judge.local.words import MAX_CHARACTERS, stem, words
from rationale_rm.types import MetaJudgeStatus

from benches import calibrate_local

PAIRS = [
    json.loads(line) for line in (Path(__file__).parent / "polarity" / "pairs.jsonl").read_text("utf-8").splitlines()
]
HELD_OUT_FLOOR = 0.69
"""Accuracy of the lexical judge on the held-out half: .706 measured (docs/local-judges.md)."""


def request(references, reasons, *, swapped=False, id="r"):
    return judging.request(references=tuple(references), reasons=tuple(reasons), swapped=swapped, id=id)


def score(reference, reason, *, swapped=False):
    (result,) = LexicalJudge().answer([request([reference], [reason], swapped=swapped)])
    return result.entries[0][2] if result.entries else 0.0


# Reading.


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Response A is short.", [1]),
        ("Response 2 is short, response 1 is not.", [2, 1]),
        ("@Response 1 sorts.", [1]),
        ("The second response is longer than the first response.", [2, 1]),
        ("A never closes the file; B does.", [1, 2]),
        ("A's regex is right.", [1]),
        ("In B the units are missing.", [2]),
        ("A clear table would help.", []),
        ("A child of ten would find response 2 hard.", [2]),
        ("It lacks a base case.", []),
        ("The response a user wants is short.", []),
        ("Both answers are one line long.", []),
        ("Answer b) is right", [2]),
        ("", []),
    ],
)
def test_responses_are_found_however_they_are_named(text, sides):
    assert [mention.side for mention in mentions(words(text))] == sides


def test_a_swapped_display_turns_the_sides_of_the_model_alone():
    assert [mention.side for mention in mentions(words("A beats B."), swapped=True)] == [2, 1]
    leak = "Response {} leaks memory in the loop."
    assert score(leak.format("A"), leak.format("A")) > 0.9
    assert score(leak.format("A"), leak.format("B")) == 0
    assert score(leak.format("A"), leak.format("B"), swapped=True) > 0.9
    assert score(leak.format("A"), leak.format("A"), swapped=True) == 0


@pytest.mark.parametrize(
    ("text", "side"),
    [("Unlike B, A sorts.", 1), ("A is shorter than B.", 1), ("Better than A in every way.", 2), ("It is short.", 0)],
)
def test_the_focus_is_what_is_not_only_compared_with(text, side):
    assert focus(mentions(words(text))) == side


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A lists four tips, not six.", {"4", "6"}),
        ("It totals 1,200 euros (1200.00 EUR).", {"1200"}),
        ("Response 2 waits 0,5 s.", {"0.5"}),
        ("It runs in O(n log n), not O(n^2) or O(n²).", {"O(nlogn)", "O(n^2)"}),
        ("One could say so; response 1 does.", set()),
        ("Version 1.2.3", {"1.2.3"}),
    ],
)
def test_numbers_come_in_one_spelling(text, numbers):
    assert read(text).numbers == numbers


def test_a_number_may_be_left_out_and_not_changed():
    five, five_of_nine, nine = (frozenset(found) for found in ({"5"}, {"5", "9"}, {"9"}))
    assert not disagree(five, five_of_nine)
    assert not disagree(frozenset(), five)
    assert disagree(five, nine)
    assert score("Response A waits 30 seconds for each call.", "A waits 30 seconds for each call.") > 0.9
    assert score("Response A waits 30 seconds for each call.", "A waits 10 seconds for each call.") == 0


@pytest.mark.parametrize(
    ("text", "tone", "denied"),
    [
        ("Response A is correct and clear.", 1, False),
        ("Response A is not correct.", -1, True),
        ("Response A has no errors.", 1, True),
        ("Response A lacks a base case.", -1, True),
        ("Response A is better than Response B.", 1, False),
        ("Response A runs on Tuesday.", 0, False),
        ("B is incorrect, A is right.", -1, False),
    ],
)
def test_tone_and_denial(text, tone, denied):
    claim = read(text)
    assert (claim.tone, claim.denied) == (tone, denied)


def conflict(reference, reason, **changes):
    return dict(zip(CONFLICTS, conflicts(read(reference), read(reason), swapped=False, **changes), strict=True))


def test_conflicts_need_the_same_subject():
    about = "Response A handles an empty list correctly."
    assert conflict(about, "Response A handles an empty list incorrectly.")["denied_words"] > 0.1
    assert conflict(about, "Response A does not handle an empty list correctly.")["tone"] > 0.5
    far = conflict(about, "A cites a source that is outdated.")
    assert far["tone"] == 0
    assert far["denied_words"] == 0
    assert conflict("The list is handled correctly.", "The list is handled incorrectly.")["tone"] == 0  # of no response


def test_a_comparison_turned_round_twice_is_the_same_point():
    first = "Response A is more accurate than Response B."
    assert not any(conflict(first, "Response B is less accurate than Response A.").values())
    assert conflict(first, "Response B is more accurate than Response A.")["side"] == 1


@pytest.mark.parametrize(
    "forms",
    [("sorts", "sorted", "sorting"), ("crash", "crashed"), ("correct", "correctly"), ("user", "users", "user's")],
)
def test_forms_of_a_word_share_a_stem(forms):
    assert len({stem(word) for word in forms}) == 1


@given(st.text(max_size=200))
def test_any_text_is_read_and_spans_hold_the_words(text):
    for word in words(text):
        assert text[word.start : word.end] == word.text
    claim = read(text)
    assert all(0 <= term.start < term.end <= len(text) for term in claim.terms)
    assert read(text) == claim


# Alignment against a slow reading of its docstring.

SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@given(SIZES, st.integers(0, 4), st.randoms(use_true_random=False))
def test_alignment_equals_its_definition(sizes, n, rng):
    total = sum(sizes)
    similarity = np.array([[rng.uniform(-1, 1) for _ in range(total)] for _ in range(n)]).reshape(n, total)
    shared = np.array([[rng.random() < 0.3 for _ in range(total)] for _ in range(n)], dtype=bool).reshape(n, total)
    rows = np.array([rng.random() < 0.7 for _ in range(n)], dtype=bool)
    columns = np.array([rng.random() < 0.7 for _ in range(total)], dtype=bool)
    found = align(similarity, shared, rows, columns, Texts(sizes))
    start = 0
    for at, size in enumerate(sizes):
        own = range(start, start + size)
        start += size
        ours, theirs = [i for i in range(n) if rows[i]], [j for j in own if columns[j]]
        if not ours or not theirs:
            assert found[at].tolist() == [0, 0, 0]
            continue
        best = {i: max(similarity[i, j] for j in own) for i in ours}
        novel = [i for i in ours if not any(shared[i, j] for j in own)] or ours
        back = [max(similarity[i, j] for i in range(n)) for j in theirs]
        assert found[at, 0] == pytest.approx(soft_minimum(list(best.values())))
        assert found[at, 1] == pytest.approx(sum(best[i] for i in novel) / len(novel))
        assert found[at, 2] == pytest.approx(soft_minimum(back))


def soft_minimum(values):
    return -math.log(sum(math.exp(-SHARPNESS * value) for value in values) / len(values)) / SHARPNESS


@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_leads_equal_their_definition(n, m, rng):
    table = np.array([[rng.choice([0.0, 0.5, rng.random()]) for _ in range(m)] for _ in range(n)])
    found = rivalry(table)
    for i in range(n):
        for j in range(m):
            rivals = [[table[k, j] for k in range(n) if k != i], [table[i, k] for k in range(m) if k != j]]
            leads = [(table[i, j] - sum(r) / len(r), table[i, j] - max(r)) for r in rivals if r]
            expected = np.mean(leads, axis=0) if leads else [0, 0]
            assert found[i, j] == pytest.approx(expected)


# Judging.


def some_requests(count=80):
    rng = random.Random(5)
    made = []
    for at in range(count):
        picked = rng.sample(PAIRS, rng.randint(0, 4))
        references = [one["reference"] for one in picked]
        reasons = [one["reason"] for one in rng.sample(PAIRS, rng.randint(0, 4))] + [
            one["reason"] for one in picked[:2]
        ]
        made.append(request(references, reasons, swapped=rng.random() < 0.5, id=str(at)))
    return made


def test_a_result_does_not_depend_on_what_else_is_asked():
    requests = some_requests()
    assert len(requests) > 2 * PART
    judge = LexicalJudge()
    together = judge.answer(requests)
    assert sum(len(result.entries) for result in together) > 50
    shuffled = random.Random(1).sample(requests, len(requests))
    assert {result.id: result for result in LexicalJudge().answer(shuffled)} == {
        result.id: result for result in together
    }
    assert [judge.answer([one])[0] for one in requests] == together


def test_match_tells_of_each_result_once_and_in_order():
    requests = some_requests(40)
    judge = LexicalJudge()
    heard = []
    results = asyncio.run(judge.match(requests, on_result=heard.append))
    assert heard == results == judge.answer(requests)
    assert [result.request_id for result in results] == [one.id for one in requests]
    assert {result.judge for result in results} == {"lexical"}


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=80))
def test_parts_are_bounded_and_hold_every_request_once(sizes):
    requests = [request(["r"] * n, ["s"] * m, id=str(at)) for at, (n, m) in enumerate(sizes)]
    found = list(parts(requests))
    assert [one for part in found for one in part] == requests
    for part in found:
        cells = sum(len(one.references) * len(one.reasons) for one in part)
        assert 0 < len(part) <= PART
        assert cells <= PART_CELLS or len(part) == 1


class HeldJudge(LexicalJudge):
    """Holds every part until it is let go; `begun` and `ended` count them."""

    def __init__(self):
        super().__init__()
        self.begun = self.ended = 0
        self.inside, self.go = threading.Event(), threading.Event()

    def _part(self, requests):
        self.begun += 1
        self.inside.set()
        assert self.go.wait(30)
        self.ended += 1
        return super()._part(requests)


def test_a_cancelled_batch_ends_with_the_part_that_it_is_at():
    """Not before, for its thread still takes a core, and not later."""
    judge = HeldJudge()

    async def cancelled():
        task = asyncio.ensure_future(judge.match(some_requests(3 * PART)))
        await asyncio.to_thread(judge.inside.wait, 30)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done(), "its thread computes"
        judge.go.set()
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()

    asyncio.run(cancelled())
    assert (judge.begun, judge.ended) == (1, 1)


def test_work_that_still_waits_for_its_thread_is_not_begun():
    """The threads of a loop are few: what is cancelled while it queues must not run after all."""
    go, begun = threading.Event(), []

    def work(number):
        begun.append(number)
        assert go.wait(30)
        return number

    async def crowded():
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        first = asyncio.ensure_future(in_thread(work, 1))
        second = asyncio.ensure_future(in_thread(work, 2))
        while not begun:
            await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0.05)
        go.set()
        assert await first == 1
        await asyncio.wait([second], timeout=30)
        assert second.cancelled()

    asyncio.run(crowded())
    assert begun == [1]


def test_scores_are_sparse_and_within_bounds():
    for asked, result in zip(some_requests(), LexicalJudge().answer(some_requests()), strict=True):
        assert result.answered == bool(asked.references)
        assert len({entry[:2] for entry in result.entries}) == len(result.entries)
        for reference, reason, value in result.entries:
            assert 0 <= reference < len(asked.references)
            assert 0 <= reason < len(asked.reasons)
            assert shipped("lexical:token_set").floor <= value <= 1


def test_a_rival_that_fits_better_takes_from_a_weak_match():
    weak = "Response A forgets to close the socket."
    judge = LexicalJudge()
    alone, listed = judge.probabilities(
        [
            request([weak], ["A forgets to close the file."]),
            request([weak, "Response A forgets to close the file."], ["A forgets to close the file."]),
        ]
    )
    assert listed[1, 0] > 0.9
    assert listed[0, 0] < alone[0, 0]


def test_text_that_is_no_unicode_fails_its_own_request_and_is_not_0():
    good = request(["The file is never closed."], ["It never closes the file."], id="good")
    for bad in (request(["\ud800"], ["x"]), request(["x"], ["fine", "bad \udfff"])):
        failed, answered = LexicalJudge().answer([bad, good])
        assert not failed.answered
        assert failed.statuses == (MetaJudgeStatus.INVALID_UNICODE,)
        assert failed.entries == ()
        assert "lone surrogate at character" in failed.error
        assert answered.answered
        assert answered.entries


@pytest.mark.parametrize(("references", "reasons"), [(["A fails."], []), ([" "], ["A fails."]), ([" "], ["\n", ""])])
def test_empty_lists_of_reasons_and_blank_texts_have_an_answer_without_matches(references, reasons):
    (result,) = LexicalJudge().answer([request(references, reasons)])
    assert (result.answered, result.entries, result.error) == (True, (), None)


@pytest.mark.parametrize("reasons", [[], ["A fails."]])
def test_without_human_reasons_there_is_no_answer_as_from_a_metajudge(reasons):
    (result,) = LexicalJudge().answer([request([], reasons)])
    (asked,) = asyncio.run(MetaJudge(Caller(LocalClient())).match([request([], reasons)]))
    assert (result.statuses, result.entries, result.error) == (asked.statuses, asked.entries, asked.error)
    assert not result.answered
    assert result.error.startswith("no_references: ")


def test_huge_texts_and_long_lists_are_bounded():
    point = "Response A never closes the file it opens."
    huge = point + " padding" * 130_000
    assert len(huge) > 1_000_000
    assert len(words(huge)) <= MAX_CHARACTERS
    hostile = ["a" * 1_000_000, "1," * 500_000, "O(" * 500_000, "\u3042" * 1_000_000, "not " * 250_000, "A\n" * 500_000]
    (result,) = LexicalJudge().answer([request([point, huge], [point, huge, *hostile])])
    assert result.answered
    assert (0, 0) in {entry[:2] for entry in result.entries}
    texts = [
        f"Response {'AB'[n % 2]} gets value {n} of column {n * 7 % 31} wrong in table {n % 13}." for n in range(200)
    ]
    (result,) = LexicalJudge().answer([request(texts, texts)])
    found = {entry[:2]: entry[2] for entry in result.entries}
    assert all(found.get((n, n), 0) > 0.5 for n in range(200))
    assert not any((i - j) % 2 for i, j in found)  # never a match across sides


def test_it_says_that_it_is_a_stand_in():
    judge = open_local("lexical", "lexical")
    assert judge.name == "lexical"
    assert "stand-in" in judge.stand_in
    with pytest.raises(ValueError, match="no local judge"):
        open_local("oracle", "x")
    with pytest.raises(RationaleError, match="scorer"):
        LexicalJudge("levenshtein")


def test_without_sentence_transformers_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r"rationale-rm\[embed\]"):
        EmbeddingJudge("anything")


@pytest.mark.parametrize("name", ["lexical:token_set", "lexical:token_sort", "lexical:ratio", "embedding"])
def test_shipped_coefficients_have_their_signs(name):
    model = shipped(name)
    assert set(model.weights) == set(FEATURES)
    assert all(model.weights[feature] <= 0 for feature in CONFLICTS)
    assert model.weights["likeness"] > 0
    assert min(model.weights["over_mean"], model.weights["over_best"]) >= 0
    assert 0 < model.floor < 1


# The polarity set and the calibration.


def test_the_polarity_set_is_what_its_readme_says():
    assert len(PAIRS) >= 240
    assert len({one["id"] for one in PAIRS}) == len(PAIRS)
    halves = {half: {one["group"] for one in PAIRS if one["half"] == half} for half in ("tuning", "held_out")}
    assert not halves["tuning"] & halves["held_out"]
    assert sum(map(len, halves.values())) == len({one["group"] for one in PAIRS})
    assert 0.4 <= np.mean([one["same"] for one in PAIRS]) <= 0.5
    assert {one["domain"] for one in PAIRS} == {"code", "general", "multilingual", "stem"}
    kinds = Counter(one["kind"] for one in PAIRS if not one["same"])
    assert min(kinds[kind] for kind in ("side", "negation", "opposite", "number")) >= 15


@pytest.mark.parametrize(("half", "floor"), [("tuning", 0.75), ("held_out", HELD_OUT_FLOOR)])
def test_lexical_accuracy_on_the_polarity_set(half, floor):
    chosen = [one for one in PAIRS if one["half"] == half]
    right = [(score(one["reference"], one["reason"], swapped=one["swapped"]) > 0) == one["same"] for one in chosen]
    assert np.mean(right) >= floor
    sides = [hit for hit, one in zip(right, chosen, strict=True) if one["kind"] in ("side", "swapped_other")]
    assert np.mean(sides) >= 0.95


@pytest.mark.data
def test_lexical_calibration_repeats(data_folder):
    """Cross-validated over topics, and the shipped coefficients are the ones that the script fits."""
    judge = LexicalJudge(coefficients=calibrate_local.BLANK)
    found = calibrate_local.measure(judge, "lexical:token_set")
    assert found["figures"]["pair by pair"] >= 0.64
    assert found["figures"]["with list context"] >= 0.75
    model = shipped("lexical:token_set")
    assert found["intercept"] == pytest.approx(model.intercept, rel=0.02)
    assert found["weights"] == pytest.approx(dict(model.weights), rel=0.02, abs=0.02)
