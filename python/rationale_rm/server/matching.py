"""Judged cells and their matching for the rows of a request, from its own record of them or from the server's judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.judge import NO_REFERENCES, Judge, match_cells, read_samples
from rationale_rm.server.codec import not_unicode
from rationale_rm.types import Entry, MatchRequest, MetaJudgeStatus

RECORDED: Final = "recorded"
NO_ANSWER: Final = "no_answer: the record holds no answer of a judge"
NOT_UNICODE: Final = "invalid_unicode: a reason is not valid Unicode"

Cells = Sequence[Sequence[Entry] | None]


@dataclass(frozen=True, slots=True)
class Matched:
    """n rows, matched one to one. Where `errors` has an entry the row has no answer."""

    matches: core.MatchBatch
    errors: list[str | None]
    settled: NDArray[np.bool_]
    """(n,) rows without model reasons, which need no judge: nothing is matched, and every score is 0."""
    cells: Callable[[], Cells]
    """What the judge said of each row."""

    def column(self, values: NDArray[np.float64]) -> list[float | None]:
        """A column of scores (n,) as it is answered."""
        unknown = np.array([error is not None for error in self.errors], dtype=bool)
        known = np.where(self.settled, 0.0, values)
        return np.where(unknown, np.nan, known).tolist()  # type: ignore[no-any-return]

    def pairs(self) -> list[list[Entry] | None]:
        """The matching of each row."""
        batch = self.matches
        return _by_row(batch.row_offsets, batch.reference, batch.reason, batch.score, self.errors)


def from_cells(
    cells: Cells, errors: list[str | None], references: Sequence[int], reasons: Sequence[int], top_k: int | None
) -> Matched:
    """Matches the cells of each row; a row without any has its cause in `errors`."""
    matches = match_cells([row or () for row in cells], references, reasons, top_k=top_k)
    return Matched(matches, errors, _settled(references, reasons), lambda: cells)


def from_transcripts(
    answers: Sequence[Sequence[str]], references: Sequence[int], reasons: Sequence[int], top_k: int | None
) -> Matched:
    """Recorded MetaJudge transcripts, one or several samples a row, which are averaged."""
    if all(len(samples) == 1 for samples in answers):
        return _from_single([samples[0] for samples in answers], references, reasons, top_k)
    cells: list[Sequence[Entry] | None] = []
    errors: list[str | None] = []
    read = read_samples(answers, references, reasons)
    for (entries, statuses), n_references, n_reasons in zip(read, references, reasons, strict=True):
        fault = NO_REFERENCES if not n_references else None
        if n_references and n_reasons and MetaJudgeStatus.OK not in statuses:
            fault = _malformed(int(statuses[0])) if statuses else NO_ANSWER
        cells.append(entries if fault is None else None)
        errors.append(fault)
    return from_cells(cells, errors, references, reasons, top_k)


def _from_single(texts: Sequence[str], references: Sequence[int], reasons: Sequence[int], top_k: int | None) -> Matched:
    """One sample a row, the usual case, without a Python object for each cell: four times as fast."""
    read = core.parse_metajudge(texts, references, reasons)
    errors = [
        NO_REFERENCES if not n_references else _malformed(code) if code and n_reasons else None
        for code, n_references, n_reasons in zip(read.status.tolist(), references, reasons, strict=True)
    ]
    return Matched(
        core.match(read, top_k=top_k),
        errors,
        _settled(references, reasons),
        lambda: _by_row(read.row_offsets, read.reference, read.reason, read.score, errors),
    )


def from_entries(recorded: Cells, references: Sequence[int], reasons: Sequence[int], top_k: int | None) -> Matched:
    """Recorded cells; those of a row that name what is not there are no answer."""
    cells: list[Sequence[Entry] | None] = []
    errors: list[str | None] = []
    for entries, n_references, n_reasons in zip(recorded, references, reasons, strict=True):
        fault = None
        if not n_references:
            fault = NO_REFERENCES
        elif entries is None:
            fault = NO_ANSWER if n_reasons else None
        elif any(reference >= n_references for reference, _, _ in entries):
            fault = _malformed(MetaJudgeStatus.REFERENCE_OUT_OF_RANGE)
        elif any(reason >= n_reasons for _, reason, _ in entries):
            fault = _malformed(MetaJudgeStatus.REASON_OUT_OF_RANGE)
        cells.append((entries or ()) if fault is None else None)
        errors.append(fault)
    return from_cells(cells, errors, references, reasons, top_k)


def _malformed(status: int) -> str:
    return f"malformed: {core.METAJUDGE_STATUSES[status]}"


def _settled(references: Sequence[int], reasons: Sequence[int]) -> NDArray[np.bool_]:
    settled: NDArray[np.bool_] = (np.asarray(reasons) == 0) & (np.asarray(references) > 0)
    return settled


def _by_row(offsets: Any, reference: Any, reason: Any, score: Any, errors: Sequence[str | None]) -> list[Any]:
    """Columns of entries as a list for each row, None where it has no answer."""
    flat = list(zip(reference.tolist(), reason.tolist(), score.tolist(), strict=True))
    return [
        None if error is not None else flat[start:end]
        for error, (start, end) in zip(errors, pairwise(offsets.tolist()), strict=True)
    ]


async def from_judge(
    judge: Judge,
    references: Sequence[Sequence[str]],
    reasons: Sequence[Sequence[str]],
    swapped: Sequence[bool] | None,
    top_k: int | None,
) -> Matched:
    """Asks the judge, about the first `top_k` reasons. Equal rows are asked about once."""
    n = len(references)
    cells: list[Any] = [None] * n
    errors: list[str | None] = [None] * n
    rows_of: dict[Any, list[int]] = {}
    cut = [tuple(texts[:top_k]) for texts in reasons]
    for row in range(n):
        if not references[row]:
            errors[row] = NO_REFERENCES
        elif not cut[row]:
            cells[row] = ()
        elif any(map(not_unicode, cut[row])):
            errors[row] = NOT_UNICODE
        else:
            flip = bool(swapped[row]) if swapped is not None else False
            rows_of.setdefault((tuple(references[row]), cut[row], flip), []).append(row)
    asked = [
        MatchRequest(
            id=str(rows[0]), critique_id="", pair_id="", model="", references=ours, reasons=theirs, swapped=flip
        )
        for (ours, theirs, flip), rows in rows_of.items()
    ]
    results = await judge.match(asked) if asked else []
    for rows, result in zip(rows_of.values(), results, strict=True):
        for row in rows:
            if result.answered:
                cells[row] = result.entries
            else:
                errors[row] = result.error or "the judge gave no readable answer"
    return from_cells(cells, errors, [len(texts) for texts in references], [len(texts) for texts in cut], None)
