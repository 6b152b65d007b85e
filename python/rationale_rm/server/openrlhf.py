"""OpenRLHF's remote protocol: ``{"query", "prompts", "labels"}`` in, ``{"rewards", "scores", "extra_logs"}`` out.

It has no way to say that there is no reward: null ends its trainer with an exception about tensors, and NaN spoils the
group. So a request with such a row is refused as a whole, with 503 where the judge failed and 422 where the data lack
something. Its client asks five times, a second apart, and then leaves the answer without a reward, on which its trainer
stops: an outage is never learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import Row, read_row
from rationale_rm.integrations.scoring import ADVANTAGE_MODES
from rationale_rm.judge import loop
from rationale_rm.rewards import RationaleReward
from rationale_rm.server import schema
from rationale_rm.server.codec import not_unicode
from rationale_rm.server.problems import invalid, judge_failed
from rationale_rm.server.scoring import NO_LABEL
from rationale_rm.types import GenrmStatus, RewardBatch

OVERLAP: Final = 16
"""Characters of a prompt that must be found at the start of a query whose prompt was cut."""
_TRIES: Final = 64


def rows_of(asked: schema.RemoteRequest) -> list[Row]:
    """What each answer is scored against. Raises `Problem` 422."""
    rows = []
    for at, label in enumerate(asked.labels):
        try:
            rows.append(read_row(label))
        except RecursionError:
            raise invalid(f"labels[{at}] is nested too deeply") from None
        except RationaleError as error:
            raise invalid(f"labels[{at}]: {str(error)[:300]}") from None
    return rows


def responses_of(asked: schema.RemoteRequest) -> list[str]:
    """The response of each query. Raises `Problem` 422 where a query does not begin with its prompt: scored whole, the
    form that a prompt shows could be taken for the answer.
    """
    found = []
    for at, (query, prompt) in enumerate(zip(asked.query, asked.prompts, strict=True)):
        response = without_prompt(query, prompt)
        if response is None:
            raise invalid(f"query[{at}] does not begin with prompts[{at}], nor with an end of it")
        found.append(response)
    return found


def without_prompt(query: str, prompt: str) -> str | None:
    """What follows the prompt in a query; None where the query does not begin with it.

    OpenRLHF cuts a prompt that is too long at its start, and a tokenizer may drop a leading space: then the query
    begins with the end of the prompt, of which at least `OVERLAP` characters must be there.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    head = query[:OVERLAP]
    at = prompt.find(head) if len(head) == OVERLAP else -1
    for _ in range(_TRIES):
        if at < 0:
            return None
        if query.startswith(prompt[at:]):
            return query[len(prompt) - at :]
        at = prompt.find(head, at + 1)
    return None


async def remote_rewards(reward: RationaleReward, responses: Sequence[str], rows: Sequence[Row]) -> schema.RemoteAnswer:
    """Rewards of the responses; `reward` must not have a failure ceiling. Raises `Problem` as the module says."""
    if reward.mode in ADVANTAGE_MODES:
        raise invalid(f"mode {reward.mode} makes advantages, and OpenRLHF takes rewards: choose another mode")
    for at, row in enumerate(rows):
        if any(map(not_unicode, row.references)):
            raise invalid(f"labels[{at}]: a human reason is not valid Unicode")
    try:
        batch = await loop.hop(
            reward.score(
                responses,
                references=[row.references for row in rows],
                labels=[row.label for row in rows],
                swapped=[row.swapped for row in rows],
                groups=list(range(len(rows))),
            )
        )
    except RationaleError as error:
        raise invalid(str(error)) from None
    _check_known(batch, needs_labels=reward.mode != "rationale")
    return _answer(batch)


def _check_known(batch: RewardBatch, *, needs_labels: bool) -> None:
    """A reward can be 0 without a label, as a product with an empty rationale is; what is trained on has labels."""
    unknown = np.isnan(batch.reward)
    failed = np.flatnonzero(unknown & batch.judged & ~batch.answered).tolist()
    if failed:
        raise judge_failed(f"the judge gave no answer for row {failed[0]}: {batch.errors[failed[0]]}")
    unlabelled = np.isnan(batch.outcome) if needs_labels else np.zeros(len(batch), dtype=bool)
    for row in np.flatnonzero(unknown | unlabelled).tolist():
        raise invalid(f"row {row} has no reward: {batch.errors[row] or NO_LABEL}")


def _answer(batch: RewardBatch) -> schema.RemoteAnswer:
    scored = ~np.isnan(batch.rationale)
    rewards = batch.reward.tolist()
    return schema.RemoteAnswer(
        rewards=rewards,
        scores=rewards,
        extra_logs=schema.RemoteLogs(
            labelled=(~np.isnan(batch.outcome)).astype(float).tolist(),
            outcome=np.nan_to_num(batch.outcome).tolist(),
            malformed=(batch.status != int(GenrmStatus.OK)).astype(float).tolist(),
            scored=scored.astype(float).tolist(),
            scored_rationale=np.nan_to_num(batch.rationale).tolist(),
            scored_rc=np.nan_to_num(batch.rc).tolist(),
        ),
    )
