"""A run folder of ``rationale-rm train``: its curves, its evaluations, and the answers that it kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rationale_rm.documents import Estimate, SampleView
from rationale_rm.extras import needs
from rationale_rm.report.errors import ReportError

RUN_FILE: Final = "run.json"
RECIPE_FILE: Final = "recipe.yaml"
METRICS_FILE: Final = "metrics.jsonl"
SAMPLES: Final = "samples"
FIGURES: Final = ("oa", "rc", "ap", "disagreement", "format_errors")
"""Of an evaluation that are shown."""
_AP: Final = re.compile(r"^ +rationale: ap$", re.MULTILINE)
"""In a recipe: the rationale term of the reward is AP."""
_SEED: Final = re.compile(r"[-_.]?(?:seed)?[-_.]?[0-9]{1,9}\Z")


@dataclass(frozen=True)
class TrainingRun:
    """One run. Steps of `steps` and `evaluations` are in the order of the file."""

    name: str
    """The folder's name; unique."""
    setting: str
    """The name without a number at its end: runs that share it are seeds of one setting."""
    path: Path
    manifest: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    """Records of the phase ``grpo``: `outcome`, `rationale` and `reward` of each step."""
    evaluations: Sequence[Mapping[str, Any]]
    """Records of the phase ``evaluation``: `split`, and `oa` and `rc` with their intervals."""

    def split(self) -> str | None:
        """The split that figures are of: the one evaluated at the latest step, ``test`` where it is one of several.

        A run evaluates ``test`` before its first step and at its end; one that was stopped has ``validation`` since.
        """
        latest = max((one["step"] for one in self.evaluations), default=None)
        splits = [split_of(one) for one in self.evaluations if one["step"] == latest]
        return "test" if "test" in splits else splits[0] if splits else None

    def last(self) -> Mapping[str, Any] | None:
        """The last evaluation on `split`."""
        split = self.split()
        return next((one for one in reversed(self.evaluations) if split_of(one) == split), None)

    def first(self) -> Mapping[str, Any] | None:
        """The evaluation on `split` before the first step, where there is one."""
        split = self.split()
        return next((one for one in self.evaluations if split_of(one) == split and one["step"] == 0), None)


def split_of(evaluation: Mapping[str, Any]) -> str:
    """The split of a record of the phase ``evaluation``."""
    return str(evaluation.get("split") or "validation")


def setting_of(name: str) -> str:
    """The name without a seed at its end; the name itself where nothing would be left."""
    return _SEED.sub("", name) or name


def by_setting(runs: Sequence[TrainingRun]) -> dict[str, list[TrainingRun]]:
    """Runs by setting, both in the order given."""
    groups: dict[str, list[TrainingRun]] = {}
    for run in runs:
        groups.setdefault(run.setting, []).append(run)
    return groups


def estimate_of(metric: str, value: object) -> Estimate | None:
    """A figure of a trainer's record: an object with its interval, or a bare number."""
    if isinstance(value, Mapping):
        if not isinstance(value.get("value"), (int, float, type(None))):
            return None
        return Estimate(
            metric=metric,
            value=value.get("value"),
            low=value.get("low"),
            high=value.get("high"),
            n=value.get("n") or 0,
            n_total=value.get("n_total") or 0,
        )
    return None if not isinstance(value, (int, float)) else Estimate(metric=metric, value=value, n=0, n_total=0)


def sample_files(folder: Path) -> list[Path]:
    """The Parquet files of answers that a run kept."""
    return sorted((folder / SAMPLES).glob("step-*.parquet"))


def read_samples(folder: Path) -> Iterator[SampleView]:
    """The kept answers, each step's of a model of its own, ``RUN@STEP``, as `rationale-rm analyze` names them.

    The prompt is as the policy saw it, with both responses in it, so these stand empty.
    """
    files = sample_files(folder)
    if not files:
        return
    with needs("report", "pyarrow"):
        from pyarrow import parquet
        from pyarrow.lib import ArrowException
    recipe = folder / RECIPE_FILE
    is_ap = recipe.is_file() and _AP.search(recipe.read_text("utf-8", errors="replace")) is not None
    run = folder.resolve().name
    for file in files:
        try:
            rows = parquet.read_table(file).to_pylist()
        except (ArrowException, OSError) as error:
            raise ReportError(f"{file} is no whole Parquet file ({str(error)[:100]}): remove it") from None
        for number, row in enumerate(rows, 1):
            try:
                view = _view(row, run, is_ap)
            except (KeyError, TypeError, ValueError) as error:
                why = f"{type(error).__name__}: {str(error)[:100]}"
                raise ReportError(f"{file}, row {number}: no sample of `rationale-rm train` ({why})") from None
            yield view


def _view(row: Mapping[str, Any], run: str, is_ap: bool) -> SampleView:
    matches = row["matches"]
    entries = tuple((one["reference"], one["reason"], one["score"]) for one in matches or ())
    outcome = _known(row["outcome"])
    return SampleView(
        id=row["id"],
        pair_id=row["pair_id"],
        model=f"{run}@{int(row['step']):06d}",
        domain=f"step {row['step']}",
        context=row["prompt"],
        response1="",
        response2="",
        label=row["label"],
        verdict=row["verdict"],
        right=None if outcome is None or row["label"] is None else outcome > 0,
        status=row["status"],
        error=row["error"],
        swapped=row["swapped"],
        text=row["answer"],
        references=tuple(row["references"]),
        reasons=tuple(row["reasons"]),
        scores=entries,
        matches=entries,
        judge_status=None if matches is None else "ok",
        rc=_known(row["rc"]),
        ap=_known(row["rationale"]) if is_ap else None,
    )


def _known(value: float | None) -> float | None:
    """A figure; None for NaN, which says that there is none."""
    return None if value is None or math.isnan(value) else value
