"""A judge's texts into judged cells, and judged cells into matches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from rationale_rm import _core as core
from rationale_rm.types import Entry, MatchResult, MetaJudgeStatus

ReadPolicy = Literal["strict", "reference"]
MatchPolicy = Literal["one_to_one", "greedy", "reference"]
NO_REFERENCES: Final = "no_references: without human reasons there is nothing to match"
"""Why a judge is not asked about an empty list of human reasons."""
Cells = tuple[tuple[Entry, ...], tuple[MetaJudgeStatus, ...]]
"""Mean cells of one request, and the status of each sample."""


def read_samples(
    samples: Sequence[Sequence[str]],
    n_references: Sequence[int],
    n_reasons: Sequence[int],
    *,
    policy: ReadPolicy = "strict",
) -> list[Cells]:
    """The MetaJudge answers to n requests, parsed: for each its cells and the status of each sample.

    The score of a cell is its mean over the samples that parsed, a sample that does not name it counting 0.
    """
    bounds = np.cumsum([0, *map(len, samples)]).tolist()
    counts = np.diff(bounds)
    batch = core.parse_metajudge(
        [text for texts in samples for text in texts],
        np.repeat(np.asarray(n_references, dtype=np.int64), counts),
        np.repeat(np.asarray(n_reasons, dtype=np.int64), counts),
        policy=policy,
    )
    codes = batch.status.tolist()
    cells = list(zip(batch.reference.tolist(), batch.reason.tolist(), batch.score.tolist(), strict=True))
    rows = batch.row_offsets.tolist()
    read = []
    for start, end in pairwise(bounds):
        parsed = [cells[rows[at] : rows[at + 1]] for at in range(start, end) if codes[at] == 0]
        read.append((_mean(parsed), tuple(MetaJudgeStatus(code) for code in codes[start:end])))
    return read


def _mean(samples: Sequence[Sequence[Entry]]) -> tuple[Entry, ...]:
    """The mean of each cell over `samples`, a cell that one does not name counting 0 there."""
    if len(samples) == 1:  # also keeps the repeated references of the release as they are
        return tuple(samples[0])
    total: dict[tuple[int, int], float] = {}
    for sample in samples:
        for reference, reason, score in sample:
            total[reference, reason] = total.get((reference, reason), 0.0) + score
    return tuple((*cell, min(score / len(samples), 1.0)) for cell, score in sorted(total.items()))


def match_results(
    results: Sequence[MatchResult],
    n_references: Sequence[int],
    n_reasons: Sequence[int],
    *,
    policy: MatchPolicy = "one_to_one",
    top_k: int | None = None,
) -> core.MatchBatch:
    """The one-to-one matching (Eq. 1) of each result; all of them must be answered."""
    return match_cells([result.entries for result in results], n_references, n_reasons, policy=policy, top_k=top_k)


def match_cells(
    rows: Sequence[Sequence[Entry]],
    n_references: Sequence[int],
    n_reasons: Sequence[int],
    *,
    policy: MatchPolicy = "one_to_one",
    top_k: int | None = None,
) -> core.MatchBatch:
    """The one-to-one matching (Eq. 1) of the judged cells of each row."""
    flat = [cell for row in rows for cell in row]
    return core.match_sparse(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([cell[0] for cell in flat], dtype=np.int32),
        np.array([cell[1] for cell in flat], dtype=np.int32),
        np.array([cell[2] for cell in flat], dtype=np.float64),
        np.array(n_references, dtype=np.int32),
        np.array(n_reasons, dtype=np.int32),
        policy=policy,
        top_k=top_k,
    )
