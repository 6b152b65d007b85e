"""A live judge: every model's answer as a pair with the baseline's, and a GenRM's answers about the pairs as games."""

from __future__ import annotations

from typing import Final

from rationale_rm._core import RationaleError
from rationale_rm.evals.answers import ORDERS, Answers
from rationale_rm.evals.arena_hard.contest import Contest
from rationale_rm.evals.arena_hard.games import Game
from rationale_rm.evals.views import status_of
from rationale_rm.types import Critique, Pair

FIELD: Final = "arena_hard"
"""Of `Pair.extra`: what a pair is about."""


def pairs(contest: Contest) -> list[Pair]:
    """What to ask a GenRM about, in both orders: response 1 is the baseline's answer, so that the given order is
    upstream's first game.

    One pair for each question and each judged model that answered it; a category's baseline does not meet itself. The
    category is the pair's domain. Raises `RationaleError` for a model without answers and for a question that the
    baseline did not answer.
    """
    models = contest.judged()
    for model in models:
        if model not in contest.answers:
            raise RationaleError(f"no answers of {model}: there are those of {', '.join(sorted(contest.answers))}")
    found = []
    for question in contest.questions.values():
        baseline = contest.baselines[question.category]
        for model in models:
            answer = contest.answers[model].get(question.uid)
            if answer is None or model == baseline:
                continue
            against = contest.answers.get(baseline, {}).get(question.uid)
            if against is None:
                raise RationaleError(
                    f"no answer of {baseline}, the {question.category} baseline, to question {question.uid}: give its "
                    "model_answer file, name another baseline, or leave the category out"
                )
            found.append(
                Pair(
                    id=f"{question.uid}/{model}",
                    domain=question.category,
                    context=question.prompt,
                    response1=against.text,
                    response2=answer.text,
                    references=(),
                    extra={FIELD: {"uid": question.uid, "model": model, "baseline": baseline}},
                )
            )
    return found


def games(answers: Answers) -> list[Game]:
    """The answers to `pairs` as games, two a pair. A verdict is about responses 1 and 2, so that + is for the
    baseline.
    """
    return [
        _game(pair, answer, answers.model, swapped)
        for pair in answers.pairs
        for swapped, answer in zip(ORDERS, answers.of(pair), strict=True)
    ]


def _game(pair: Pair, answer: Critique | None, judge: str, swapped: bool) -> Game:
    about = pair.extra[FIELD]
    return Game(
        uid=about["uid"],
        category=pair.domain,
        model=about["model"],
        baseline=about["baseline"],
        judge=judge,
        model_first=swapped,
        level=None if answer is None or answer.verdict is None else -answer.verdict,
        status=status_of(answer),
        text=None if answer is None else answer.text,
        reasons=() if answer is None else answer.reasons or (),
        error=None if answer is None else answer.error,
    )
