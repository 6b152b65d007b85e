"""Evaluations against answers whose figures are known."""

from dataclasses import replace

import pytest
from rationale_rm.rollout import Completion
from rationale_rm.train import begin, judging
from rationale_rm.train.evaluate import evaluate
from rationale_rm.train.signals import Stop
from rationale_rm.types import VERDICT_TEXTS, MatchResult
from training import one_thread, recipe_from


class Scripted:
    """A sampler whose answers are written down, in the order in which pairs are shown."""

    def __init__(self, texts):
        self.texts = texts

    def sample(self, prompts, n, *, max_tokens, temperature, seeds, on_group=None):
        assert n == 1
        assert len(prompts) == len(self.texts)
        return [
            [Completion(prompt=i, sample=0, token_ids=(1,) * 7, text=text, error=None if text is not None else "gone")]
            for i, text in enumerate(self.texts)
        ]

    def close(self):
        pass


def answer(reasons, verdict):
    lines = "".join(f"{number}. {reason}\n" for number, reason in enumerate(reasons, 1))
    block = f"List of reasons:\n{lines}Final assessment result:\n\\boxed{{{VERDICT_TEXTS[verdict]}}}"
    return f"<RESULT_START>\n{block}\n<RESULT_END>"


def perfect(pair, swapped, *, reasons=None, flip=False):
    """The human reasons and label as a model would write them that sees the pair so."""
    names = {"1": "B" if swapped else "A", "2": "A" if swapped else "B"}
    said = [f"Response {names[text.split()[1]]} {text.split(maxsplit=2)[2]}" for text in pair.references[:reasons]]
    verdict = -pair.label if swapped != flip else pair.label
    return answer(said, verdict)


@pytest.fixture
def run(started, tmp_path):
    with one_thread():
        made = begin.begin(
            recipe_from(started, tmp_path / "run", evaluation={"both_orders": True}), Stop(), resume=False
        )
        yield made
        made.close()


def shown(pairs):
    return [(pair, swapped) for pair in pairs for swapped in (False, True)]


def test_perfect_answers_have_perfect_figures(run):
    pairs = run.pairs.validation[:4]
    run.rollouts = Scripted([perfect(pair, swapped) for pair, swapped in shown(pairs)])
    found = evaluate(run, pairs, 3, "validation")
    for name in ("oa", "rc", "ap", "precision", "f1", "order_consistency"):
        assert (found[name]["value"], found[name]["low"], found[name]["high"]) == (1.0, 1.0, 1.0), name
    assert found["reward"] == 1.0
    assert found["disagreement"]["value"] == 0.0
    assert found["format_errors"]["value"] == 0.0
    assert found["reasons"] == sum(len(pair.references) for pair in pairs) / 4
    assert (found["n_pairs"], found["n_answers"], found["tokens"], found["step"]) == (4, 8, 7.0, 3)
    assert (found["phase"], found["split"], found["judge"]) == ("evaluation", "validation", "oracle")


def test_figures_of_answers_that_go_wrong(run):
    """Pair 0: form broken in one order. Pair 1: verdicts against the reasons. Pair 2: verdict for the first place in
    both orders, no reason. Pair 3: one answer the sampler could not give.
    """
    pairs = run.pairs.validation[:4]
    texts = [
        perfect(pairs[0], False),
        "no form",
        perfect(pairs[1], False, flip=True),
        perfect(pairs[1], True, flip=True),
        answer([], 1),
        answer([], 1),
        perfect(pairs[3], False, reasons=1),
        None,
    ]
    run.rollouts = Scripted(texts)
    found = evaluate(run, pairs, 0, "test")
    # Known outcomes: 1, 0 (malformed), 0, 0, one of pair 2's two right, 1; the missing answer is no answer.
    assert found["oa"]["value"] == pytest.approx(3 / 7)
    assert (found["oa"]["n"], found["oa"]["n_total"]) == (7, 8)
    part = 1 / len(pairs[3].references)
    assert found["rc"]["value"] == pytest.approx((1 + 0 + 1 + 1 + 0 + 0 + part) / 7)
    assert found["format_errors"]["value"] == pytest.approx(1 / 7)
    assert found["disagreement"]["value"] == pytest.approx(2 / 4)
    assert (found["disagreement"]["n"], found["disagreement"]["n_total"]) == (4, 8)
    assert found["order_consistency"]["value"] == pytest.approx(1 / 2)  # pairs 1 and 2 have verdicts in both orders


def test_pairs_without_human_reasons_have_an_outcome_and_no_rc(run, monkeypatch):
    """No judge can answer about them, and none is waited for."""
    monkeypatch.setattr(judging.time, "sleep", lambda seconds: pytest.fail("waited for a judge"))
    pairs = [replace(pair, references=()) if number % 2 else pair for number, pair in enumerate(run.pairs.validation)]
    run.rollouts = Scripted(
        [
            perfect(pair, swapped) if pair.references else answer(["It is long."], pair.label * (1, -1)[swapped])
            for pair, swapped in shown(pairs)
        ]
    )
    found = evaluate(run, pairs, 0, "test")
    assert (found["oa"]["value"], found["oa"]["n"]) == (1.0, 12)
    assert (found["rc"]["value"], found["rc"]["n"]) == (1.0, 6)
    assert found["judge_failures"] == 0


def test_the_evaluation_judge_is_asked_again_while_it_fails(run, monkeypatch):
    pairs = run.pairs.validation[:3]
    run.rollouts = Scripted([perfect(pair, swapped) for pair, swapped in shown(pairs)])
    pauses = []
    monkeypatch.setattr(judging.time, "sleep", pauses.append)
    real, asked = run.evaluation_judge.match, []

    async def match(requests, **options):
        asked.append(len(requests))
        results = await real(requests, **options)
        lost = len(results) if len(asked) == 1 else 0
        return [
            MatchResult(id=one.id, request_id=one.request_id, judge="oracle", error="error_503: away")
            for one in results
        ][:lost] + results[lost:]

    monkeypatch.setattr(run.evaluation_judge, "match", match)
    found = evaluate(run, pairs, 0, "validation")
    assert (asked, pauses) == ([6, 6], [2.0])
    assert found["rc"]["value"] == 1.0
    assert found["judge_failures"] == 0


def test_an_evaluation_whose_judge_stays_away_gives_no_figures(run, monkeypatch):
    pairs = run.pairs.validation[:3]
    run.rollouts = Scripted([perfect(pair, swapped) for pair, swapped in shown(pairs)])
    monkeypatch.setattr(judging.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(judging.time, "monotonic", iter(range(0, 10**6, 1000)).__next__)

    async def match(requests, **options):
        return [MatchResult(id=one.id, request_id=one.id, judge="oracle", error="error_503: away") for one in requests]

    monkeypatch.setattr(run.evaluation_judge, "match", match)
    with pytest.raises(judging.JudgeOutageError, match=r"failed for 6 of 6 answers of the evaluation.*error_503"):
        evaluate(run, pairs, 0, "validation")
