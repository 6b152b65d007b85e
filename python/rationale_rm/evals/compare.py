"""Two runs on the items that both have: paired differences, and McNemar's test of right and wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rationale_rm import _core as core
from rationale_rm._core import RationaleError
from rationale_rm.evals.figures import (
    N_RESAMPLES,
    Floats,
    Integers,
    column,
    finite,
    groups,
    linear,
    numbers,
    why_no_interval,
    within,
)
from rationale_rm.evals.runs import EvalRun
from rationale_rm.evals.table import ScoredItem, names_of, slices_of
from rationale_rm.types import SCHEMA_VERSION, Record, tuples


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Record):
    """A figure of run A minus the same figure of run B, on the items where both have it."""

    rule: str
    slice: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    """Two-sided, of the paired bootstrap over clusters."""
    n: int
    only_a: int | None = None
    """Items right in A alone; None where the figure is not right or wrong."""
    only_b: int | None = None
    p_mcnemar: float | None = None
    """Exact McNemar test, by item: where several items share a cluster it takes them for independent."""
    unavailable: str | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison(Record):
    """Run A minus run B."""

    eval: str
    a: str
    """Model of run A."""
    b: str
    differences: tuple[Difference, ...]
    manifest_differences: Mapping[str, tuple[Any, Any]]
    """Field of the manifest → its values in A and B, where they differ."""
    n_both: int
    n_only_a: int
    n_only_b: int
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return tuple(Difference.from_dict(item) for item in value) if name == "differences" else tuples(value)


def compare(
    a: EvalRun,
    b: EvalRun,
    *,
    strata: Mapping[str, tuple[str, ...]] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> RunComparison:
    """Compares two runs of one evaluation.

    Raises `RationaleError` for runs of different evaluations, without a common item or figure, or in which a common
    item is not the same text; the message names the fields of the manifests that differ.
    """
    other = manifest_differences(a.result.manifest, b.result.manifest)
    if a.result.eval != b.result.eval:
        raise RationaleError(f"{a.path} is a run of {a.result.eval} and {b.path} one of {b.result.eval}")
    where = {item.id: item for item in b.items}
    rows = sorted(((item, where[item.id]) for item in a.items if item.id in where), key=lambda row: row[0].id)
    if not rows:
        raise RationaleError(f"{a.path} and {b.path} have no item in common; their manifests differ in {_named(other)}")
    for one, two in rows:
        if one.digest != two.digest and None not in (one.digest, two.digest):
            raise RationaleError(
                f"{a.path} and {b.path} are of different data: item {one.id} is not the same text in both; their "
                f"manifests differ in {_named(other)}"
            )
    mine, theirs = [one for one, _ in rows], [two for _, two in rows]
    clusters = numbers([item.cluster for item in mine])
    found = []
    for slice_name in slices_of(mine):
        members = [row for row, item in enumerate(mine) if slice_name in item.all_slices]
        parts = (strata or {}).get(slice_name)
        of = groups([mine[row] for row in members], parts)
        for name in names_of(mine):
            places = [
                place for place, row in enumerate(members) if name in mine[row].values and name in theirs[row].values
            ]
            if places:
                kept = [members[place] for place in places]
                values = column(mine, kept, name), column(theirs, kept, name)
                found.append(
                    _difference(name, slice_name, values, clusters[kept], of[places], parts or (), n_resamples, seed)
                )
    if not found:
        raise RationaleError(
            f"{a.path} and {b.path} have no figure in common: {_rules(mine)} in the one, {_rules(theirs)} in the other"
        )
    return RunComparison(
        eval=a.result.eval,
        a=a.result.model,
        b=b.result.model,
        differences=tuple(found),
        manifest_differences=other,
        n_both=len(rows),
        n_only_a=len(a.items) - len(rows),
        n_only_b=len(b.items) - len(rows),
    )


def manifest_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Field → values in both, where they differ; fields of objects by their path (``sampling.seed``)."""
    flat_a, flat_b = _flat(a), _flat(b)
    return {
        name: (flat_a.get(name), flat_b.get(name))
        for name in sorted(flat_a.keys() | flat_b.keys())
        if json.dumps(flat_a.get(name), sort_keys=True, default=list)
        != json.dumps(flat_b.get(name), sort_keys=True, default=list)
    }


def _difference(
    name: str,
    slice_name: str,
    values: tuple[Floats, Floats],
    clusters: Integers,
    strata: Integers,
    parts: Sequence[str],
    n_resamples: int,
    seed: int,
) -> Difference:
    rule, _, metric = name.partition("/")
    known = ~np.isnan(values[0]) & ~np.isnan(values[1])
    n = int(known.sum())
    if n == 0:
        return Difference(
            rule=rule,
            slice=slice_name,
            metric=metric,
            value=None,
            n=0,
            unavailable="no item on which both have this figure",
        )
    a, b = values[0][known], values[1][known]
    paired = core.paired_bootstrap(
        linear(a, strata[known]),
        linear(b, strata[known]),
        clusters=clusters[known],
        n_resamples=n_resamples,
        seed=seed,
    )
    why = why_no_interval(clusters[known], strata[known], parts)
    low, high = (None, None) if why else within(a - b, strata[known], paired.low, paired.high)
    test = core.mcnemar(a == 1, b == 1) if _is_binary(a) and _is_binary(b) else None
    return Difference(
        rule=rule,
        slice=slice_name,
        metric=metric,
        value=paired.difference,
        low=low,
        high=high,
        p_value=None if why else finite(paired.p_value),
        n=n,
        only_a=None if test is None else test.only_a,
        only_b=None if test is None else test.only_b,
        p_mcnemar=None if test is None else finite(test.p_exact),
        unavailable=why,
    )


def _is_binary(values: Floats) -> bool:
    return bool(np.all((values == 0) | (values == 1)))


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= _flat(item, f"{name}.{key}" if name else str(key))
        return found
    return {name: value}


def _rules(items: Sequence[ScoredItem]) -> str:
    """The rules that items are scored under, for a message."""
    return ", ".join(dict.fromkeys(name.partition("/")[0] or name for name in names_of(items))) or "nothing"


def _named(differences: Mapping[str, Any]) -> str:
    return ", ".join(differences) or "nothing"
