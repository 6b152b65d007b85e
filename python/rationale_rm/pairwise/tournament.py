"""Groups of texts that play tournaments side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.pairwise.comparer import Compared, Comparer, Context, ShownPair

Schedule = Literal["anchor", "round_robin", "swiss", "knockout"]
Aggregation = Literal["bradley_terry", "mean_win"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison of two players of a group."""

    round: int
    first: int
    second: int
    verdicts: tuple[int | None, int | None]
    errors: tuple[str | None, str | None]
    outcome: float
    weight: float


@dataclass(slots=True)
class Group:
    """The players of one prompt: distinct texts, numbered from 0."""

    context: Context
    players: Sequence[str]
    seed: int
    budget: int | None
    """Comparisons; None for those of the schedule."""
    anchor: int | None = None
    results: list[Result] = field(default_factory=list)


async def play(
    groups: Sequence[Group], comparer: Comparer, schedule: Schedule, *, strong: float, max_missing: float
) -> None:
    """Plays the tournaments of all groups to their end; the pairs of a round of all groups are asked at once.

    It ends early when more than `max_missing` comparisons got no answer: the batch has then failed whatever is still
    to come, and each further round would only wait as long again.
    """
    number = 0
    while sum(math.isnan(result.outcome) for group in groups for result in group.results) <= max_missing:
        offsets, first, second = next_pairs(groups, schedule)
        if not len(first):
            return
        owner = np.repeat(np.arange(len(groups)), np.diff(offsets)).tolist()
        pairs = list(zip(owner, first.tolist(), second.tolist(), strict=True))
        shown = [
            ShownPair(context=groups[group].context, a=groups[group].players[a], b=groups[group].players[b])
            for group, i, j in pairs
            for a, b in ((i, j), (j, i))
        ]
        answers = list(await comparer(shown))
        if len(answers) != len(shown):
            raise core.RationaleError(f"the comparer gave {len(answers)} answers to {len(shown)} pairs")
        for at, (group, i, j) in enumerate(pairs):
            groups[group].results.append(_result(number, i, j, answers[2 * at], answers[2 * at + 1], strong))
        number += 1


def next_pairs(
    groups: Sequence[Group], schedule: Schedule
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The pairs that each group compares next."""
    n = [len(group.players) for group in groups]
    budgets = [group.budget for group in groups]
    anchors = [group.anchor for group in groups]
    named = schedule == "anchor" and None not in anchors
    return core.next_pairs(
        *_columns(groups),
        np.array(n, dtype=np.int64),
        schedule=schedule,
        weights=_weights(groups),
        seeds=np.array([group.seed for group in groups], dtype=np.int64),
        budgets=None if None in budgets else np.array(budgets, dtype=np.int64),
        anchors=np.array(anchors, dtype=np.int64) if named else None,
    )


def scores(groups: Sequence[Group], aggregation: Aggregation, prior_std: float) -> list[Floats]:
    """The score of each player of each group, NaN without an answered comparison."""
    n = np.array([len(group.players) for group in groups], dtype=np.int64)
    weights = _weights(groups)
    if aggregation == "mean_win":
        flat = core.mean_win(*_columns(groups), n, weights=weights)
    else:
        flat = core.bradley_terry(*_columns(groups), n, weights=weights, prior_std=prior_std)
    return np.split(flat, np.cumsum(n)[:-1]) if len(groups) else []


def _weights(groups: Sequence[Group]) -> Floats:
    return np.array([result.weight for group in groups for result in group.results], dtype=np.float64)


def _columns(groups: Sequence[Group]) -> tuple[Any, Any, Any, Any]:
    """The comparisons so far, as the core takes them."""
    results = [result for group in groups for result in group.results]
    return (
        np.cumsum([0, *(len(group.results) for group in groups)], dtype=np.int64),
        np.array([result.first for result in results], dtype=np.int64),
        np.array([result.second for result in results], dtype=np.int64),
        np.array([result.outcome for result in results], dtype=np.float64),
    )


def _result(number: int, first: int, second: int, given: Compared, swapped: Compared, strong: float) -> Result:
    """Both orders as one comparison: the mean over those with a verdict, so contradicting ones tie. What one order says
    alone counts half: it may be the place that decided.
    """
    verdicts = _level(given.verdict), None if swapped.verdict is None else -(_level(swapped.verdict) or 0)
    known = [verdict for verdict in verdicts if verdict is not None]
    agree = len({np.sign(verdict) for verdict in known}) == 1
    weights = [strong if agree and abs(verdict) == 2 else 1.0 for verdict in known]
    return Result(
        round=number,
        first=first,
        second=second,
        verdicts=verdicts,
        errors=(_why(given), _why(swapped)),
        outcome=float(np.mean([0.5 + 0.5 * np.sign(verdict) for verdict in known])) if known else float("nan"),
        weight=sum(weights) / 2 if known else 1.0,
    )


def _level(verdict: Any) -> int | None:
    if verdict is None:
        return None
    if isinstance(verdict, bool) or verdict not in (-2, -1, 0, 1, 2):
        raise core.RationaleError(f"the comparer gave {verdict!r:.60} as a verdict: expected +2 to -2, or None")
    return int(verdict)


def _why(answer: Compared) -> str | None:
    return None if answer.verdict is not None else answer.error or "no_answer: the comparer gave no verdict"
