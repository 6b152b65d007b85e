"""Scores and pairwise results of RM-Bench, as upstream and those who use it record them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from rationale_rm.data import Row
from rationale_rm.data.faults import kind
from rationale_rm.evals.answers import Answers, passed_over
from rationale_rm.evals.files import given, refuse, same_texts
from rationale_rm.evals.rm_bench_prompts import CELLS, STYLES, pairs_of, prompt_of
from rationale_rm.evals.rm_bench_prompts import prompt as prompt_of_row
from rationale_rm.types import Pair

_SUFFIXES: Final = frozenset({".json", ".jsonl", ".parquet", ".gz"})
_LARGEST: Final = 1 << 1000
TABLES: Final = "tables"
"""In `Answers.recorded`: rule → id of the prompt → (3, 3) values, None where there is none."""
Table = list[list[float | None]]


def read_recorded(records: Sequence[Row], pairs: Sequence[Pair] | None) -> Answers:
    """Scores or pairwise results in the files of upstream and of those who use it.

    ``score_chosen`` and ``score_rejected``, three numbers each, are what upstream's scripts write. ``result``, three
    numbers a record in three files, is what RM-R1's script leaves of a GenRM: in file r the right response of style k
    meets the wrong one of style (k + r) mod 3, so the files must be given in their order. Raises `DataError`.
    """
    files = list(dict.fromkeys(row.file for row in records))
    scalar = given(records[0].value, "score_chosen", "score_rejected")
    rule = "scores" if scalar else "pairwise"
    if not scalar and len(files) != len(STYLES):
        refuse(records[0], f"pairwise results stand in three files, one a rotation, in order; there are {len(files)}")
    tables: dict[str, Table] = {}
    shown: dict[str, Pair] = {}
    seen: set[tuple[str, str]] = set()
    for row in records:
        prompt = prompt_of_row(row)
        where = "" if scalar else row.file  # pairwise results of one prompt stand once in each file
        if (prompt.id, where) in seen:
            refuse(row, f"the prompt {prompt.id} has {'scores' if scalar else 'results of this rotation'} already")
        seen.add((prompt.id, where))
        same_texts(pairs_of(shown.setdefault(prompt.id, prompt)), pairs_of(prompt))
        table = tables.setdefault(prompt.id, [[None] * 3 for _ in STYLES])
        if scalar:
            chosen, rejected = (_numbers(row, name) for name in ("score_chosen", "score_rejected"))
            for i, j in CELLS:
                a, b = chosen[i], rejected[j]
                table[i][j] = None if math.isnan(a) or math.isnan(b) else float(a > b)
        else:
            rotation = files.index(row.file)
            for k, value in enumerate(_numbers(row, "result")):
                if not (math.isnan(value) or 0 <= value <= 1):
                    refuse(row, f"result holds {value:g}: expected what the right response won, 0 to 1")
                table[k][(k + rotation) % 3] = None if math.isnan(value) else value
    wanted = pairs if pairs is not None else [pair for prompt in shown.values() for pair in pairs_of(prompt)]
    same_texts(wanted, [pair for prompt in shown.values() for pair in pairs_of(prompt)])
    notes = passed_over(shown, {prompt_of(pair.id) for pair in wanted}, "prompts")
    notes.append("recorded scores hold no answers: parse failures and order figures are not there")
    if rule == "pairwise":
        notes.append("pairwise results count as recorded: a tie may stand as 0.5, and one order a pair was drawn")
    return Answers(
        pairs=tuple(wanted),
        found={},
        model=_model_of(files[0]),
        orders=(),
        recorded={TABLES: {rule: tables}},
        notes=tuple(notes),
    )


def _model_of(file: str) -> str:
    """The file's name without its suffixes; a model's own name may hold dots."""
    path = PurePath(file)
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def _numbers(row: Row, name: str) -> list[float]:
    found = row.value.get(name)
    if not isinstance(found, list) or len(found) != len(STYLES):
        refuse(row, f"{name} must be a list of {len(STYLES)} numbers")
    for value in found:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            refuse(row, f"{name} must hold numbers, not {kind(value)}")
        if isinstance(value, int) and abs(value) > _LARGEST:
            refuse(row, f"{name} holds a number of too many digits")
    return [math.nan if value is None else float(value) for value in found]
