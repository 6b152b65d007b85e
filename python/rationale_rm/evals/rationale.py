"""Rationale Consistency on pairs with human reasons: HelpSteer3-Atomic, CW-Atomic, or any of the public schema.

One item an answer, drawn by pair; per domain. Beside outcome accuracy (``oa``) and the rationale scores of
`rationale_rm.metrics`: ``joint`` is the mean over answers of outcome x RC, so that reasons count only under a right
verdict. ``spurious`` is the share of right verdicts whose RC is 0, ``spurious_below`` of those whose RC is under a
threshold. S-Corr of R-Align (arXiv 2602.06763) is likewise a share of the label-correct decisions: of those whose
rationale does not fit a golden judgment, as one meta-judge says yes or no; here the measure is how many of the human
reasons were found, so the two rank models alike at best, and their values are not comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rationale_rm import metrics
from rationale_rm._core import NO_VERDICT, RationaleError
from rationale_rm.critique import critique_id
from rationale_rm.evals.answers import READABLE, about_orders, shown_swapped
from rationale_rm.evals.files import item_digest, same_texts
from rationale_rm.evals.table import ScoredItem
from rationale_rm.metrics.rows import UNKNOWN
from rationale_rm.types import Critique, Pair

NAME: Final = "rationale"
WHERE: Final = (
    "--data hub:Qwen/RationaleRM/data/helpsteer3_test_1000.jsonl (HelpSteer3-Atomic, 1,000 pairs), any file of its "
    "schema, or world:SPLIT:N of the synthetic world"
)
BELOW: Final = 0.25
"""Default threshold of ``spurious_below``: a single reason that only touches on one of a few human ones."""
HEADLINE: Final = ("/oa", "/rc", "/joint", "/spurious", "/spurious_below", "/f1", "/ap", "/soft_ap")
NOT_JUDGED: Final = "not_judged"
_RATIONALE: Final = ("rc", "precision", "f1", "ap", "soft_ap")


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers of one model with their judge's scores, ready to be scored."""

    pairs: tuple[Pair, ...]
    """The source pairs, all of which should be answered."""
    records: tuple[Pair, ...]
    """One an answer, with what the judge said of it."""
    model: str
    orders: tuple[bool, ...]
    settings: metrics.Settings
    errors: Mapping[str, str]
    """Id of the answer → why it never came."""

    def missing(self) -> list[tuple[Pair, bool]]:
        """Pairs and orders without an answer."""
        held = {(pair.source_id, pair.models[self.model].swapped) for pair in self.records}
        return [(pair, swapped) for pair in self.pairs for swapped in self.orders if (pair.id, swapped) not in held]


def judged(
    records: Sequence[Pair],
    model: str | None,
    settings: metrics.Settings,
    pairs: Sequence[Pair] | None = None,
    orders: Sequence[bool] | None = None,
) -> Judged:
    """The answers that `records` hold of a model, and of `pairs` (by default the records' own) those without.

    `orders` are those that were asked; None takes the orders of which the records hold an answer or a failed call.
    Raises `RationaleError` where there is no model, or several and none is named, and where an answer is about other
    texts than the pair of its id.
    """
    names = sorted({name for pair in records for name in pair.models})
    if model is None and len(names) != 1:
        raise RationaleError(f"the records hold {', '.join(names) or 'no model'}: choose one with --name")
    name = model or names[0]
    sources: dict[str, Pair] = {}
    for pair in records if pairs is None else pairs:
        sources.setdefault(pair.source_id, replace(pair, id=pair.source_id, pair_id=None, models={}))
    if pairs is not None:
        same_texts(tuple(sources.values()), records)
    held = sorted(
        (pair for pair in records if name in pair.models and pair.source_id in sources),
        key=lambda pair: (pair.source_id, pair.models[name].swapped, pair.models[name].sample, pair.id),
    )
    if not held:
        raise RationaleError(f"no answer of {name} to any of {len(sources)} pairs")
    if not any(pair.models[name].judge for pair in held):
        # else an answer that cannot be read would have RC 0, and be all that RC is the mean of
        settings = replace(settings, judge="none")
    failed = [pair for pair in records if pair.extra.get("error") and not pair.models and pair.source_id in sources]
    errors = {pair.id: str(pair.extra["error"]) for pair in failed}
    if orders is None:
        orders = sorted({pair.models[name].swapped for pair in held} | {shown_swapped(pair) for pair in failed})
    return Judged(tuple(sources.values()), tuple(held), name, tuple(orders), settings, errors)


