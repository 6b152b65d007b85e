"""Figures against plain Python, the paper's golden cases, and what counts as an answer."""

import itertools
import json
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm import RationaleError, bootstrap_ci, data, metrics, paired_bootstrap, types
from rationale_rm.judge.local import LexicalJudge
from rationale_rm.metrics import Settings
from records import critiqued, judge_text, matched, pair, result, transcript
from scipy.optimize import linear_sum_assignment


def load(*records):
    """Pairs as the reader makes them."""
    found = []
    for number, record in enumerate(records, 1):
        read = data.read_pair(data.Row("test", number, record))
        assert isinstance(read, types.Pair), read
        found.append(read)
    return found


def judged(cells, n_references=3, n_reasons=5, *, number=0, samples=None, **changes):
    """A pair whose model m was judged with the given (R, S, score) cells; references not named are S0."""
    if samples is None:
        named = {reference for reference, _, _ in cells}
        rest = [(reference, 0, 0) for reference in range(1, n_references + 1) if reference not in named]
        samples = [judge_text(*sorted([*cells, *rest], key=lambda cell: cell[0]))]
    record = pair(
        **{
            "id": f"p{number}",
            "human-checklist": [f"human {n}" for n in range(n_references)],
            "m-checklist": [f"model {n}" for n in range(n_reasons)],
            "m-label": "A>B",
        }
        | changes
    )
    return result(record, *samples)


def value(scores, metric="rc"):
    return scores.overall[metric].value


# The golden cases of the paper and of the release, from text to figure.

GOLDEN = [
    # cells, references, reasons, released P, R, F1, AP, paper RC, AP
    ([(1, 1, 1)], 3, 5, 0.2, 0.333333, 0.25, 0.333333, 0.333333, 0.333333),
    ([(1, 5, 1)], 3, 5, 0.2, 0.333333, 0.25, 0.333333, 0.333333, 0.066667),
    ([(1, 1, 1), (2, 1, 1), (3, 1, 1)], 3, 5, 0.2, 1, 0.333333, 0.333333, 0.333333, 0.333333),
    ([(1, 4, 0.5), (2, 1, 0.75), (3, 4, 1)], 4, 5, 0.35, 0.5625, 0.431507, 0.40625, 0.4375, 0.375),
    ([(1, 1, 1), (2, 6, 1), (3, 7, 0.5)], 3, 7, 0.2, 0.333333, 0.25, 0.333333, 0.333333, 0.333333),
    ([(1, 1, 0), (2, 3, 0.75), (3, 5, 0.25)], 3, 5, 0.2, 0.333333, 0.25, 0.236111, 0.333333, 0.244444),
]


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_cases(case):
    cells, n_references, n_reasons, precision, recall, f1, ap, rc, paper_ap = case
    pairs = load(judged(cells, n_references, n_reasons))
    paper = metrics.evaluate(pairs, "m")
    assert value(paper) == pytest.approx(rc, abs=1e-6)
    assert value(paper, "recall") == value(paper)
    assert value(paper, "ap") == pytest.approx(paper_ap, abs=1e-6)
    released = metrics.evaluate(pairs, "m", Settings(mode="reference"))
    found = [value(released, name) for name in ("precision", "recall", "f1", "ap")]
    assert found == pytest.approx([precision, recall, f1, ap], abs=1e-6)


def test_lists_that_are_not_cut():
    pairs = load(judged([(1, 1, 1), (2, 6, 1), (3, 7, 0.5)], 3, 7))
    whole = metrics.evaluate(pairs, "m", Settings(top_k=None))
    assert value(whole) == pytest.approx(0.833333, abs=1e-6)
    assert value(whole, "ap") == pytest.approx(0.587302, abs=1e-6)
    assert whole.n_dropped == 0
    assert metrics.evaluate(pairs, "m").n_dropped == 2


# Against plain Python: any judge answer, one-to-one by trying all.


