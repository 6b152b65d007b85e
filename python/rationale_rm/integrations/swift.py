"""ms-swift: the reward under the names ``rationale`` and ``rationale_async`` (docs/trainers/swift.md)."""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.integrations.labels import require_labels, why_unknown
from rationale_rm.integrations.rows import Row, read_columns, row_fields, text_of
from rationale_rm.integrations.scoring import Scoring
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import Pair, RewardBatch

NAMES: Final = ("rationale", "rationale_async")
_MEDIA: Final = re.compile(r"<(/?img|image|start-image|video|audio|ref-object|bbox|cot-process)>")
"""What ms-swift's templates take for media in the text of a message: ``<img>path</img>`` opens a local file."""
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
    """A row of a data set for ms-swift: the prompt as messages, and the columns that the reward takes.

    Tags that ms-swift puts media in the place of get ‹ › for < >: the texts of a pair are for reading alone.
    """
    shown = [{**message, "content": _MEDIA.sub(r"‹\1›", message["content"])} for message in messages]
    return {"messages": shown, **row_fields(pair, swapped)}


def inputs(
    settings: RewardSettings, completions: Sequence[Any], columns: Mapping[str, Any]
) -> tuple[list[str | None], list[Row], list[int] | None]:
    """Texts, rows and lengths of what ms-swift gives a reward. Raises `RationaleError` for data without human reasons,
    and for a batch without any label where the reward depends on it.
    """
    texts, rows, lengths = _inputs(settings, completions, columns)
    require_labels(settings.mode, rows)
    return texts, rows, lengths


def _inputs(
    settings: RewardSettings, completions: Sequence[Any], columns: Mapping[str, Any]
) -> tuple[list[str | None], list[Row], list[int] | None]:
    texts = [text_of(completion) for completion in completions]
    ids = columns.get("response_token_ids")
    lengths = None if ids is None or settings.max_length is None else [_length(turns) for turns in ids]
    return texts, read_columns(len(texts), columns), lengths


def rewards(
    batch: RewardBatch, rows: Sequence[Row], columns: Mapping[str, Any], *, heeds_none: bool
) -> list[float | None]:
    """What ms-swift is given for a batch.

    ms-swift turns None into NaN and adds NaN up as 0, so that an outage would be a reward like any other; only
    ``--scale_rewards gdpo`` (`heeds_none`) leaves it out. For the others an answer without a judgement gets the mean
    of the known rewards of its group, which is an advantage of 0 and leaves the group's mean as it is. Where nothing is
    known of a group, all of it is None, which is an advantage of 0 as well.

    Groups are told by ``prompt_id``, which ms-swift gives, or else by ``pair_id``, within this process. Without either
    it is None, and a warning says so: the mean over other prompts would be an advantage like any other.
    """
    found = [None if math.isnan(value) else value for value in batch.reward.tolist()]
    unknown = [at for at, value in enumerate(found) if value is None]
    if not unknown:
        return found
    reason = next((reason for reason in reversed(why_unknown(batch, rows)) if reason is not None), None)
    log.warning("%d of %d answers have no reward; the last: %s", len(unknown), len(found), reason)
    if heeds_none:
        return found
    groups = _groups(columns, len(found))
    if any(groups[at] is None for at in unknown):
        log.warning("neither prompt_id nor pair_id says whose group they belong to: None, which ms-swift counts as 0")
    known: dict[Any, list[float]] = {}
    for group, value in zip(groups, found, strict=True):
        if group is not None and value is not None:
            known.setdefault(group, []).append(value)
    means = {group: sum(values) / len(values) for group, values in known.items()}
    return [means.get(group) if value is None else value for group, value in zip(groups, found, strict=True)]


def _groups(columns: Mapping[str, Any], n: int) -> list[Any]:
    """Whose answers belong together, None where that is not said."""
    for name in ("prompt_id", "pair_id"):
        ids = columns.get(name)
        if ids is not None:
            return list(ids.tolist() if hasattr(ids, "tolist") else ids)
    return [None] * n


def _length(turns: Sequence[Any]) -> int:
    """Tokens of one answer, whose ids may be a list for each turn."""
    return sum(map(len, turns)) if turns and isinstance(turns[0], Sequence) else len(turns)
