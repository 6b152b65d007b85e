"""`RationaleReward`: parse, gate, judge, match, score, reward, against slow oracles and a scripted server."""

import asyncio
import hashlib
import math

import numpy as np
import pytest
import rationale_rm as rm
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.judge import NO_REFERENCES, Caller, Limits, MetaJudge, OpenAIClient
from rationale_rm.rewards import NO_REASONS, NO_VERDICT, JudgeFailureError, RationaleReward
from rationale_rm.types import Critique, GenrmStatus, MatchResult, MetaJudgeStatus, Pair
from servers.process import ScriptedServer

LEVELS = {2: "A>>B", 1: "A>B", 0: "A=B", -1: "B>A", -2: "B>>A"}
STEPS = (0.0, 0.0, 0.25, 0.5, 0.75, 1.0)


def transcript(verdict, reasons):
    """A GenRM answer; a verdict of None is malformed."""
    listed = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    box = "" if verdict is None else f"\\boxed{{{LEVELS[verdict]}}}"
    return f"<RESULT_START>\nList of reasons:\n{listed}\nFinal assessment result:\n{box}\n<RESULT_END>"


def drawn(*parts, choices):
    return choices[hashlib.sha256("/".join(map(str, parts)).encode()).digest()[0] % len(choices)]


class HashJudge:
    """A judge whose scores are a hash of the two texts, as a full table; fails where `fails` says so."""

    name = "hash"
    stand_in = None

    def __init__(self, fails=lambda request: False):
        self.fails = fails
        self.asked = []

    async def match(self, requests, *, on_result=None):
        self.asked += requests
        return [self.result(request) for request in requests]

    def result(self, request):
        if self.fails(request):
            return MatchResult(id="r", request_id=request.id, judge="hash", error="timeout: too slow (attempt 6 of 6)")
        cells = tuple(
            (at, other, score)
            for at, reference in enumerate(request.references)
            for other, reason in enumerate(request.reasons)
            if (score := cell(reference, reason, request.swapped)) > 0
        )
        return MatchResult(id="r", request_id=request.id, judge="hash", entries=cells, statuses=(MetaJudgeStatus.OK,))


def cell(reference, reason, swapped):
    return drawn("cell", reference, reason, swapped, choices=STEPS)


def slow_scores(references, reasons, swapped):
    """AP and RC of the best matching by trying all of them: of equal totals the earliest reasons, then references."""
    if not reasons:
        return 0.0, 0.0
    table = [[cell(reference, reason, swapped) for reason in reasons] for reference in references]

    def matchings(row, used):
        if row == len(table):
            yield ()
            return
        yield from matchings(row + 1, used)
        for column in range(len(reasons)):
            if column not in used and table[row][column] > 0:
                for rest in matchings(row + 1, used | {column}):
                    yield ((column, row), *rest)

    def order(matching):
        total = sum(round(table[row][column] * 1e6) for column, row in matching)
        ranks = sorted(matching)
        return -total, [column for column, _ in ranks], [row for _, row in ranks]

    best = sorted(min(matchings(0, frozenset()), key=order))
    ap = sum((hit + 1) / (column + 1) for hit, (column, _) in enumerate(best)) / len(references)
    rc = sum(table[row][column] for column, row in best) / len(references)
    return ap, rc


reasons_of = st.lists(st.sampled_from([f"Response A breaks rule {number}." for number in range(6)]), max_size=4)
answers = st.tuples(
    st.sampled_from([2, 1, 0, -1, -2, None]),  # verdict
    reasons_of,
    st.integers(1, 3),  # references
    st.sampled_from([2, 1, -1, None]),  # label
    st.integers(0, 2),  # group
    st.booleans(),  # swapped
)


