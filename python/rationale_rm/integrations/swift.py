"""ms-swift: the reward under the names ``rationale`` and ``rationale_async`` (docs/trainers/swift.md)."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.integrations.rows import read_columns, row_fields, text_of
from rationale_rm.integrations.scoring import Scoring
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import Pair, RewardBatch

NAMES: Final = ("rationale", "rationale_async")
log = logging.getLogger(__name__)


def register(settings: RewardSettings | None = None) -> None:
    """Makes ``--reward_funcs rationale`` and ``rationale_async`` known to ms-swift; what a file for
    ``--external_plugins`` calls. Without `settings` the environment says what the reward is
    (`RewardSettings.from_environment`).

    Raises `ImportError` without ms-swift, `RationaleError` for settings that cannot be.
    """
    from swift.rewards import orms

    from rationale_rm.integrations.swift_orms import AsyncRationaleORM, RationaleORM

    settings = RewardSettings.from_environment() if settings is None else settings
    Scoring(settings)  # a bad setting is said now, not when the model is loaded
    for name, orm in zip(NAMES, (RationaleORM, AsyncRationaleORM), strict=True):
        orms[name] = functools.partial(orm, settings=settings)


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row of a data set for ms-swift: the prompt as messages, and the columns that the reward takes."""
    return {"messages": [dict(message) for message in messages], **row_fields(pair, swapped)}


def inputs(
    settings: RewardSettings, completions: Sequence[Any], columns: Mapping[str, Any]
) -> tuple[list[str | None], list[Any], list[int] | None]:
    """Texts, rows and lengths of what ms-swift gives a reward."""
    texts = [text_of(completion) for completion in completions]
    ids = columns.get("response_token_ids")
    lengths = None if ids is None or settings.max_length is None else [_length(turns) for turns in ids]
    return texts, read_columns(len(texts), columns), lengths


def rewards(batch: RewardBatch, columns: Mapping[str, Any], *, heeds_none: bool) -> list[float | None]:
    """What ms-swift is given for a batch.

    ms-swift turns None into NaN and adds NaN up as 0, so that an outage would be a reward like any other; only
    ``--scale_rewards gdpo`` (`heeds_none`) leaves it out. For the others an answer without a judgement gets the mean
    of the known rewards of its group, which is an advantage of 0 and leaves the group's mean as it is. Where nothing is
    known of a group, all of it is None, which is an advantage of 0 as well.

    Groups are told by ``prompt_id``, which ms-swift gives, or else by ``pair_id``, within this process.
    """
    found = [None if math.isnan(value) else value for value in batch.reward.tolist()]
    unknown = [row for row, value in enumerate(found) if value is None]
    if not unknown:
        return found
    reason = next((error for error in reversed(batch.errors) if error is not None), None)
    log.warning("%d of %d answers have no reward; the last: %s", len(unknown), len(found), reason)
    if heeds_none:
        return found
    groups = columns.get("prompt_id") or columns.get("pair_id") or [0] * len(found)
    means = {}
    for group in {groups[row] for row in unknown}:
        known = [value for value, other in zip(found, groups, strict=True) if other == group and value is not None]
        means[group] = sum(known) / len(known) if known else None
    return [means[groups[row]] if value is None else value for row, value in enumerate(found)]


def _length(turns: Sequence[Any]) -> int:
    """Tokens of one answer, whose ids may be a list for each turn."""
    return sum(map(len, turns)) if turns and isinstance(turns[0], Sequence) else len(turns)
