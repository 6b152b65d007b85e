"""What `eval` and `analyze` write and `report` reads: figures by name, and samples that a person can look at.

A run of ``rationale-rm eval`` is a folder: `RESULT_FILE` holds an `EvalResult`, `SAMPLES_FILE` one `SampleView` a line.
An `Analysis` is a file. All are JSON objects, read and written by `Record.from_dict` and `Record.to_dict`. A field that
cannot be what it is said to be is a `SchemaError` that names it, so that who draws or counts them need not look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm.document_checks import ANALYSIS, ESTIMATE, EVAL_RESULT, SAMPLE, check, check_matches
from rationale_rm.types import SCHEMA_VERSION, VERDICT_TEXTS, Critique, Entry, Pair, Record, tuples

RESULT_FILE: Final = "result.json"
SAMPLES_FILE: Final = "samples.jsonl"
OVERALL: Final = "overall"
"""The slice of all items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Record):
    """A figure with its interval, under the name (`rule`, `slice`, `metric`), which is unique in its document."""

    rule: str = ""
    """How answers are counted or who labelled them, where there are several ways: ``both_orders``, ``rules``, …"""
    slice: str = OVERALL
    """What it is over: a domain, a level of difficulty, a rank, …"""
    metric: str
    value: float | None
    """None where there is none; `unavailable` says why."""
    low: float | None = None
    high: float | None = None
    """95% interval, None where there is none."""
    n: int
    """Items with an answer."""
    n_total: int
    """Items that should have one."""
    pessimistic: float | None = None
    """The figure when a missing answer counts as 0; None where that means nothing."""
    unavailable: str | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check(self, ESTIMATE)

    @classmethod
    def missing(
        cls, metric: str, *, unavailable: str, slice: str = OVERALL, rule: str = "", n: int = 0, n_total: int = 0
    ) -> Estimate:
        """A figure that there is none of; `unavailable` says why."""
        return cls(rule=rule, slice=slice, metric=metric, value=None, n=n, n_total=n_total, unavailable=unavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult(Record):
    """What one model came to in one evaluation."""

    eval: str
    """``rationale``, ``rm_bench``, ``judgebench``, ``llmbar``, ``arena_hard``."""
    model: str
    manifest: Mapping[str, Any]
    """What the figures depend on: data files with their SHA-256, templates, sampling, seed, package version, and
    whether answers are live or recorded."""
    estimates: tuple[Estimate, ...]
    statuses: Mapping[str, int]
    """How an answer was read (a name of `GenrmStatus`, or ``not_answered``) → answers."""
    notes: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check(self, EVAL_RESULT)

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return _read_field(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Record):
    """What one analysis found."""

    analysis: str
    """``taxonomy``, ``agreement``, ``rank_agreement``, ``degeneration``, ``lengths``, ``ranks``, ``templates``."""
    subject: tuple[str, ...]
    """The models, judges, runs or benchmarks that it is about."""
    manifest: Mapping[str, Any]
    estimates: tuple[Estimate, ...]
    points: tuple[Mapping[str, Any], ...] = ()
    """What a figure draws, or a table lists: one plain object a point; their fields are the analysis' own."""
    notes: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check(self, ANALYSIS)

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return _read_field(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView(Record):
    """One answer of a model, with all that a person needs to judge it. Every text is a model's or a stranger's."""

    id: str
    """Unique among the samples of a model."""
    pair_id: str
    model: str
    domain: str
    context: tuple[Mapping[str, Any], ...] | str
    response1: str
    response2: str
    authors: tuple[str, ...] = ()
    """Who wrote the two responses, where the data say."""
    label: str | None = None
    """Which response people prefer, as a verdict: ``A>>B`` … ``B>>A``; A is `response1`."""
    verdict: str | None = None
    """The model's, likewise; flipped back where `swapped`."""
    right: bool | None = None
    """Whether it agrees with the label; None without a label or where no answer came. A malformed answer is wrong."""
    status: str
    """A name of `GenrmStatus`, or ``not_answered``."""
    error: str | None = None
    swapped: bool = False
    """Whether the model saw response 2 first, as A."""
    sample: int = 0
    text: str | None = None
    """The model's whole answer; its A is response 2 where `swapped`."""
    references: tuple[str, ...] = ()
    """The human reasons, R_h."""
    reasons: tuple[str, ...] = ()
    """The model's, in its order, R_ai."""
    scores: tuple[Entry, ...] = ()
    """What the judge gave: (reference, reason, score), both from 0."""
    matches: tuple[Entry, ...] = ()
    """Those of the one-to-one matching (Eq. 1)."""
    judge_status: str | None = None
    """``ok``, or why there are no scores; None where no judge was due."""
    rc: float | None = None
    ap: float | None = None
    classes: tuple[str | None, ...] = ()
    """EG, CG or GS of each reason, where labelled; None for one that nobody labelled."""
    flaws: tuple[tuple[str, ...] | None, ...] = ()
    """F1 to F7 of each reason, likewise: None is not the same as no flaw."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, pair: Pair, answer: Critique | None, **known: Any) -> SampleView:
        """An answer with its pair, or a pair without one; `known` are the fields that neither of them says: `id`,
        `model`, `status`, `right` and those of a judge.
        """
        fields: dict[str, Any] = {
            "pair_id": pair.source_id,
            "domain": pair.domain,
            "context": pair.context,
            "response1": pair.response1,
            "response2": pair.response2,
            "label": None if pair.label is None else VERDICT_TEXTS[pair.label],
            "references": pair.references,
        }
        if answer is not None:
            fields |= {
                "verdict": None if answer.verdict is None else VERDICT_TEXTS[answer.verdict],
                "error": answer.error,
                "swapped": answer.swapped,
                "sample": answer.sample,
                "text": answer.text,
                "reasons": answer.reasons or (),
            }
        return cls(**{**fields, **known})

    def __post_init__(self) -> None:
        check(self, SAMPLE)
        check_matches(self.matches, len(self.references), len(self.reasons))


def _read_field(name: str, value: Any) -> Any:
    if name == "estimates":
        return tuple(Estimate.from_dict(item) for item in value)
    return tuples(value)