def columns(rows):
    return {
        "references": [[f"Point {number} of {count}" for number in range(count)] for _, _, count, _, _, _ in rows],
        "labels": [label for _, _, _, label, _, _ in rows],
        "groups": [group for _, _, _, _, group, _ in rows],
        "swapped": [swapped for _, _, _, _, _, swapped in rows],
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(answers, min_size=1, max_size=10), st.sampled_from(["product", "sum", "rationale", "outcome"]))
def test_rewards_equal_a_slow_oracle_with_and_without_the_gate(rows, mode):
    texts = [transcript(verdict, reasons) for verdict, reasons, *_ in rows]
    gated = RationaleReward(HashJudge(), mode=mode, audit=0.0)(texts, **columns(rows))
    free = RationaleReward(HashJudge(), mode=mode, gate=False)(texts, **columns(rows))
    np.testing.assert_array_equal(gated.reward, free.reward)
    np.testing.assert_array_equal(gated.advantage, free.advantage)
    for row, (verdict, reasons, count, label, _, swapped) in enumerate(rows):
        references = [f"Point {number} of {count}" for number in range(count)]
        ap, rc = slow_scores(references, reasons, swapped)
        shown = None if verdict is None else -verdict if swapped else verdict
        outcome = math.nan if label is None else float(shown is not None and np.sign(shown) == np.sign(label))
        expected = {
            "product": 0.0 if 0 in (ap, outcome) else ap * outcome,
            "sum": (ap + outcome) / 2,
            "rationale": ap,
            "outcome": outcome,
        }[mode]
        expected = 0.0 if verdict is None else expected
        np.testing.assert_allclose(free.reward[row], expected, atol=1e-12)
        if mode != "outcome":
            np.testing.assert_allclose([free.rationale[row], free.rc[row]], [ap, rc], atol=1e-12)
        known = gated.rationale[row]
        assert math.isnan(known) or known == pytest.approx(ap)


def group_rows(n_groups=40, n_answers=8, right=0.75):
    """Groups of answers to one prompt, labels +1, about `right` of the verdicts too."""
    rows = []
    for group in range(n_groups):
        references = tuple(f"Group {group}: point {number} is missed by response B" for number in range(4))
        for sample in range(n_answers):
            verdict = drawn(
                "verdict", group, sample, choices=(1,) * round(right * 16) + (-1,) * round((1 - right) * 16)
            )
            reasons = [f"Reason {rank} of answer {sample} in group {group}" for rank in range(5)]
            rows.append((references, transcript(verdict, reasons), group))
    return {
        "texts": [text for _, text, _ in rows],
        "references": [references for references, _, _ in rows],
        "labels": [1] * len(rows),
        "groups": [group for _, _, group in rows],
    }


def test_the_gate_saves_calls_and_no_reward_on_a_scripted_server():
    batch = group_rows()
    found = {}
    with ScriptedServer(seed=3) as server:
        for name, options in {"gate": {}, "all": {"gate": False}, "no audit": {"audit": 0.0}}.items():
            server.reset()
            judge = MetaJudge(Caller(OpenAIClient("judge", [server.url]), limits=Limits(concurrency=16)))
            found[name] = RationaleReward(judge, **options)(
                batch["texts"], **{k: batch[k] for k in batch if k != "texts"}
            )
            assert server.stats()["requests"] == found[name].judged.sum()
    for name in ("gate", "no audit"):
        np.testing.assert_array_equal(found[name].reward, found["all"].reward)
        np.testing.assert_array_equal(found[name].advantage, found["all"].advantage)
    right = found["all"].outcome == 1
    assert found["all"].judged.all()
    np.testing.assert_array_equal(found["no audit"].judged, right)
    audited = found["gate"].judged & ~right
    assert 0 < audited.sum() < 0.2 * (~right).sum()
    np.testing.assert_array_equal(found["gate"].rc[audited], found["all"].rc[audited])
    assert found["all"].reward[right].std() > 0.05, "rewards that are all alike would prove nothing"


def test_audited_rows_make_the_mean_over_all_rows_unbiased():
    batch = group_rows(n_groups=60)
    texts, rest = batch.pop("texts"), batch
    true = RationaleReward(HashJudge(), gate=False)(texts, **rest).mean_rc
    means = [RationaleReward(HashJudge(), audit=0.2, seed=seed)(texts, **rest).mean_rc for seed in range(60)]
    gated_away = RationaleReward(HashJudge(), audit=0.0)(texts, **rest)
    assert np.std(means) > 0
    assert abs(np.mean(means) - true) < 4 * np.std(means) / math.sqrt(len(means))
    assert (gated_away.audit_weight[gated_away.outcome == 0] == 0).all()