def score(answers: Judged, *, below: float = BELOW) -> list[ScoredItem]:
    """One item an answer that there is or should be, and one a pair for what is said of both orders."""
    rows = metrics.score_rows(answers.records, answers.model, answers.settings)
    outcome = rows.outcome(exact=answers.settings.exact).tolist()
    columns = {name: rows.matched.columns[name].tolist() for name in _RATIONALE}
    not_due = _not_due(answers, outcome, rows.matched.status)
    items = []
    for row, record in enumerate(answers.records):
        label = rows.label[row] != NO_VERDICT
        values = _values(
            outcome[row] if label else None,
            {name: columns[name][row] for name in _RATIONALE},
            below,
            None if not_due is None else not_due[row],
        )
        status = rows.answer_status[row]
        values["/malformed"] = None if status == UNKNOWN else float(status != "ok")
        if label and rows.answer_status[row] == "ok":
            values[READABLE] = values["/oa"]
        items.append(_item(record, record.id, values))
    labelled = ("/oa",) if not_due is None else ("/oa", "/joint")
    for pair, swapped in answers.missing():
        none: dict[str, float | None] = dict.fromkeys(
            ["/malformed", *(f"/{name}" for name in _RATIONALE), *(labelled if pair.label is not None else ())]
        )
        items.append(_item(pair, critique_id(pair.id, swapped, 0), none))
    return items + _orders(answers)


def _not_due(answers: Judged, outcome: Sequence[float], status: Sequence[str]) -> list[bool] | None:
    """Which answers no judge had to see: wrong ones, where the judge saw no wrong answer because a gate left them out.
    None where no judge was asked at all.
    """
    asked = [record.models[answers.model].judge is not None for record in answers.records]
    if not any(asked):
        return None
    gated = not any(seen and right == 0 for seen, right in zip(asked, outcome, strict=True))
    return [gated and name == NOT_JUDGED for name in status]


def _values(
    outcome: float | None, rationale: Mapping[str, float], below: float, not_due: bool | None
) -> dict[str, float | None]:
    """The figures of one answer; `outcome` is None without a label, and NaN where nothing is known of the verdict.

    ``joint`` is missing wherever a judge was due and gave no scores, under a wrong verdict too: were these 0, the
    answers that a failing judge leaves would be wrong more often than all are. `not_due` None: no judge, no joint.
    """
    values: dict[str, float | None] = {f"/{name}": known(value) for name, value in rationale.items()}
    if outcome is None:
        return values
    values["/oa"] = known(outcome)
    if not_due is not None:
        values["/joint"] = 0.0 if outcome == 0 and not_due else known(outcome * rationale["rc"])
    if outcome == 1:
        rc = rationale["rc"]
        values["/spurious"] = None if np.isnan(rc) else float(rc == 0)
        values["/spurious_below"] = None if np.isnan(rc) else float(rc < below)
    return values


def known(value: float) -> float | None:
    """The value, None for NaN."""
    return None if np.isnan(value) else float(value)


def _item(pair: Pair, name: str, values: Mapping[str, float | None]) -> ScoredItem:
    return ScoredItem(id=name, cluster=pair.source_id, slices=(pair.domain,), values=values, digest=item_digest(pair))


def critiques_of(answers: Judged) -> list[Critique]:
    """The answers as they were read, in the order of the records."""
    settings = answers.settings
    return metrics.critiques(answers.records, answers.model, format=settings.format, policy=settings.policy)


def _orders(answers: Judged) -> list[ScoredItem]:
    if len(answers.orders) < 2:
        return []
    found: dict[tuple[str, bool], Critique] = {}
    for record, answer in zip(answers.records, critiques_of(answers), strict=True):
        found.setdefault((record.source_id, answer.swapped), answer)
    return [
        _item(
            pair,
            f"{pair.id}#orders",
            {
                f"/{name}": value
                for name, value in about_orders(found.get((pair.id, False)), found.get((pair.id, True))).items()
            },
        )
        for pair in answers.pairs
    ]
