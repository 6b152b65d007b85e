"""A live judge: every model's answer as a pair with the baseline's, and a GenRM's critiques of the pairs as games."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rationale_rm.evals.arena_hard.games import NOT_ANSWERED, Answer, Game, Question
from rationale_rm.types import Critique, Pair


def pairs(
    questions: Mapping[str, Question],
    answers: Mapping[str, Mapping[str, Answer]],
    *,
    baselines: Mapping[str, str],
    models: Iterable[str] | None = None,
) -> Iterator[Pair]:
    """What to ask a GenRM about, in both orders: response 1 is the baseline's answer, so that the given order is
    upstream's first game.

    One pair for each of `models` (default: all with answers, but for the baseline of the category) and each question
    that it answered; the category is the pair's domain. Raises `ValueError` for a question that the baseline did not
    answer.
    """
    chosen = sorted(answers) if models is None else list(models)
    for model in chosen:
        if model not in answers:
            raise ValueError(f"no answers of {model}: there are those of {', '.join(sorted(answers)) or 'nobody'}")
    for question in questions.values():
        baseline = baselines[question.category]
        for model in chosen:
            answer = answers[model].get(question.uid)
            if answer is None or model == baseline:
                continue
            against = answers.get(baseline, {}).get(question.uid)
            if against is None:
                raise ValueError(
                    f"no answer of the {question.category} baseline {baseline} to question {question.uid}: give its "
                    "model_answer file, or name another baseline"
                )
            yield Pair(
                id=pair_id(question.uid, model),
                domain=question.category,
                context=question.prompt,
                response1=against.text,
                response2=answer.text,
                references=(),
                extra={"uid": question.uid, "model": model, "baseline": baseline},
            )


def pair_id(uid: str, model: str) -> str:
    """The id of the pair of a model's answer and the baseline's."""
    return f"{uid}/{model}"


def game_of(pair: Pair, critique: Critique) -> Game:
    """A critique of one of `pairs` as a game. Its verdict is about responses 1 and 2, so that + is for the baseline."""
    status = NOT_ANSWERED if critique.status is None or critique.error is not None else critique.status.name.lower()
    return Game(
        uid=pair.extra["uid"],
        category=pair.domain,
        model=pair.extra["model"],
        baseline=pair.extra["baseline"],
        judge=critique.model,
        model_first=critique.swapped,
        level=None if critique.verdict is None else -critique.verdict,
        status=status,
        text=critique.text,
    )