def test_the_mean_of_a_small_batch_is_no_mean_of_the_right_answers_alone():
    """8 right answers and 8 wrong ones, of which few are audited: wrong ones stand for half all the same."""
    batch = {
        "texts": [transcript(1 if n < 8 else -1, [f"Reason {n} of {part}" for part in range(3)]) for n in range(16)],
        "references": [[f"Point {part} of {n}" for part in range(3)] for n in range(16)],
        "labels": [1] * 16,
    }
    texts, rest = batch.pop("texts"), batch
    true = RationaleReward(HashJudge(), gate=False)(texts, **rest)
    assert abs(true.rc[:8].mean() - true.rc[8:].mean()) > 0.05, "parts that are alike would prove nothing"
    means = []
    for seed in range(400):
        scored = RationaleReward(HashJudge(), audit=0.05, seed=seed)(texts, **rest)
        assert math.isnan(scored.mean_rc) == (not scored.judged[8:].any())
        if not math.isnan(scored.mean_rc):
            means.append(scored.mean_rc)
    assert abs(np.mean(means) - true.mean_rc) < 4 * np.std(means) / math.sqrt(len(means))
    outcome = RationaleReward(HashJudge(), mode="outcome", audit=0.0)(
        [transcript(1, []), *texts[:3]], **{name: column[:4] for name, column in rest.items()}
    )
    assert math.isnan(outcome.mean_rc), "one answer without reasons says nothing about three that were not judged"


def test_who_is_audited_depends_on_no_other_row():
    batch = group_rows(n_groups=20)
    reward = RationaleReward(HashJudge(), audit=0.3, seed=5)
    texts, rest = batch.pop("texts"), batch
    whole = reward(texts, **rest)
    backward = reward(texts[::-1], **{name: column[::-1] for name, column in rest.items()})
    np.testing.assert_array_equal(whole.judged, backward.judged[::-1])
    half = reward(texts[:80], **{name: column[:80] for name, column in rest.items()})
    np.testing.assert_array_equal(whole.judged[:80], half.judged)


def test_a_judge_that_fails_leaves_nan_and_never_zero():
    fails = HashJudge(fails=lambda request: "answer 2" in request.reasons[0])
    batch = group_rows(n_groups=6, right=1.0)
    texts, rest = batch.pop("texts"), batch
    scored = RationaleReward(fails, max_failure_rate=0.5)(texts, **rest)
    lost = np.array(["answer 2" in text for text in texts])
    assert np.isnan(scored.reward[lost]).all()
    assert np.isnan(scored.advantage[lost]).all()
    assert not np.isnan(scored.reward[~lost]).any()
    assert all(("timeout" in (error or "")) == gone for error, gone in zip(scored.errors, lost, strict=True))
    # a wrong verdict needs no judge, so an outage does not touch it
    wrong = RationaleReward(HashJudge(fails=lambda request: True), audit=1.0, max_failure_rate=1.0)(
        [transcript(-1, ["Response A is long."])], references=[["B is wrong"]], labels=[1]
    )
    assert wrong.reward.tolist() == [0.0]
    assert np.isnan(wrong.rationale).all()


def test_too_many_failures_stop_the_step_and_say_why():
    batch = group_rows(n_groups=5, right=1.0)
    texts, rest = batch.pop("texts"), batch
    with pytest.raises(
        JudgeFailureError, match=r"hash failed for 5 of 40 answers \(timeout 5\).*max_failure_rate 0.05"
    ) as caught:
        RationaleReward(HashJudge(fails=lambda request: "answer 2" in request.reasons[0]))(texts, **rest)
    assert np.isnan(caught.value.batch.reward).sum() == 5
    one_in_forty = HashJudge(fails=lambda request: "answer 2 in group 3" in request.reasons[0])
    assert np.isnan(RationaleReward(one_in_forty)(texts, **rest).reward).sum() == 1


