"""Rationale Consistency on pairs with human reasons: HelpSteer3-Atomic, CW-Atomic, or any of the public schema.

One item an answer, drawn by pair; per domain. Beside outcome accuracy (``oa``) and the rationale scores of
`rationale_rm.metrics`: ``joint`` is the mean over answers of outcome x RC, so that reasons count only under a right
verdict. ``spurious`` is the share of right verdicts whose RC is 0, ``spurious_below`` of those whose RC is under a
threshold. S-Corr of R-Align (arXiv 2602.06763) is likewise a share of the label-correct decisions: of those whose
rationale does not fit a golden judgment, as one meta-judge says yes or no; here the measure is how many of the human
reasons were found, so the two rank models alike at best, and their values are not comparable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rationale_rm import metrics
from rationale_rm._core import NO_VERDICT, RationaleError
from rationale_rm.critique import critique_id
from rationale_rm.documents import SampleView
from rationale_rm.evals.answers import READABLE, about_orders, shown_swapped
from rationale_rm.evals.files import item_digest, same_texts
from rationale_rm.evals.table import ScoredItem
from rationale_rm.evals.views import NOT_ANSWERED, sample_view
from rationale_rm.judge.answers import match_results
from rationale_rm.metrics.rows import UNKNOWN
from rationale_rm.types import Critique, MatchResult, Pair

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
        known = rows.answer_status[row] != UNKNOWN
        values["/malformed"] = float(rows.answer_status[row] != "ok") if known else None
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
    values: dict[str, float | None] = {f"/{name}": _known(value) for name, value in rationale.items()}
    if outcome is None:
        return values
    values["/oa"] = _known(outcome)
    if not_due is not None:
        values["/joint"] = 0.0 if outcome == 0 and not_due else _known(outcome * rationale["rc"])
    if outcome == 1:
        rc = rationale["rc"]
        values["/spurious"] = None if np.isnan(rc) else float(rc == 0)
        values["/spurious_below"] = None if np.isnan(rc) else float(rc < below)
    return values


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _item(pair: Pair, name: str, values: Mapping[str, float | None]) -> ScoredItem:
    return ScoredItem(id=name, cluster=pair.source_id, slices=(pair.domain,), values=values, digest=item_digest(pair))


def _critiques(answers: Judged) -> list[Critique]:
    settings = answers.settings
    return metrics.critiques(answers.records, answers.model, format=settings.format, policy=settings.policy)


def _orders(answers: Judged) -> list[ScoredItem]:
    if len(answers.orders) < 2:
        return []
    found: dict[tuple[str, bool], Critique] = {}
    for record, answer in zip(answers.records, _critiques(answers), strict=True):
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


def views(answers: Judged) -> Iterator[SampleView]:
    """Every answer with its scores and matches."""
    critiques = _critiques(answers)
    by_id = {pair.id: pair for pair in answers.records}
    rows = metrics.score_rows(answers.records, answers.model, answers.settings)
    judges = [record.models[answers.model].judge for record in answers.records]
    cuts = [None if judge is None else judge.top_k for judge in judges]
    seen = [
        answer if cut is None or answer.reasons is None else replace(answer, reasons=answer.reasons[:cut])
        for answer, cut in zip(critiques, cuts, strict=True)
    ]
    requests = metrics.match_requests(by_id, seen)
    results = metrics.read_judge(requests, by_id)
    for row, (record, answer, result) in enumerate(zip(answers.records, critiques, results, strict=True)):
        source = replace(record, id=record.source_id, pair_id=None)
        rc, ap = (_known(float(rows.matched.columns[name][row])) for name in ("rc", "ap"))
        yield replace(
            sample_view(source, answer, model=answers.model, swapped=answer.swapped),
            id=record.id,
            scores=tuple(entry for entry in result.entries if entry[1] >= 0) if result.answered else (),
            matches=_matches(result, len(record.references), len(seen[row].reasons or ()), answers.settings.top_k),
            judge_status=None if judges[row] is None else rows.matched.status[row],
            rc=rc,
            ap=ap,
        )
    for pair, swapped in answers.missing():
        name = critique_id(pair.id, swapped, 0)
        view = sample_view(pair, None, model=answers.model, swapped=swapped)
        yield replace(view, id=name, error=answers.errors.get(name))


def _matches(
    result: MatchResult, n_references: int, n_reasons: int, top_k: int | None
) -> tuple[tuple[int, int, float], ...]:
    """The pairs of the one-to-one matching (Eq. 1)."""
    if not result.answered:
        return ()
    batch = match_results([result], [n_references], [n_reasons], top_k=top_k)
    return tuple(zip(batch.reference.tolist(), batch.reason.tolist(), batch.score.tolist(), strict=True))


def statuses(answers: Judged) -> dict[str, int]:
    """How answers were read → answers."""
    counts = Counter(UNKNOWN if answer.status is None else answer.status.name.lower() for answer in _critiques(answers))
    if missing := len(answers.missing()):
        counts[NOT_ANSWERED] = missing
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def notes(answers: Judged) -> list[str]:
    """What a reader of the figures must know."""
    said = []
    if all(pair.label is None for pair in answers.pairs):
        said.append(metrics.NO_LABELS.rstrip("."))
    judges = [record.models[answers.model].judge for record in answers.records]
    if not any(judges):
        said.append("no judge was asked, so there are no rationale scores: add --judge, or records that match wrote")
    said += sorted({judge.stand_in.rstrip(".") for judge in judges if judge is not None and judge.stand_in})
    if answers.orders != (False, True):
        said.append("answers in one order only: order consistency and position bias are not there")
    return said


def judge_names(answers: Judged) -> list[str]:
    """The judges whose scores are used; ``unnamed`` where the data do not say."""
    judges = [record.models[answers.model].judge for record in answers.records]
    return sorted({judge.judge or "unnamed" for judge in judges if judge is not None})
