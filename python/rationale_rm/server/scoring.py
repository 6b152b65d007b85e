"""What the endpoints under ``/v1`` answer: columns of a request in, columns of the core out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.judge import loop
from rationale_rm.rewards import JudgeFailureError, RationaleReward
from rationale_rm.server import schema
from rationale_rm.server.matching import RECORDED, Matched, from_entries, from_judge, from_transcripts
from rationale_rm.server.problems import invalid, judge_failed
from rationale_rm.types import RewardBatch

NO_LABEL: Final = "no_label: without a human preference there is no outcome"


async def rewards(reward: RationaleReward, asked: schema.RewardsRequest) -> RewardBatch:
    """`RationaleReward.score`. Raises `Problem` 503 where too many of the judge's calls failed, and 422 for a column
    that the reward does not take.
    """
    try:
        return await loop.hop(
            reward.score(
                asked.texts,
                references=asked.references,
                labels=asked.labels,
                groups=asked.groups,
                swapped=asked.swapped,
                lengths=asked.lengths,
                ids=asked.ids,
            )
        )
    except JudgeFailureError as error:
        raise judge_failed(str(error)) from None
    except core.RationaleError as error:
        raise invalid(str(error)) from None


def rewards_answer(batch: RewardBatch, judge: str) -> schema.RewardsAnswer:
    """The columns, with a cause beside every reward that is not known."""
    reward = batch.reward.tolist()
    return schema.RewardsAnswer(
        reward=reward,
        advantage=batch.advantage.tolist(),
        outcome=batch.outcome.tolist(),
        rationale=batch.rationale.tolist(),
        rc=batch.rc.tolist(),
        verdict=_verdicts(batch.verdict),
        status=[core.GENRM_STATUSES[code] for code in batch.status.tolist()],
        group=batch.group.tolist(),
        judged=batch.judged.tolist(),
        gated=batch.gated.tolist(),
        audit_weight=batch.audit_weight.tolist(),
        errors=[
            error or (NO_LABEL if outcome != outcome else None)
            for error, outcome in zip(batch.errors, batch.outcome.tolist(), strict=True)
        ],
        judge=judge,
    )


async def judged_score(reward: RationaleReward, asked: schema.ScoreRequest) -> schema.ScoreAnswer:
    """All scores of the answers, each judged whatever its verdict."""
    return await loop.hop(_judged_score(reward, asked))


async def _judged_score(reward: RationaleReward, asked: schema.ScoreRequest) -> schema.ScoreAnswer:
    parsed = core.parse_genrm(asked.texts, format=reward.format, policy=reward.policy)
    matched = await from_judge(reward.judge, asked.references, parsed.reasons, asked.swapped, reward.top_k)
    return _scored(reward, asked, parsed, matched, reward.judge.name)


def recorded_score(reward: RationaleReward, asked: schema.ScoreRequest) -> schema.ScoreAnswer:
    """All scores of the answers, by what a judge said of them before."""
    parsed = core.parse_genrm(asked.texts, format=reward.format, policy=reward.policy)
    matched = _recorded(asked, list(map(len, asked.references)), parsed.n_reasons.tolist(), reward.top_k)
    return _scored(reward, asked, parsed, matched, RECORDED)


async def judged_match(reward: RationaleReward, asked: schema.MatchRequest) -> schema.MatchAnswer:
    """What the judge says of two lists, and their matching."""
    matched = await loop.hop(from_judge(reward.judge, asked.references, asked.reasons, asked.swapped, reward.top_k))
    return _match_answer(matched, reward.judge.name)


def recorded_match(reward: RationaleReward, asked: schema.MatchRequest) -> schema.MatchAnswer:
    """The matching of what a judge said before."""
    sizes = list(map(len, asked.references)), list(map(len, asked.reasons))
    return _match_answer(_recorded(asked, *sizes, reward.top_k), RECORDED)


def is_recorded(asked: schema.ScoreRequest | schema.MatchRequest) -> bool:
    """Whether a request brings what the judge said. Raises `Problem` 422 where it brings both forms of it."""
    if asked.judge_answers is not None and asked.entries is not None:
        raise invalid("judge_answers and entries exclude each other")
    return asked.judge_answers is not None or asked.entries is not None


def _recorded(
    asked: schema.ScoreRequest | schema.MatchRequest,
    references: Sequence[int],
    reasons: Sequence[int],
    top_k: int | None,
) -> Matched:
    if asked.entries is not None:
        return from_entries(asked.entries, references, reasons, top_k)
    return from_transcripts(asked.judge_answers or [], references, reasons, top_k)


def _scored(
    reward: RationaleReward, asked: schema.ScoreRequest, parsed: core.GenrmBatch, matched: Matched, judge: str
) -> schema.ScoreAnswer:
    n = len(asked.texts)
    verdict = parsed.verdict
    if asked.swapped is not None:
        flip = np.asarray(asked.swapped, dtype=bool) & (verdict != core.NO_VERDICT)
        verdict = np.where(flip, -verdict, verdict).astype(np.int8)
    levels = asked.labels if asked.labels is not None else [None] * n
    labels = np.array([core.NO_VERDICT if level is None else level for level in levels], dtype=np.int8)
    scores = core.score(matched.matches, threshold=reward.threshold)
    errors: list[str | None] = matched.errors
    if asked.labels is not None:
        errors = [error or (NO_LABEL if level is None else None) for error, level in zip(errors, levels, strict=True)]
    return schema.ScoreAnswer(
        verdict=_verdicts(verdict),
        status=[core.GENRM_STATUSES[code] for code in parsed.status.tolist()],
        outcome=core.outcome_reward(verdict, labels, exact=reward.exact).tolist(),
        rc=matched.column(scores.recall),
        precision=matched.column(scores.precision),
        f1=matched.column(scores.f1),
        ap=matched.column(scores.ap),
        soft_ap=matched.column(scores.soft_ap),
        n_references=list(map(len, asked.references)),
        n_reasons=parsed.n_reasons.tolist(),
        matches=matched.pairs(),  # type: ignore[arg-type]
        errors=errors,
        judge=judge,
    )


def _match_answer(matched: Matched, judge: str) -> schema.MatchAnswer:
    return schema.MatchAnswer(
        cells=[None if row is None else list(row) for row in matched.cells()],  # type: ignore[arg-type]
        matches=matched.pairs(),  # type: ignore[arg-type]
        total=matched.column(matched.matches.total),
        errors=matched.errors,
        judge=judge,
    )


def _verdicts(verdict: NDArray[np.int8]) -> list[int | None]:
    return [None if level == core.NO_VERDICT else level for level in verdict.tolist()]