def test_equal_questions_are_asked_once_and_groups_stay_together():
    judge = HashJudge()
    texts = [transcript(1, ["Same reason."])] * 3 + [transcript(1, ["Another."])] * 2
    batch = RationaleReward(judge)(
        texts, references=[["P"], ["Q"], ["P"], ["Q"], ["P"]], labels=[1] * 5, groups=[0, 1, 0, 1, 0]
    )
    assert [(request.references, request.reasons) for request in judge.asked] == [
        (("P",), ("Same reason.",)),
        (("P",), ("Another.",)),
        (("Q",), ("Same reason.",)),
        (("Q",), ("Another.",)),
    ]
    assert batch.rc[0] == batch.rc[2]
    assert batch.judged.all()


def test_the_order_shown_reaches_the_judge_and_turns_the_verdict():
    judge = HashJudge()
    batch = RationaleReward(judge)(
        [transcript(-2, ["Response B is right."])] * 2, references=[["P"]] * 2, labels=[1, 1], swapped=[True, False]
    )
    assert batch.verdict.tolist() == [2, -2]
    assert batch.outcome.tolist() == [1, 0]
    assert [request.swapped for request in judge.asked] == [True]


def test_lists_are_cut_before_they_are_judged():
    judge = HashJudge()
    RationaleReward(judge, top_k=2)([transcript(1, ["a one", "b two", "c three"])], references=[["P"]], labels=[1])
    assert judge.asked[0].reasons == ("a one", "b two")


def test_rows_without_human_reasons_or_label():
    batch = RationaleReward(HashJudge())(
        [transcript(1, ["Response A is right."])] * 3 + [transcript(1, [])],
        references=[[], ["P"], ["P"], ["P"]],
        labels=[1, None, 1, 1],
    )
    assert np.isnan(batch.reward[0])
    assert batch.errors[0] == NO_REFERENCES
    assert not batch.judged[0]
    assert np.isnan(batch.outcome[1])
    assert batch.reward[3] == 0
    assert batch.rationale[3] == 0
    assert not batch.judged[3]


def test_shaping_terms_are_added():
    texts = [transcript(None, ["x y"]), transcript(1, ["Response A cites."])]
    arguments = {"references": [["P"]] * 2, "labels": [1, 1]}
    plain = RationaleReward(HashJudge())(texts, **arguments)
    shaped = RationaleReward(HashJudge(), format_penalty=0.5, max_length=100, length_buffer=50)(
        texts, **arguments, lengths=[10, 75]
    )
    np.testing.assert_allclose(shaped.reward - plain.reward, [-0.5, -0.5])
    judge = HashJudge()
    with pytest.raises(rm.RationaleError, match="lengths are needed"):
        RationaleReward(judge, max_length=100)(texts, **arguments)
    assert not judge.asked


@pytest.mark.parametrize("mode", ["papo", "gdpo", "gdpo_batch"])
def test_two_column_advantages_are_those_of_the_core(mode):
    batch = group_rows(n_groups=5)
    texts, rest = batch.pop("texts"), batch
    scored = RationaleReward(HashJudge(), mode=mode, weight=0.25, audit=0.0)(texts, **rest)
    free = RationaleReward(HashJudge(), mode="rationale", gate=False)(texts, **rest)
    both = np.stack([free.outcome, free.rationale], axis=1)
    weights = None if mode == "papo" else [0.75, 0.25]
    expected = rm.group_advantages(both, rest["groups"], method=mode, weights=weights)
    np.testing.assert_allclose(scored.advantage, expected, atol=1e-12)
    assert scored.judged.all() == (mode != "papo")


def test_the_same_from_loops_threads_and_within_a_running_loop():
    batch = group_rows(n_groups=3)
    texts, rest = batch.pop("texts"), batch
    reward = RationaleReward(HashJudge())
    expected = reward(texts, **rest).reward

    async def inside():
        return reward(texts, **rest).reward, (await reward.score(texts, **rest)).reward

    for _ in range(2):  # a fresh loop each time, as ms-swift has it
        for found in asyncio.run(inside()):
            np.testing.assert_array_equal(found, expected)