def by_hand(cells, n_references, n_reasons):
    """RC and precision of Eq. 1 and 2 by brute force over the one-to-one matchings."""
    best = 0.0
    for size in range(len(cells) + 1):
        for chosen in itertools.combinations(cells, size):
            if len({r for r, _, _ in chosen}) == len({s for _, s, _ in chosen}) == size:
                best = max(best, sum(score for _, _, score in chosen))
    return best / n_references, best / n_reasons


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_means_equal_plain_python(rows):
    records, expected = [], []
    for number, (n_reasons, answers) in enumerate(rows):
        cells = [(r, s, q / 4) for r, (s, q) in enumerate(answers, 1) if 0 < s <= n_reasons]
        records.append(judged(cells, len(answers), n_reasons, number=number))
        expected.append(by_hand([cell for cell in cells if cell[2] > 0], len(answers), n_reasons))
    scores = metrics.evaluate(load(*records), "m", Settings(n_resamples=20))
    assert value(scores) == pytest.approx(statistics.fmean(rc for rc, _ in expected), abs=1e-6)
    assert value(scores, "precision") == pytest.approx(statistics.fmean(p for _, p in expected), abs=1e-6)
    figure = scores.overall["rc"]
    if len(rows) == 1:
        assert (figure.low, figure.high, figure.unavailable) == (None, None, metrics.ONE_ROW)
    else:
        assert min(rc for rc, _ in expected) - 1e-6 <= figure.low <= figure.high <= 1


# Samples of the judge.


def test_samples_are_averaged_by_cell_before_matching():
    samples = [
        judge_text((1, 1, 1), (2, 0, 0)),
        judge_text((1, 1, 0.5), (2, 1, 0.25)),
        judge_text((1, 2, 0.75), (2, 0, 0)),
        "no block here",
    ]
    scores = metrics.evaluate(load(judged([], 2, 2, samples=samples)), "m")
    # R1: S1 (1 + .5)/3, S2 .75/3; R2: S1 .25/3. The best one-to-one: R1@S1 alone .5 against R1@S2 + R2@S1 .333.
    assert value(scores) == pytest.approx(0.25, abs=1e-6)
    assert (scores.judge, scores.n_failed_samples) == ({"ok": 1}, 1)
    first = metrics.evaluate(load(judged([], 2, 2, samples=samples)), "m", Settings(mode="reference"))
    assert value(first) == pytest.approx(0.5, abs=1e-6)


# What has no answer, and what is wrong.


def mixed():
    answered = judged([(1, 1, 1)], number=0)
    unread = judged([], number=1, samples=["cut off <RESULT_START>"])
    failed = result(judged([], number=2)["metadata"], status="error")
    not_judged = judged([], number=3)["metadata"]
    without = judged([], number=4, **{"m-checklist": []})["metadata"]
    return load(answered, unread, failed, not_judged, without)


def test_no_answer_is_not_zero_and_coverage_says_so():
    scores = metrics.evaluate(mixed(), "m")
    assert scores.judge == {"judge_error": 1, "no_reasons": 1, "not_judged": 1, "ok": 1, "unclosed_block": 1}
    figure = scores.overall["rc"]
    assert (figure.n, figure.n_total, figure.coverage) == (2, 5, 0.4)
    assert figure.value == pytest.approx(1 / 6, abs=1e-6)  # (1/3 + 0) / 2: no reasons is 0, no answer is nothing
    assert figure.pessimistic == pytest.approx(1 / 15, abs=1e-6)
    assert [math.isnan(item) for item in scores.columns["rc"]] == [False, True, True, True, False]


def test_reference_leaves_samples_out_and_counts_them():
    eleven = judged([(1, 1, 1)], number=9, n_reasons=11)
    scores = metrics.evaluate([*mixed(), *load(eleven)], "m", Settings(mode="reference"))
    assert scores.left_out == {"more than 10 reasons": 1, "no reasons": 1}
    figure = scores.overall["rc"]
    assert (figure.n, figure.n_total) == (1, 4)
    assert figure.value == pytest.approx(1 / 3, abs=1e-6)
    assert scores.overall["soft_ap"].unavailable == "the release does not define it"


def outcome(label, **fields):
    return pair(**{"id": f"{label}{fields}", "label": label, "m-checklist": ["x"]} | fields)


