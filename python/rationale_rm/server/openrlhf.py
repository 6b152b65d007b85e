"""OpenRLHF's remote protocol: ``{"query", "prompts", "labels"}`` in, ``{"rewards", "scores", "extra_logs"}`` out.

It has no way to say that there is no reward: null ends its trainer with an exception about tensors, JSON has no NaN.
So a request with such a row is refused as a whole, with 503 where the judge failed and 422 where the data lack
something. Its client asks five times, a second apart, and then leaves the answer without a reward, on which its trainer
stops: an outage is never learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.integrations.openrlhf import answer_of
from rationale_rm.integrations.openrlhf_queries import responses
from rationale_rm.integrations.rows import Row, read_row
from rationale_rm.integrations.scoring import ADVANTAGE_MODES
from rationale_rm.judge import loop
from rationale_rm.rewards import RationaleReward
from rationale_rm.server import schema
from rationale_rm.server.codec import not_unicode
from rationale_rm.server.problems import invalid, judge_failed
from rationale_rm.server.scoring import NO_LABEL
from rationale_rm.types import RewardBatch


def rows_of(asked: schema.RemoteRequest) -> list[Row]:
    """What each answer is scored against. Raises `Problem` 422."""
    rows = []
    for at, label in enumerate(asked.labels):
        try:
            row = read_row(label)
        except RecursionError:
            raise invalid(f"labels[{at}] is nested too deeply") from None
        except RationaleError as error:
            raise invalid(f"labels[{at}]: {str(error)[:300]}") from None
        if any(map(not_unicode, row.references)):
            raise invalid(f"labels[{at}]: a human reason is not valid Unicode")
        rows.append(row)
    return rows


def responses_of(asked: schema.RemoteRequest) -> list[str]:
    """The response of each query. Raises `Problem` 422 where a query does not begin with its prompt."""
    try:
        return responses(asked.query, asked.prompts)
    except RationaleError as error:
        raise invalid(str(error)) from None


async def remote_rewards(reward: RationaleReward, texts: Sequence[str], rows: Sequence[Row]) -> schema.RemoteAnswer:
    """Rewards of the responses; `reward` must not have a failure ceiling. Raises `Problem` as the module says."""
    if reward.mode in ADVANTAGE_MODES:
        raise invalid(f"mode {reward.mode} makes advantages, and OpenRLHF takes rewards: choose another mode")
    try:
        batch = await loop.hop(
            reward.score(
                texts,
                references=[row.references for row in rows],
                labels=[row.label for row in rows],
                swapped=[row.swapped for row in rows],
                groups=list(range(len(rows))),
            )
        )
    except RationaleError as error:
        raise invalid(str(error)) from None
    _check_known(batch)
    answer = answer_of(batch)
    return schema.RemoteAnswer(answer["rewards"], answer["scores"], schema.RemoteLogs(**answer["extra_logs"]))


def _check_known(batch: RewardBatch) -> None:
    """Every number of the answer must be one, the outcome in `extra_logs` included: without a label it is not."""
    unknown = np.isnan(batch.reward)
    failed = np.flatnonzero(unknown & batch.judged & ~batch.answered).tolist()
    if failed:
        raise judge_failed(f"the judge gave no answer for row {failed[0]}: {batch.errors[failed[0]]}")
    for row in np.flatnonzero(unknown | np.isnan(batch.outcome)).tolist():
        raise invalid(f"row {row} has no reward: {batch.errors[row] or NO_LABEL}")
