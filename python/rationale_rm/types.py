"""The records that pass between the stages: pair, critique, match request, match result, reward batch.

Each is frozen, carries an `id` and the `schema_version` it was made under, and goes to and from plain JSON
with `to_dict` and `from_dict`. This module imports nothing of the package, so every layer may use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1
"""Version of the records below. A record from a newer version is refused; older ones are read."""

Entry = tuple[int, int, float]
"""One judged cell: reference (from 0), reason (from 0, -1 for S0), score in [0, 1]."""

_R = TypeVar("_R", bound="Record")


class SchemaError(ValueError):
    """A record that this version cannot read."""


class Verdict(IntEnum):
    """The five levels (paper, Fig. 13). A is response 1, B is response 2."""

    A_MUCH_BETTER = 2
    A_BETTER = 1
    TIE = 0
    B_BETTER = -1
    B_MUCH_BETTER = -2

    @property
    def text(self) -> str:
        """The spelling that models are asked for, such as ``A>>B``."""
        return VERDICT_TEXTS[int(self)]

    def flipped(self) -> Verdict:
        """The same verdict for the pair shown in the other order."""
        return Verdict(-int(self))


VERDICT_TEXTS: Final[Mapping[int, str]] = {2: "A>>B", 1: "A>B", 0: "A=B", -1: "B>A", -2: "B>>A"}
"""Verdict → canonical spelling."""


class GenrmStatus(IntEnum):
    """How a GenRM answer was read; the names and order of the core's ``GENRM_STATUSES``."""

    OK = 0
    EMPTY = 1
    INVALID_UNICODE = 2
    UNCLOSED_REASONING = 3
    UNCLOSED_BLOCK = 4
    UNOPENED_BLOCK = 5
    AMBIGUOUS_BLOCK = 6
    NO_BLOCK = 7
    NO_VERDICT = 8
    BAD_VERDICT = 9
    CONFLICT = 10
    NOT_EQUIVALENT = 11


class MetaJudgeStatus(IntEnum):
    """How a MetaJudge answer was read; the names and order of the core's ``METAJUDGE_STATUSES``."""

    OK = 0
    EMPTY = 1
    INVALID_UNICODE = 2
    UNCLOSED_REASONING = 3
    UNCLOSED_BLOCK = 4
    UNOPENED_BLOCK = 5
    AMBIGUOUS_BLOCK = 6
    NO_BLOCK = 7
    BAD_LINE = 8
    BAD_SCORE = 9
    SCORE_OUT_OF_RANGE = 10
    REFERENCE_OUT_OF_RANGE = 11
    REASON_OUT_OF_RANGE = 12
    S0_NONZERO = 13
    DUPLICATE_REFERENCE = 14
    MISSING_REFERENCE = 15
    COUNT_MISMATCH = 16


class ClaimsStatus(IntEnum):
    """How a decomposition answer was read; the names and order of the core's ``CLAIMS_STATUSES``."""

    OK = 0
    EMPTY = 1
    INVALID_UNICODE = 2
    UNCLOSED_REASONING = 3
    UNCLOSED_BLOCK = 4
    UNOPENED_BLOCK = 5
    AMBIGUOUS_BLOCK = 6
    NO_BLOCK = 7
    MISSING_COUNT = 8
    COUNT_MISMATCH = 9
    BAD_INDEX = 10
    EMPTY_CLAIM = 11