def test_outcome_accuracy():
    pairs = load(
        outcome("A>B", **{"m-label": "A>>B"}),
        outcome("A>B", **{"m-label": "B>A"}),
        outcome("A=B", **{"m-label": "A=B"}),
        outcome("A>B", **{"m-label": "A=B"}),
        outcome("B>A", **{"m-generated_text": transcript("B>>A")}),
        outcome("B>A", **{"m-generated_text": "<think>never ends"}),  # malformed: wrong
        outcome("B>A", **{"m-label": "no idea"}),  # malformed: wrong
        outcome("B>A"),  # neither verdict nor transcript: not known
        outcome(None, **{"m-label": "A>B"}),  # no label: not asked
    )
    scores = metrics.evaluate(pairs, "m", Settings(judge="none"))
    figure = scores.overall["oa"]
    assert (figure.n, figure.n_total) == (7, 8)
    assert figure.value == pytest.approx(3 / 7)
    assert figure.pessimistic == pytest.approx(3 / 8)
    assert scores.n_tied_labels == 1
    assert scores.genrm == {"ok": 6, "bad_verdict": 1, "unclosed_reasoning": 1, "unknown": 1}
    assert scores.overall["rc"].unavailable == "no judge was asked for"
    exact = metrics.evaluate(pairs, "m", Settings(judge="none", exact=True))
    assert value(exact, "oa") == pytest.approx(1 / 7)


def test_without_labels_outcome_is_unavailable():
    figure = metrics.evaluate(load(judged([(1, 1, 1)], label=None)), "m").overall["oa"]
    assert (figure.value, figure.n_total, figure.unavailable) == (None, 0, "no row has a human label")


def test_checklist_and_label_stand_over_the_transcript():
    fields = {"m-checklist": ["given"], "m-label": "B>A", "m-generated_text": transcript("A>B")}
    (critique,) = metrics.critiques(load(pair(**fields)), "m")
    assert (critique.reasons, critique.verdict) == (("given",), -1)
    (critique,) = metrics.critiques(load(pair(**{"m-generated_text": transcript("A>>B", ["one", "two"])})), "m")
    assert (critique.reasons, critique.verdict, critique.status) == (("one", "two"), 2, types.GenrmStatus.OK)


def test_broken_text_of_a_model_is_its_own_fault():
    pairs = load(pair(**{"m-checklist": ["fine", "\ud800"], "m-label": "A>B"}), pair(id="p2", **{"m-label": "A>B"}))
    scores = metrics.evaluate(pairs, "m", Settings(judge="lexical"))
    assert scores.genrm == {"invalid_unicode": 1, "ok": 1}
    assert scores.columns["oa"].tolist() == [0.0, 1.0]
    assert scores.columns["rc"][0] == 0


def test_reasons_that_the_data_do_not_hold_are_not_scored_0():
    """A model given by its verdict alone: its reasons are unknown, not none."""
    pairs = load(
        judged([(1, 1, 1)], number=0),
        pair(id="p1", **{"m-label": "A>B"}),
        pair(id="p2", **{"m-label": "A>B", "m-checklist": []}),
    )
    for settings, n_total in ((Settings(), 3), (Settings(judge="lexical"), 3), (Settings(mode="reference"), 2)):
        scores = metrics.evaluate(pairs, "m", settings)
        assert scores.statuses["judge"] == ("ok", "not_judged", "left_out" if n_total == 2 else "no_reasons")
        assert math.isnan(scores.columns["rc"][1])
        assert (scores.overall["rc"].n, scores.overall["rc"].n_total) == (n_total - 1, n_total)
        assert scores.columns["oa"].tolist() == [1, 1, 1]
        assert scores.reason_counts == {0: 1, 5: 1}


def test_reason_counts():
    pairs = load(
        judged([], number=0, n_reasons=2), judged([], number=1, n_reasons=2), judged([], number=2, n_reasons=5)
    )
    scores = metrics.evaluate(pairs, "m")
    assert scores.reason_counts == {2: 2, 5: 1}
    assert scores.mean_reasons == 3


