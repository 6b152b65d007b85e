"""Answers of one model scored row by row: what a figure is the mean of, and what each row adds to the counts.

A row depends on its own record alone, so rows may be scored apart, in other processes or runs: `summarise` gives the
figures of a single run for all of them in one `AnswerRows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.metrics.critiques import critiques
from rationale_rm.metrics.lexical import Ask, match_asked, match_lexical
from rationale_rm.metrics.matches import match_none, match_recorded
from rationale_rm.metrics.results import Matched, Settings
from rationale_rm.types import Pair

UNKNOWN: Final = "unknown"
"""Answer status where the data hold neither a verdict nor a transcript."""
_MATCHERS: Final = {"recorded": match_recorded, "lexical": match_lexical, "none": match_none}


@dataclass(frozen=True, slots=True)
class Asked:
    """A judge that is asked while rows are scored."""

    ask: Ask
    name: str
    stand_in: str | None = None
    """What to say of it when it is no LLM."""


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """n scored answers of one model, in any order; everything is of length n."""

    model: str
    ids: tuple[str, ...]
    """Id of the record."""
    source_ids: tuple[str, ...]
    """Id of the pair that is answered."""
    domains: tuple[str, ...]
    swapped: NDArray[np.bool_]
    samples: NDArray[np.int64]
    label: NDArray[np.int8]
    """+2 to -2, `NO_VERDICT` where there is none."""
    verdict: NDArray[np.int8]
    """Likewise, in terms of responses 1 and 2."""
    answer_status: tuple[str, ...]
    """Name of the `GenrmStatus` in lower case, or `UNKNOWN`."""
    n_reasons: NDArray[np.int64]
    """-1 where the data do not hold the reasons."""
    matched: Matched
    judges: tuple[tuple[str | None, str | None] | None, ...]
    """Name of the judge and what to say of it when it is a stand-in; None where no recorded answer is used."""

    def __len__(self) -> int:
        return len(self.ids)

    def outcome(self, *, exact: bool) -> NDArray[np.float64]:
        """Outcome of each row (`rationale_rm.outcome_reward`); NaN where nothing is known of the answer's verdict."""
        outcome = core.outcome_reward(self.verdict, self.label, exact=exact).copy()
        outcome[[status == UNKNOWN for status in self.answer_status]] = np.nan
        return outcome

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> AnswerRows:
        """The rows of these numbers, in their order."""
        chosen = np.asarray(rows, dtype=np.int64)

        def some(values: Sequence[str]) -> tuple[str, ...]:
            return tuple([values[row] for row in chosen.tolist()])

        return AnswerRows(
            model=self.model,
            ids=some(self.ids),
            source_ids=some(self.source_ids),
            domains=some(self.domains),
            swapped=self.swapped[chosen],
            samples=self.samples[chosen],
            label=self.label[chosen],
            verdict=self.verdict[chosen],
            answer_status=some(self.answer_status),
            n_reasons=self.n_reasons[chosen],
            matched=Matched(
                {name: column[chosen] for name, column in self.matched.columns.items()},
                some(self.matched.status),
                self.matched.n_failed[chosen],
                self.matched.n_dropped[chosen],
                self.matched.judged_length[chosen],
            ),
            judges=tuple([self.judges[row] for row in chosen.tolist()]),
        )


def score_rows(pairs: Sequence[Pair], model: str, settings: Settings, *, asked: Asked | None = None) -> AnswerRows:
    """Reads, matches and scores the answers of `model`, one row for each of `pairs` that holds one, in their order.

    A judge that is `asked` stands in for what ``settings.judge`` names.
    """
    answers = critiques(pairs, model, format=settings.format, policy=settings.policy)
    held = [pair for pair in pairs if model in pair.models]
    judges: list[tuple[str | None, str | None] | None] = [None] * len(held)
    if asked is not None:
        judges = [(asked.name, asked.stand_in)] * len(held)
        matched = match_asked(asked.ask, held, answers, settings)
    else:
        matched = _MATCHERS[settings.judge](held, answers, settings)
        if settings.judge == "recorded":
            found = [pair.models[model].judge for pair in held]
            judges = [None if judge is None else (judge.judge, judge.stand_in) for judge in found]
    return AnswerRows(
        model=model,
        ids=tuple(pair.id for pair in held),
        source_ids=tuple(pair.source_id for pair in held),
        domains=tuple(pair.domain for pair in held),
        swapped=np.array([critique.swapped for critique in answers], dtype=np.bool_),
        samples=np.array([critique.sample for critique in answers], dtype=np.int64),
        label=np.array([core.NO_VERDICT if pair.label is None else pair.label for pair in held], dtype=np.int8),
        verdict=np.array([core.NO_VERDICT if c.verdict is None else c.verdict for c in answers], dtype=np.int8),
        answer_status=tuple(UNKNOWN if c.status is None else c.status.name.lower() for c in answers),
        n_reasons=np.array([-1 if c.reasons is None else len(c.reasons) for c in answers], dtype=np.int64),
        matched=matched,
        judges=tuple(judges),
    )


def in_order(rows: AnswerRows) -> AnswerRows:
    """The rows sorted by source pair, order, sample and id: the order of the data says nothing."""
    keys = list(zip(rows.source_ids, rows.swapped.tolist(), rows.samples.tolist(), rows.ids, strict=True))
    return rows.take(sorted(range(len(keys)), key=keys.__getitem__))