def test_critiques_score_as_their_texts():
    pairs = {
        name: Pair(id=name, domain="d", context="c", response1="1", response2="2", references=("P", "Q"), label=1)
        for name in ("p", "q")
    }
    critiques = [
        Critique(id="c0", pair_id="p", model="m", reasons=("One.", "Two."), verdict=1, status=GenrmStatus.OK),
        Critique(id="c1", pair_id="p", model="m", reasons=("One.",), verdict=-1, status=GenrmStatus.OK),
        Critique(id="c2", pair_id="q", model="m", reasons=None, verdict=1, status=GenrmStatus.OK),
        Critique(id="c3", pair_id="q", model="m", reasons=("Two.",), verdict=None, status=GenrmStatus.CONFLICT),
    ]
    batch = asyncio.run(RationaleReward(HashJudge(), audit=0.0).score_critiques(critiques, pairs))
    assert batch.group.tolist() == [0, 0, 1, 1]
    ap, rc = slow_scores(("P", "Q"), ("One.", "Two."), False)
    assert (batch.reward[0], batch.rc[0]) == (pytest.approx(ap), pytest.approx(rc))
    assert batch.reward[[1, 3]].tolist() == [0, 0]
    assert np.isnan(batch.reward[2]), "reasons that the data do not hold are not judged, and not 0"


def test_a_call_that_failed_is_no_wrong_verdict():
    pair = Pair(id="p", domain="d", context="c", response1="1", response2="2", references=("P",), label=1)
    nothing = {"pair_id": "p", "model": "m", "verdict": None, "status": None}
    critiques = [
        Critique(id="a", reasons=None, error="timeout: too slow", **nothing),
        Critique(id="b", reasons=("One.",), **nothing),
        Critique(id="c", pair_id="p", model="m", reasons=None, verdict=1, status=GenrmStatus.OK),
    ]
    batch = asyncio.run(RationaleReward(HashJudge(), format_penalty=1.0).score_critiques(critiques, {"p": pair}))
    assert np.isnan(batch.outcome[:2]).all()
    assert np.isnan(batch.reward[[0, 2]]).all()
    assert batch.errors == ("timeout: too slow", NO_VERDICT, NO_REASONS)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"references": ["one reason"]}, r"references\[0\] must be a list of texts, not 'one reason'"),
        ({"references": [None]}, r"references\[0\] must be a list of texts, not None"),
        ({"references": [["a", 3]]}, r"references\[0\] must be a list of texts"),
        ({"labels": [1.7]}, r"labels\[0\] must be a verdict .* not 1.7"),
        ({"labels": ["A>B"]}, r"labels\[0\] must be a verdict .*parse_label"),
        ({"labels": [200]}, r"labels\[0\] must be a verdict"),
        ({"labels": [True]}, r"labels\[0\] must be a verdict"),
        ({"groups": ["g"]}, "groups must be whole numbers"),
        ({"groups": [0.5]}, "groups must be whole numbers"),
    ],
)
def test_columns_of_another_kind_raise_and_are_named(columns, message):
    judge = HashJudge()
    with pytest.raises(rm.RationaleError, match=message):
        RationaleReward(judge)([transcript(1, ["One."])], **({"references": [["P"]], "labels": [1]} | columns))
    assert not judge.asked


def test_labels_of_a_data_frame_are_read():
    batch = RationaleReward(HashJudge())(
        [transcript(1, ["One."])] * 3, references=[["P"]] * 3, labels=[1.0, math.nan, np.int8(-1)]
    )
    np.testing.assert_array_equal(batch.outcome, [1, np.nan, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "best"}, "unknown mode 'best'"),
        ({"rationale": "recall"}, "unknown rationale"),
        ({"audit": 1.5}, "audit is 1.5"),
        ({"max_failure_rate": -0.1}, "max_failure_rate is -0.1"),
        ({"top_k": 0}, "top_k is 0"),
        ({"format": "xml"}, "format"),
        ({"policy": "first"}, "policy"),
        ({"format_penalty": -1.0}, "penalty"),
    ],
)
def test_misuse_raises(options, message):
    with pytest.raises(rm.RationaleError, match=message):
        RationaleReward(HashJudge(), **options)


def test_columns_of_another_length_raise():
    with pytest.raises(rm.RationaleError, match="labels has 1 rows, texts have 2"):
        RationaleReward(HashJudge())(["", ""], references=[["P"], ["P"]], labels=[1])