def test_pairs_without_the_model_are_missing_not_wrong():
    scores = metrics.evaluate(load(judged([(1, 1, 1)]), pair(id="other")), "m")
    assert (scores.n_missing, scores.pair_ids) == (1, ("p0",))


# Lexical scores.


def test_lexical_scores_follow_the_words():
    references = ["The second function never closes the file.", "The limit of twenty words is ignored."]
    fields = {"human-checklist": references, "m-label": "A>B"}
    pairs = load(
        pair(id="same", **fields, **{"m-checklist": references[::-1]}),
        pair(id="other", **fields, **{"m-checklist": ["Xyzzy plugh.", "Qwrt."]}),
        pair(id="none", **fields, **{"m-checklist": []}),
    )
    scores = metrics.evaluate(pairs, "m", Settings(judge="lexical"))
    rc = dict(zip(scores.pair_ids, scores.columns["rc"], strict=True))
    assert rc["same"] == pytest.approx(1)
    assert rc["other"] == 0  # unrelated words are no match
    assert rc["none"] == 0
    ap = dict(zip(scores.pair_ids, scores.columns["ap"].tolist(), strict=True))
    assert ap == {"same": 1, "other": 0, "none": 0}


def test_a_pair_without_human_reasons_is_a_judge_error_and_not_0():
    """The reader refuses such pairs; Python code may make them."""
    (held,) = load(pair(**{"m-checklist": ["It sorts."]}))
    for judge in ("lexical", "recorded"):
        scores = metrics.evaluate([replace(held, references=())], "m", Settings(judge=judge))
        assert scores.judge == {"judge_error" if judge == "lexical" else "not_judged": 1}
        assert scores.overall["rc"].value is None


def test_lexical_scores_are_the_lexical_judges_matched_one_to_one():
    """Lists are cut first, and each reason is used once."""
    words = ["file", "limit", "date", "loop", "index", "unit"]
    pairs = load(
        *(
            pair(
                id=f"p{n:02}",
                **{
                    "human-checklist": [f"The {a} is wrong in the {b}.", f"It ignores the {b} of the {a}."],
                    "m-checklist": [
                        f"It ignores the {b} of that {a}.",
                        "The answer is clear and complete.",
                        f"In the {b} the {a} is wrong.",
                    ],
                },
            )
            for n, (a, b) in enumerate(itertools.permutations(words, 2))
        )
    )
    for top_k, expected in ((None, 2), (2, 1)):
        scores = metrics.evaluate(pairs, "m", Settings(judge="lexical", top_k=top_k))
        cut = [found.models["m"].reasons[:top_k] for found in pairs]
        asked = [
            types.MatchRequest(
                id=found.id, critique_id="c", pair_id=found.id, model="m", references=found.references, reasons=reasons
            )
            for found, reasons in zip(pairs, cut, strict=True)
        ]
        for row, answer in enumerate(LexicalJudge().answer(asked)):
            table = np.zeros((2, len(cut[row])))
            for reference, reason, value in answer.entries:
                table[reference, reason] = value
            i, k = linear_sum_assignment(table, maximize=True)
            assert np.count_nonzero(table[i, k]) == expected
            assert scores.columns["rc"][row] == pytest.approx(table[i, k].sum() / 2, abs=1e-5)


# Intervals, domains, comparisons.


def test_intervals_repeat_with_their_seed_and_cover_the_mean():
    pairs = load(*(judged([(1, 1, number * number % 97 / 97)], number=number) for number in range(40)))
    first, again = (metrics.evaluate(pairs, "m", Settings(seed=3)) for _ in range(2))
    assert first.overall == again.overall
    other = metrics.evaluate(pairs, "m", Settings(seed=4)).overall["rc"]
    assert other.value == value(first)
    assert (other.low, other.high) != (first.overall["rc"].low, first.overall["rc"].high)
    assert other.low < other.value < other.high


