"""The benchmarks that there are, and what the figures of every evaluation are shown by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rationale_rm.evals import judgebench, llmbar, rationale, rm_bench
from rationale_rm.evals.arena_hard import result as arena_hard
from rationale_rm.evals.benchmark import Benchmark

BENCHMARKS: Final[tuple[Benchmark, ...]] = (rm_bench.BENCHMARK, judgebench.BENCHMARK, llmbar.BENCHMARK)
"""Those of labelled pairs, for which there is one subcommand made of the `Benchmark` alone."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How the figures of an evaluation are put together and shown."""

    headline: tuple[str, ...]
    """The figures that come first, each ``rule/metric``."""
    strata: Mapping[str, tuple[str, ...]]
    """As in `Benchmark.strata`."""


SHOWN: Final[Mapping[str, Shown]] = {
    rationale.NAME: Shown(rationale.HEADLINE, {}),
    arena_hard.NAME: Shown(arena_hard.HEADLINE, {}),
    **{one.name: Shown(one.headline, one.strata) for one in BENCHMARKS},
}
"""Evaluation → how it is shown."""


def shown(name: str) -> Shown:
    """How an evaluation is shown; one that is not known, by its items alone."""
    return SHOWN.get(name, Shown((), {}))
