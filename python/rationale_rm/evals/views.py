"""Answers as samples that a person can look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rationale_rm.documents import SampleView
from rationale_rm.evals.answers import Answers, answered, right
from rationale_rm.types import Critique, Pair

NOT_ANSWERED = "not_answered"


def sample_views(answers: Answers) -> Iterator[SampleView]:
    """One for each answer that there is or should be, pair by pair."""
    for pair in answers.pairs:
        for swapped, answer in zip(answers.orders, answers.of(pair), strict=True):
            yield sample_view(pair, answer, model=answers.model, swapped=swapped)


def sample_view(pair: Pair, answer: Critique | None, *, model: str, swapped: bool) -> SampleView:
    """One answer with its pair."""
    is_right = right(pair, answer)
    return SampleView.of(
        pair,
        answer,
        id=f"{pair.id}#swapped" if swapped else pair.id,
        model=model,
        right=None if is_right is None else is_right == 1.0,
        status=status_of(answer),
        swapped=swapped,
    )


def status_of(answer: Critique | None) -> str:
    """How an answer was read, in lower case."""
    if answer is None or answer.status is None or not answered(answer):
        return NOT_ANSWERED
    return answer.status.name.lower()


def statuses(answers: Answers) -> dict[str, int]:
    """Status → answers, the most frequent first."""
    counts = Counter(status_of(answer) for pair in answers.pairs for answer in answers.of(pair))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