def test_domains_are_parts_of_the_whole():
    pairs = load(
        *(judged([(1, 1, number % 4 / 3)], number=number, domain="ab"[number % 3 == 0]) for number in range(12))
    )
    scores = metrics.evaluate(pairs, "m")
    assert list(scores.by_domain) == ["a", "b"]
    parts = [figures["rc"] for figures in scores.by_domain.values()]
    assert sum(part.n for part in parts) == 12
    assert sum(part.value * part.n for part in parts) / 12 == pytest.approx(value(scores))


def two_models(quality, other, count=24):
    records = []
    for number in range(count):
        for name, score in (("m", quality(number)), ("n", other(number))):
            row = judged([(1, 1, score)], number=number, **{"m-checklist": None, "m-label": None})
            row["metadata"] |= {f"{name}-checklist": ["x"], f"{name}-label": "A>B" if number % 3 else "B>A"}
            records.append(row)
    return records


def joined(records, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    loaded = data.read_pairs([path])
    assert loaded.bad == ()
    return loaded.pairs


def test_comparison_of_two_models(tmp_path):
    pairs = joined(two_models(lambda n: 1, lambda n: n % 2 / 2), tmp_path)
    a, b = (metrics.evaluate(pairs, name) for name in "mn")
    comparison = metrics.compare(a, b)
    rc = comparison.differences["rc"]
    assert rc.value == pytest.approx((1 - 0.25) / 3, abs=1e-6)
    assert rc.low > 0
    assert (rc.n, rc.p_value < 0.01) == (24, True)
    assert comparison.differences["oa"].value == 0
    assert (comparison.mcnemar["only_a"], comparison.mcnemar["only_b"]) == (0, 0)
    back = metrics.compare(b, a).differences["rc"]
    assert back.value == -rc.value


def test_only_pairs_that_both_answered_are_compared(tmp_path):
    records = two_models(lambda n: 1, lambda n: 0, count=10)
    records[0]["samples"] = [{"generated_text": "no block"}]  # m, pair 0
    records[3]["samples"] = []  # n, pair 1
    pairs = joined(records, tmp_path)
    comparison = metrics.compare(*(metrics.evaluate(pairs, name) for name in "mn"))
    assert comparison.differences["rc"].n == 8
    assert comparison.differences["oa"].n == 10


# Both orders, several samples, local judges.


def test_a_verdict_of_a_swapped_text_is_flipped_back():
    line = critiqued(pair(), "A>>B", swapped=True)
    unparsed = {name: value for name, value in line.items() if name != "m-label"}
    for record in (line, unparsed):
        (critique,) = metrics.critiques(load(record), "m")
        assert (critique.verdict, critique.status, critique.swapped, critique.sample) == (
            2,
            types.GenrmStatus.OK,
            True,
            0,
        )
        assert r"\boxed{B>>A}" in critique.text
    (critique,) = metrics.critiques(load(critiqued(pair(), None, swapped=True, sample=3)), "m")
    assert (critique.verdict, critique.sample, critique.id) == (None, 3, "p1#swapped#3/m/3")


def test_a_list_counts_as_far_as_the_judge_saw_it():
    """Precision over reasons that no judge was shown would punish the model for them."""
    cells = [(1, 1, 1), (2, 2, 0.5)]

    def row(number, top_k, *, local=False, n_reasons=5):
        line = judged(cells, 2, n_reasons, number=number)
        line |= {"made_by": {"command": "match"}, "top_k": top_k}
        return line | ({"samples": [], "scores": [list(cell) for cell in cells]} if local else {})

    pairs = load(row(0, None), row(1, 2), row(2, 2, local=True), row(3, 7), row(4, 2, n_reasons=2))
    scores = metrics.evaluate(pairs, "m")
    assert scores.columns["precision"].tolist() == pytest.approx([0.3, 0.75, 0.75, 0.3, 0.75])
    assert scores.columns["rc"].tolist() == [0.75] * 5
    assert scores.n_unseen == {2: 2}
    assert scores.to_dict()["reasons"]["judged_at_shorter_cut"] == {"2": 2}
    assert scores.reason_counts == {2: 1, 5: 4}  # what the model wrote
    # the same as a model that wrote no more, under either reading
    for mode in ("paper", "reference"):
        cut, short = (
            metrics.evaluate(load(one), "m", Settings(mode=mode)) for one in (row(1, 2), row(1, None, n_reasons=2))
        )
        assert {name: figure.value for name, figure in cut.overall.items()} == {
            name: figure.value for name, figure in short.overall.items()
        }
    # a shorter cut of score's own needs no word, and a local judge here sees all
    assert metrics.evaluate(pairs, "m", Settings(top_k=1)).n_unseen == {}
    assert metrics.evaluate(pairs, "m", Settings(judge="lexical")).n_unseen == {}


def test_an_answer_that_names_a_reason_the_judge_did_not_see_is_none():
    line = judged([(1, 3, 1)]) | {"made_by": {}, "top_k": 2}
    assert metrics.evaluate(load(line), "m").judge == {"reason_out_of_range": 1}
    local = line | {"samples": [], "scores": [[1, 3, 1]]}
    assert metrics.evaluate(load(local), "m").judge == {"reason_out_of_range": 1}


def test_requests_say_what_was_shown():
    pairs = load(critiqued(pair(), swapped=True))
    (request,) = metrics.match_requests({found.id: found for found in pairs}, metrics.critiques(pairs, "m"))
    assert request.swapped


def locally(number, scores, swapped=False, **changes):
    record = critiqued(pair(id=f"p{number}"), swapped=swapped)
    return matched(record, judge="lexical", scores=scores, stand_in="no LLM", **changes)


def test_recorded_cells_are_scored_and_their_faults_named():
    rows = [
        locally(0, [[1, 1, 0.25], [1, 2, 1], [2, 2, 0.75]]),  # R1@S2 alone is worth as much as R1@S1 + R2@S2
        locally(1, []),
        locally(2, [[1, 3, 1]]),
        locally(3, None, status="error", error_message="no memory"),
    ]
    pairs = load(*rows)
    scores = metrics.evaluate(pairs, "m")
    assert scores.statuses["judge"] == ("ok", "ok", "reason_out_of_range", "judge_error")
    np.testing.assert_array_equal(scores.columns["rc"], [0.5, 0, np.nan, np.nan])
    assert scores.judges == (("lexical", "no LLM"),)
    assert scores.to_dict()["judges"] == [{"name": "lexical", "stand_in": "no LLM"}]
    assert (scores.n_failed_samples, scores.overall["rc"].n_total) == (1, 4)
    by_id = {found.id: found for found in pairs}
    results = metrics.read_judge(metrics.match_requests(by_id, metrics.critiques(pairs, "m")), by_id)
    assert [answer.judge for answer in results] == ["lexical"] * 4
    assert results[0].entries == ((0, 0, 0.25), (0, 1, 1.0), (1, 1, 0.75))
    assert (results[3].answered, results[3].error) == (False, "no memory")


def test_recorded_cells_are_used_in_reference_mode_too():
    """Several R may share one S there."""
    pairs = load(locally(0, [[1, 2, 1], [2, 2, 1]]))
    assert value(metrics.evaluate(pairs, "m", Settings(mode="reference"))) == 1
    assert value(metrics.evaluate(pairs, "m")) == 0.5


def test_cells_stand_over_samples():
    row = locally(0, [[1, 1, 1], [2, 2, 1]], samples=[{"generated_text": judge_text((1, 0, 0), (2, 0, 0))}])
    assert value(metrics.evaluate(load(row), "m")) == 1


def ordered(count, verdicts, score=lambda number, swapped: 0.5):
    """Pairs in both orders; `verdicts` of a number: about responses 1 and 2, first order and swapped."""
    records = []
    for number in range(count):
        for swapped in (False, True):
            record = critiqued(pair(id=f"p{number:02}"), verdicts(number)[swapped], swapped=swapped)
            records.append(matched(record, judge_text((1, 1, score(number, swapped)), (2, 0, 0))))
    return load(*records)


def test_two_orders_of_a_pair_are_one_draw_of_the_bootstrap():
    pairs = ordered(30, lambda number: ["A>B", "A>B"], lambda number, swapped: number % 5 / 4)
    both = metrics.evaluate(pairs, "m", Settings(seed=5)).overall["rc"]
    one = metrics.evaluate(pairs[::2], "m", Settings(seed=5)).overall["rc"]
    assert (both.n, one.n) == (60, 30)
    # twice the same rows tell no more than once
    assert (both.value, both.low, both.high) == pytest.approx((one.value, one.low, one.high))
    column = np.array([number % 5 / 8 for number in range(30) for _ in range(2)])
    naive = bootstrap_ci(column, seed=5)
    assert both.high - both.low > 1.2 * (naive.high - naive.low)
    want = bootstrap_ci(column, clusters=np.repeat(np.arange(30), 2), seed=5)
    assert (both.low, both.high) == (want.low, want.high)
    single = metrics.evaluate(pairs[:2], "m").overall["rc"]
    assert (single.value, single.low, single.n, single.unavailable) == (0, None, 2, metrics.ONE_PAIR)


def test_rows_without_an_answer_leave_the_clusters_in_step():
    pairs = ordered(12, lambda number: ["A>B", "B>A"], lambda number, swapped: (number + swapped) % 4 / 4)
    cut = [found for number, found in enumerate(pairs) if number % 7]
    figure = metrics.evaluate(cut, "m", Settings(seed=2)).overall["oa"]
    known = [number for number in range(24) if number % 7]
    want = bootstrap_ci(
        np.array([float(number % 2 == 0) for number in known]),
        clusters=np.array([number // 2 for number in known]),
        seed=2,
    )
    assert (figure.value, figure.low, figure.high) == (want.mean, want.low, want.high)


def test_models_are_compared_pair_by_pair_in_both_orders(tmp_path):
    records = []
    for number in range(20):
        for swapped in (False, True):
            for model, score in (("m", 1), ("n", (number * 7 % 5) / 8)):
                record = critiqued(pair(id=f"p{number}"), swapped=swapped, model=model)
                records.append(matched(record, judge_text((1, 1, score), (2, 0, 0)), model=model))
    pairs = joined(records, tmp_path)
    scores = [metrics.evaluate(pairs, name, Settings(seed=1)) for name in "mn"]
    found = metrics.compare(*scores).differences["rc"]
    want = paired_bootstrap(
        scores[0].columns["rc"], scores[1].columns["rc"], clusters=np.repeat(np.arange(20), 2), seed=1
    )
    assert (found.n, found.value, found.low, found.high) == (40, want.difference, want.low, want.high)
    naive = paired_bootstrap(scores[0].columns["rc"], scores[1].columns["rc"], seed=1)
    assert found.high - found.low > 1.2 * (naive.high - naive.low)


def test_order_consistency_and_position_bias_by_hand():
    verdicts = [
        ("A>B", "A>>B"),  # the same side: consistent, one vote each place
        ("A>B", "B>A"),  # always the first place
        ("B>A", "A>B"),  # always the second
        ("A>>B", "B>>A"),  # first
        ("A=B", "A=B"),  # consistent tie
        ("A=B", "B>A"),  # a tie, then the first place
        ("A>B", None),  # no second verdict
    ]
    scores = metrics.evaluate(ordered(len(verdicts), lambda number: verdicts[number]), "m")
    consistency, bias = (scores.orders[name] for name in metrics.ORDERS)
    assert (consistency.n, consistency.n_total, bias.n) == (6, 7, 6)
    assert consistency.value == pytest.approx(2 / 6)
    assert consistency.pessimistic == pytest.approx(2 / 7)
    assert bias.value == pytest.approx((0 + 1 - 1 + 1 + 0 + 0.5) / 6)
    assert bias.pessimistic is None
    assert consistency.low <= consistency.value <= consistency.high
    assert scores.to_dict()["orders"]["position_bias"]["value"] == bias.value


def test_orders_of_different_samples_are_not_mixed():
    lines = [
        critiqued(pair(), "A>B", sample=0),
        critiqued(pair(), "B>A", sample=1),
        critiqued(pair(), "B>A", swapped=True, sample=1),
        critiqued(pair(), "B>A", swapped=True, sample=2),
    ]
    consistency = metrics.evaluate(load(*lines), "m", Settings(judge="none")).orders["order_consistency"]
    assert (consistency.value, consistency.n, consistency.n_total) == (1, 1, 1)


def test_without_both_orders_nothing_is_said_of_them():
    assert metrics.evaluate(load(critiqued(pair(), swapped=True)), "m", Settings(judge="none")).orders == {}
    silent = ordered(2, lambda number: (None, "A>B"))
    orders = metrics.evaluate(silent, "m", Settings(judge="none")).orders
    assert [(figure.value, figure.n, figure.n_total) for figure in orders.values()] == [(None, 0, 2)] * 2


def test_failed_orders_are_missing_and_orders_not_asked_for_are_not():
    lines = [
        critiqued(pair(id="p1")),
        critiqued(pair(id="p1"), swapped=True, error="timed out"),
        critiqued(pair(id="p2"), error="timed out"),
        critiqued(pair(id="p2"), swapped=True, error="timed out"),
        critiqued(pair(id="p3"), swapped=True),  # a random order
        pair(id="p3"),
    ]
    scores = metrics.evaluate(load(*lines), "m", Settings(judge="none"))
    assert (scores.pair_ids, scores.n_pairs) == (("p1", "p3#swapped"), 2)
    assert (scores.n_missing, scores.n_expected) == (3, 5)  # p1 swapped, and both orders of p2


def test_rows_say_which_order_they_are():
    rows = list(metrics.evaluate(ordered(1, lambda number: ("A>B", "B>A")), "m").samples())
    assert [(row["id"], row["pair_id"], row["swapped"], row["sample"], row["verdict"]) for row in rows] == [
        ("p00", "p00", False, 0, "A>B"),
        ("p00#swapped", "p00", True, 0, "B>A"),
    ]


def test_models_under_different_settings_are_not_compared():
    pairs = load(judged([(1, 1, 1)]))
    a, b = metrics.evaluate(pairs, "m"), metrics.evaluate(pairs, "m", Settings(top_k=3))
    with pytest.raises(RationaleError, match="different settings"):
        metrics.compare(a, b)


def test_everything_can_be_written_as_json():
    pairs = mixed()
    for settings in (Settings(), Settings(mode="reference"), Settings(judge="none"), Settings(judge="lexical")):
        scores = metrics.evaluate(pairs, "m", settings)
        json.dumps([scores.to_dict(), metrics.compare(scores, scores).to_dict()], allow_nan=False)


def test_records_between_the_stages():
    pairs = load(judged([(1, 2, 0.5)]))
    by_id = {found.id: found for found in pairs}
    requests = metrics.match_requests(by_id, metrics.critiques(pairs, "m"))
    (answer,) = metrics.read_judge(requests, by_id)
    assert answer.request_id == requests[0].id
    assert answer.answered
    assert answer.entries == ((0, 1, 0.5), (1, -1, 0.0), (2, -1, 0.0))
    assert types.MatchResult.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "foo"}, "unknown mode 'foo': choose from paper, reference"),
        ({"judge": "foo"}, "unknown judge"),
        ({"top_k": -1}, "top_k is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"n_resamples": 0}, "n_resamples is 0"),
    ],
)
def test_settings_outside_their_range_are_refused(fields, message):
    with pytest.raises(RationaleError, match=message):
        Settings(**fields)


def test_one_long_list_does_not_pad_every_row():
    """300 rows of 5 x 5 beside one of 20,000 x 5 would pad to 30 million cells."""
    fields = {"m-checklist": ["The second function never closes the file."] * 5}
    rows = [pair(id=f"p{n}", **{"human-checklist": ["It never closes the file."] * 5}, **fields) for n in range(300)]
    long = pair(id="long", **{"human-checklist": [f"Claim {n} is wrong." for n in range(20_000)]}, **fields)
    scores = metrics.evaluate(load(*rows, long), "m", Settings(judge="lexical"))
    assert scores.overall["rc"].n == 301