class Record:
    """What all records share: conversion to and from a JSON object."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values: enums by name, arrays as lists, NaN as None."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}  # type: ignore[attr-defined]

    @classmethod
    def from_dict(cls: type[_R], data: Mapping[str, Any]) -> _R:
        """Reads what `to_dict` wrote.

        Raises `SchemaError` for a newer schema version, an unknown or a missing field.
        """
        version = data.get("schema_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise SchemaError(f"{cls.__name__}: schema_version must be a whole number from 1, not {version!r}")
        if version > SCHEMA_VERSION:
            raise SchemaError(
                f"{cls.__name__} has schema version {version}, and this rationale-rm reads up to "
                f"{SCHEMA_VERSION}: upgrade rationale-rm"
            )
        fields: dict[str, Any] = cls.__dataclass_fields__  # type: ignore[attr-defined]
        unknown = sorted(set(data) - set(fields))
        if unknown:
            raise SchemaError(f"{cls.__name__}: unknown field {unknown[0]!r}")
        try:
            return cls(**{name: cls._read(name, value) for name, value in data.items()})
        except TypeError as error:
            raise SchemaError(f"{cls.__name__}: {error}") from None

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        """Turns the JSON value of one field back into the field's type."""
        return tuples(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Verdict):
        return int(value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def tuples(value: Any) -> Any:
    """The value with every list made a tuple, in lists too."""
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAnswer(Record):
    """What a MetaJudge said about one model's reasons for one pair, as recorded, not yet parsed."""

    id: str
    samples: tuple[str, ...]
    """The judge's answers; empty when the call failed."""
    status: str = "success"
    """``success``, ``error`` or ``format_error``, as the run that recorded it said; never trusted over the
    text."""
    error: str | None = None
    judge: str | None = None
    """Name of the judge, such as ``openai:NAME@URL``; None where the data do not say."""
    entries: tuple[Entry, ...] | None = None
    """Cells as a local judge recorded them; they stand over `samples`. None where there are none, which is not
    an empty tuple: "no reason matches"."""
    stand_in: str | None = None
    """What to say wherever these scores appear, when the judge is no LLM."""
    top_k: int | None = None
    """How many of the model's reasons, the first ones, the judge was shown at the most; None where all were, or where
    the data do not say."""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer(Record):
    """What the data hold of one GenRM for one pair; None where a field is absent."""

    id: str
    reasons: tuple[str, ...] | None = None
    """``M-checklist``: the ordered reasons, R_ai."""
    verdict: int | None = None
    """``M-label`` as a verdict, +2 to -2: positive for response 1 also when `swapped`."""
    bad_label: str | None = None
    """``M-label`` where it is text that is no verdict: the model's fault, so not the line's."""
    text: str | None = None
    """``M-generated_text``: the whole transcript; when `swapped` its A is response 2."""
    judge: JudgeAnswer | None = None
    swapped: bool = False
    """Whether the pair was shown as (response 2, response 1)."""
    sample: int = 0
    """Which of several answers to the same question, from 0."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        if name == "judge" and value is not None:
            return JudgeAnswer.from_dict(value)
        return tuples(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Record):
    """A conversation, two responses, the human reasons and the human preference."""

    id: str
    domain: str
    context: tuple[Mapping[str, Any], ...] | str
    """Chat messages, or the prompt as one text."""
    response1: str
    """Called A in verdicts."""
    response2: str
    """Called B in verdicts."""
    references: tuple[str, ...]
    """``human-checklist``: the atomic human reasons, R_h; never empty."""
    label: int | None = None
    """The human preference as a verdict, +2 (response 1 much better) to -2; None where the data hold none."""
    models: Mapping[str, ModelAnswer] = field(default_factory=dict)
    """Model name → what that model said."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the source record that the schema does not name, as they were."""
    pair_id: str | None = None
    """The source pair, where several records (both orders, several samples) answer one; None: `id`."""
    file: str | None = None
    line: int | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def source_id(self) -> str:
        """Id of the source pair: rows that share it are not independent, and their human reasons are the same."""
        return self.id if self.pair_id is None else self.pair_id

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        if name == "models":
            return {model: ModelAnswer.from_dict(answer) for model, answer in value.items()}
        return value if name == "extra" else tuples(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique(Record):
    """One parsed answer of a GenRM about one pair."""

    id: str
    pair_id: str
    model: str
    reasons: tuple[str, ...] | None
    """Ordered reasons, R_ai; empty when the answer holds none or was never reached. None where the data hold
    neither reasons nor a transcript: not a fault of the model."""
    verdict: int | None
    """+2 to -2, already flipped back when `swapped`; None unless `status` is ok."""
    status: GenrmStatus | None
    """None where the data hold reasons but neither a verdict nor a transcript: not a fault of the model."""
    text: str | None = None
    swapped: bool = False
    """Whether the pair was shown as (response 2, response 1)."""
    sample: int = 0
    error: str | None = None
    """Why the model gave no answer, where it could not be asked: then nothing is known of it."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return _status(GenrmStatus, value) if name == "status" and value is not None else tuples(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest(Record):
    """A question to a MetaJudge: which of `reasons` fulfils each of `references`, and how far."""

    id: str
    critique_id: str
    pair_id: str
    model: str
    references: tuple[str, ...]
    reasons: tuple[str, ...]
    swapped: bool = False
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchResult(Record):
    """A MetaJudge's answer to a `MatchRequest`, parsed: the mean of each cell over the samples that
    parsed.
    """

    id: str
    request_id: str
    judge: str
    entries: tuple[Entry, ...] = ()
    statuses: tuple[MetaJudgeStatus, ...] = ()
    """One status a sample."""
    samples: tuple[str, ...] = ()
    error: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def answered(self) -> bool:
        """Whether any sample parsed. An unanswered result is NaN in every score, never 0."""
        return MetaJudgeStatus.OK in self.statuses

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        if name == "statuses":
            return tuple(_status(MetaJudgeStatus, item) for item in value)
        return tuples(value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RewardBatch(Record):
    """Rewards of n critiques as columns, all of length n; NaN where no judge answered."""

    id: str
    critique_ids: tuple[str, ...]
    group: NDArray[np.int64]
    """Which critiques answer the same prompt."""
    verdict: NDArray[np.int8]
    """+2 to -2 in terms of response 1 and 2, `NO_VERDICT` where there is none."""
    outcome: NDArray[np.float64]
    """1 where verdict and label agree, else 0; NaN without a label."""
    rationale: NDArray[np.float64]
    """The rationale term in [0, 1] (Eq. 3 by default); NaN where the gate kept the answer from the judge, and
    where no judge answered."""
    rc: NDArray[np.float64]
    """Rationale Consistency (Eq. 2) of the same matches."""
    reward: NDArray[np.float64]
    """R_final (Eq. 4)."""
    advantage: NDArray[np.float64]
    """Group-relative advantage (Eq. 5)."""
    status: NDArray[np.uint8]
    """`GenrmStatus` of each critique."""
    judged: NDArray[np.bool_]
    """Whether a judge was asked about it."""
    gated: NDArray[np.bool_]
    """Whether its reward needed no judge: it was asked about in an audit, or not at all."""
    audit_weight: NDArray[np.float64]
    """What `rationale` and `rc` count in sums over many batches: 1 where they are always known, 1 / p for an audited
    critique, p being the share that is audited, 0 where they are not known by design."""
    errors: tuple[str | None, ...] = ()
    """Why a judge gave no answer; None where it did or was not asked."""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Raises `SchemaError` unless all columns are as long as `critique_ids`."""
        for name in REWARD_COLUMNS:
            shape = getattr(self, name).shape
            if shape != (len(self.critique_ids),):
                raise SchemaError(f"RewardBatch.{name} has shape {shape}, expected ({len(self.critique_ids)},)")

    def __len__(self) -> int:
        return len(self.critique_ids)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether nothing is known to be missing: there is no entry in `errors`."""
        return np.array([error is None for error in self.errors], dtype=np.bool_)

    @property
    def mean_rc(self) -> float:
        """Rationale Consistency of the whole batch: the audited critiques stand for all gated ones, those that were
        answered for all others. NaN where one of these parts is there and nothing is known of it.
        """
        return self._mean(self.rc)

    @property
    def mean_rationale(self) -> float:
        """The rationale term of the whole batch, as `mean_rc`."""
        return self._mean(self.rationale)

    def _mean(self, values: NDArray[np.float64]) -> float:
        parts = []
        for part in (self.gated, ~self.gated & (self.audit_weight > 0)):
            known = values[part & ~np.isnan(values)]
            if part.any():
                parts.append((int(part.sum()), float(known.mean()) if known.size else math.nan))
        return sum(n * mean for n, mean in parts) / sum(n for n, _ in parts) if parts else math.nan

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        dtype = REWARD_COLUMNS.get(name)
        if dtype is None:
            return tuples(value)
        return np.array([np.nan if item is None else item for item in value], dtype=dtype)


REWARD_COLUMNS: Final[Mapping[str, Any]] = {
    "group": np.int64,
    "verdict": np.int8,
    "outcome": np.float64,
    "rationale": np.float64,
    "rc": np.float64,
    "reward": np.float64,
    "advantage": np.float64,
    "status": np.uint8,
    "judged": np.bool_,
    "gated": np.bool_,
    "audit_weight": np.float64,
}

_E = TypeVar("_E", bound=IntEnum)


def _status(enum: type[_E], value: Any) -> _E:
    try:
        return enum[str(value).upper()]
    except KeyError:
        raise SchemaError(f"{value!r} is no {enum.__name__}") from None
