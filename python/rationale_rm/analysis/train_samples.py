"""Samples of a training run (``samples/step-NNNNNN.parquet``) as answers, each step a model of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rationale_rm.documents import SampleView

FOLDER: Final = "samples"
_FIELDS: Final = frozenset(("step", "id", "pair_id", "prompt", "answer", "status", "reasons", "references", "outcome"))


def sample_files(run: str | os.PathLike[str]) -> list[str]:
    """The sample files of a run folder, by step; none where it is no such folder."""
    return sorted(str(path) for path in (Path(run) / FOLDER).glob("step-*.parquet"))


def is_train_sample(value: Any) -> bool:
    """Whether a decoded row is a sample of a training run."""
    return isinstance(value, dict) and value.keys() >= _FIELDS


def view_of(file: str, row: Mapping[str, Any]) -> SampleView:
    """The sample as an answer of the model ``RUN@STEP``. What the gate kept from the judge has no RC."""
    run = Path(file).resolve().parent.parent.name
    outcome = row["outcome"]
    matches = row.get("matches")
    return SampleView(
        id=row["id"],
        pair_id=row["pair_id"],
        model=f"{run}@{int(row['step']):06d}",
        domain="unknown",
        context=row["prompt"],
        response1="",
        response2="",
        label=row.get("label"),
        verdict=row.get("verdict"),
        right=None if outcome is None or outcome != outcome else outcome == 1.0,
        status=row["status"],
        error=row.get("error"),
        swapped=bool(row.get("swapped")),
        text=row["answer"],
        references=tuple(row["references"] or ()),
        reasons=tuple(row["reasons"] or ()),
        matches=tuple((one["reference"], one["reason"], one["score"]) for one in matches or ()),
        judge_status=None if matches is None else "ok",
        rc=row.get("rc"),
    )
