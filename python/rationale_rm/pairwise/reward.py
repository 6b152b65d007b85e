"""`PairwiseReward`: responses of a policy in, scores out, by way of a pairwise judge."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, get_args

import numpy as np

from rationale_rm import _core as core
from rationale_rm.judge import loop
from rationale_rm.pairwise import tournament
from rationale_rm.pairwise.comparer import Comparer, Context
from rationale_rm.pairwise.groups import Entry, groups_of, n_pairs
from rationale_rm.pairwise.records import PairwiseBatch, PlayedPair
from rationale_rm.pairwise.tournament import Aggregation, Group, Result, Schedule
from rationale_rm.rewards.ceiling import FEW, FailureCeiling, TooManyFailuresError

MAX_FAILURE_RATE: Final = 0.05
PRIOR_STD: Final = 5.0
NO_RESPONSE: Final = "no_response: the response is None"
INVALID_UNICODE: Final = "invalid_unicode: the response is no valid Unicode text"
ALONE: Final = "alone: there is no other response to this prompt"
NOT_COMPARED: Final = "not_compared: the budget ended before this response played"
TIE: Final = {"bradley_terry": 0.0, "mean_win": 0.5}
"""The score of responses that are all the same."""


class ComparisonFailureError(TooManyFailuresError[PairwiseBatch]):
    """Too many comparisons of a batch got no answer."""


class PairwiseReward:
    """Scores the responses to each prompt by comparing them in pairs, each pair in both orders.

    Args:
        comparer: Says which of two responses is better (`open_genrm`, or any async function of that form).
        schedule: Which pairs are compared (docs/pairwise.md): ``round_robin``, all; ``swiss``, rounds among equals;
            ``knockout``, winners only, which finds the best and little else; ``anchor``, all with one.
        aggregation: ``bradley_terry`` gives strengths in log-odds, ``mean_win`` the share of comparisons won.
        budget: The most comparisons a group: a whole number, or a share (a float up to 1) of its round-robin; None for
            all of the schedule, and for ``swiss`` ceil(log2 n) + 1 rounds.
        strong: What a verdict of A>>B or B>>A counts as, where A>B counts 1.
        prior_std: Standard deviation of the prior on strengths, in log-odds.
        seed: With the prompt, it decides what is drawn: first pairs, byes, anchors.
        max_failure_rate: Share of a batch's comparisons, and of the last 1,000, that may get no answer in either order
            before `ComparisonFailureError`; fewer than 20 count as 20.
    """

    def __init__(
        self,
        comparer: Comparer,
        *,
        schedule: Schedule = "swiss",
        aggregation: Aggregation = "bradley_terry",
        budget: float | None = None,
        strong: float = 1.0,
        prior_std: float = PRIOR_STD,
        seed: int = 0,
        max_failure_rate: float = MAX_FAILURE_RATE,
    ):
        for name, value, kind in (("schedule", schedule, Schedule), ("aggregation", aggregation, Aggregation)):
            if value not in get_args(kind):
                raise core.RationaleError(f"unknown {name} {value!r}: choose from {', '.join(get_args(kind))}")
        in_range = budget is None or (budget >= 1 if isinstance(budget, int) else 0 < budget <= 1)
        if not in_range or isinstance(budget, bool):
            raise core.RationaleError(f"budget is {budget}: expected a number of comparisons, or a share up to 1.0")
        if not 0 <= max_failure_rate <= 1:
            raise core.RationaleError(f"max_failure_rate is {max_failure_rate}: expected 0 to 1")
        if not 0.001 <= strong <= 1000:  # what the core takes for a weight
            raise core.RationaleError(f"strong is {strong}: expected 0.001 to 1000")
        core.bradley_terry([0], [], [], [], [], prior_std=prior_std)  # raises for one out of range
        self.comparer = comparer
        self.schedule: Schedule = schedule
        self.aggregation: Aggregation = aggregation
        self.budget = budget
        self.strong = strong
        self.prior_std = prior_std
        self.seed = seed
        self.max_failure_rate = max_failure_rate
        self._ceiling = FailureCeiling(max_failure_rate)

    def __call__(self, prompts: Sequence[Context], responses: Sequence[str | None], **columns: Any) -> PairwiseBatch:
        """`score` for callers without an event loop; the same arguments."""
        return loop.run(self.score(prompts, responses, **columns))

    async def score(
        self,
        prompts: Sequence[Context],
        responses: Sequence[str | None],
        *,
        groups: Sequence[int] | None = None,
        anchors: Sequence[str] | None = None,
    ) -> PairwiseBatch:
        """Scores of N responses.

        Args:
            prompts: The prompt of each response, as a text or as chat messages.
            responses: The responses; None is one that never came, and has no score.
            groups: Responses with one number are compared, and must have one prompt; by default those with equal
                prompts are.
            anchors: With the schedule ``anchor``, the text that the responses of a group are compared with, such as a
                reference answer: one a row, the same in a group. By default a response of the group is drawn.

        Equal responses to a prompt are one player and share its score, so they tie without being asked. Raises
        `RationaleError` for columns that do not fit, `ComparisonFailureError` when more than `max_failure_rate` of the
        comparisons got no answer.
        """
        n = len(responses)
        for name, column in (("prompts", prompts), ("groups", groups), ("anchors", anchors)):
            if column is not None and len(column) != n:
                raise core.RationaleError(f"{name} has {len(column)} rows, responses have {n}")
        if anchors is not None and self.schedule != "anchor":
            raise core.RationaleError(f'anchors go with the schedule "anchor", not with "{self.schedule}"')
        if groups is not None and n and np.asarray(groups).dtype.kind not in "iu":
            raise core.RationaleError(f"groups must be whole numbers, not {np.asarray(groups).dtype}")
        entries = groups_of(prompts, responses, groups, anchors, seed=self.seed, budget=self.budget)
        return await loop.hop(self._score(entries, responses, groups))

    async def close(self) -> None:
        """Closes the comparer, where it can be closed."""
        close = getattr(self.comparer, "close", None)
        if close is not None:
            await close()

    async def _score(
        self, entries: Sequence[Entry], responses: Sequence[str | None], numbers: Sequence[int] | None
    ) -> PairwiseBatch:
        playing = [entry.group for entry in entries]
        n_round_robin = sum(n_pairs(len(group.players)) for group in playing)
        # Beyond it the batch has failed, however many are still asked.
        ceiling = self.max_failure_rate * max(n_round_robin, FEW)
        await tournament.play(playing, self.comparer, self.schedule, strong=self.strong, max_missing=ceiling)
        score = np.full(len(responses), np.nan)
        comparisons = np.zeros(len(responses), dtype=np.int64)
        group = np.zeros(len(responses), dtype=np.int64)
        errors: list[str | None] = [NO_RESPONSE if response is None else INVALID_UNICODE for response in responses]
        played: list[PlayedPair] = []
        every = zip(entries, tournament.scores(playing, self.aggregation, self.prior_std), strict=True)
        for number, (entry, strengths) in enumerate(every):
            name = number if numbers is None else int(numbers[entry.rows[0]])
            group[entry.rows] = name
            copies = sum(map(len, entry.rows_of)) + (entry.group.anchor is not None)
            all_equal = len(entry.group.players) == 1 and copies > 1
            for player, rows in enumerate(entry.rows_of):
                theirs = [result for result in entry.group.results if player in (result.first, result.second)]
                score[rows] = TIE[self.aggregation] if all_equal else strengths[player]
                comparisons[rows] = sum(not math.isnan(result.outcome) for result in theirs)
                for row in rows:
                    errors[row] = None if not math.isnan(score[row]) else _why(theirs, entry.group)
            played.extend(entry.played(name))
        played.sort(key=lambda pair: pair.round)
        batch = PairwiseBatch(
            id=_digest(playing),
            group=group,
            score=score,
            comparisons=comparisons,
            errors=tuple(errors),
            played=tuple(played),
            n_round_robin=n_round_robin,
        )
        self._check(batch)
        return batch

    def _check(self, batch: PairwiseBatch) -> None:
        """Raises `ComparisonFailureError` where too many comparisons got no answer."""
        found = self._ceiling.exceeded([math.isnan(pair.outcome) for pair in batch.played])
        if found is None:
            return
        failed = [error for pair in batch.played if math.isnan(pair.outcome) for error in pair.errors if error]
        causes = Counter(error.partition(":")[0] for error in failed)
        listed = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
        raise ComparisonFailureError(
            f"{found[0]} of the last {found[1]} comparisons got no answer ({listed}), more than max_failure_rate "
            f"{self.max_failure_rate:g}; the last: {failed[-1]}",
            batch,
        )


def _digest(groups: Sequence[Group]) -> str:
    """An id of prompts, responses and seed."""
    return hashlib.sha256(repr([(group.seed, *group.players) for group in groups]).encode()).hexdigest()[:16]


def _why(results: Sequence[Result], group: Group) -> str:
    """Why a player has no score."""
    failed = [error for result in results for error in result.errors if error is not None]
    if failed:
        return failed[-1]
    return ALONE if len(group.players) == 1 else NOT_COMPARED
