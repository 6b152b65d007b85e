"""Rows into groups: which responses answer one prompt, and which of them are the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rationale_rm._core import RationaleError
from rationale_rm.pairwise.comparer import Context
from rationale_rm.pairwise.records import ANCHOR, PlayedPair
from rationale_rm.pairwise.tournament import Group


@dataclass(slots=True)
class Entry:
    """A group, and where its players come from."""

    group: Group
    rows: list[int]
    rows_of: list[list[int]]
    """The rows of each player; several for copies, none for an anchor from outside."""

    def played(self, name: int) -> list[PlayedPair]:
        """The comparisons so far, their players by row."""
        row = [rows[0] if rows else ANCHOR for rows in self.rows_of]
        return [
            PlayedPair(
                group=name,
                round=result.round,
                first=row[result.first],
                second=row[result.second],
                outcome=result.outcome,
                weight=result.weight,
                verdicts=result.verdicts,
                errors=result.errors,
            )
            for result in self.group.results
        ]


def groups_of(
    prompts: Sequence[Context],
    responses: Sequence[str | None],
    groups: Sequence[int] | None,
    anchors: Sequence[str] | None,
    *,
    seed: int,
    budget: float | None,
) -> list[Entry]:
    """The groups, in the order of their first rows. Raises `RationaleError` for rows of a group that differ."""
    contents = [_content(prompt, row) for row, prompt in enumerate(prompts)]
    members: dict[Any, list[int]] = {}
    for row, name in enumerate(contents if groups is None else groups):
        members.setdefault(name, []).append(row)
    entries = []
    for rows in members.values():
        for column, given in (("prompts", contents), ("anchors", anchors)):
            other = [] if given is None else [row for row in rows if given[row] != given[rows[0]]]
            if other:
                raise RationaleError(f"{column}: rows {rows[0]} and {other[0]} are of one group and differ")
        players: dict[str, list[int]] = {}
        for row in rows:
            response = responses[row]
            if response is not None and _is_text(response, f"responses[{row}]"):
                players.setdefault(response, []).append(row)
        anchor = None
        if anchors is not None:
            if not _is_text(anchors[rows[0]], f"anchors[{rows[0]}]"):
                raise RationaleError(f"anchors[{rows[0]}] is no valid Unicode text")
            players.setdefault(anchors[rows[0]], [])
            anchor = list(players).index(anchors[rows[0]])
        digest = hashlib.sha256(f"{seed}/{contents[rows[0]]}".encode("utf-8", "surrogatepass")).digest()
        group = Group(
            context=prompts[rows[0]],
            players=list(players),
            seed=int.from_bytes(digest[:8], "big") >> 1,
            budget=_budget(budget, len(players)),
            anchor=anchor,
        )
        entries.append(Entry(group, rows, list(players.values())))
    return entries


def _budget(budget: float | None, n_players: int) -> int | None:
    """A share of the round-robin as a number of comparisons."""
    if budget is None or isinstance(budget, int):
        return budget
    return max(1, math.floor(budget * n_pairs(n_players) + 1e-9))


def n_pairs(n: int) -> int:
    """Comparisons of a round-robin."""
    return n * (n - 1) // 2


def _is_text(text: Any, name: str) -> bool:
    """Whether a text is valid Unicode. Raises `RationaleError` for anything else."""
    if not isinstance(text, str):
        raise RationaleError(f"{name} must be a text, not {text!r:.60}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _content(prompt: Context, row: int) -> str:
    """A prompt as one text, by which equal ones are found."""
    try:
        return json.dumps(prompt if isinstance(prompt, str) else [dict(message) for message in prompt], sort_keys=True)
    except (TypeError, ValueError):
        raise RationaleError(f"prompts[{row}] must be a text or chat messages, not {prompt!r:.60}") from None
