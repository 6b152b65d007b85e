"""HelpSteer3-style rows: a conversation, two responses, and what up to three annotators wrote."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from rationale_rm.data.faults import BadValueError, kind, valid, wrong
from rationale_rm.data.fields import content_id, own_id, read_context, read_text
from rationale_rm.data.labels import HELPSTEER3, parse_label, whole
from rationale_rm.prompts import Annotator

_T = TypeVar("_T")

_FIELDS: Final = frozenset(
    (
        "id",
        "domain",
        "context",
        "response1",
        "response2",
        "overall_preference",
        "individual_preference",
        "feedback1",
        "feedback2",
    )
)


class RecordError(ValueError):
    """A row that cannot be decomposed; names the field, and the line where one was given."""

    def __init__(self, field: str, message: str, where: str | None = None):
        super().__init__(f"{where}: {message}" if where else message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """A pair with the free text of its annotators, before decomposition."""

    id: str
    domain: str
    context: tuple[Mapping[str, Any], ...] | str
    response1: str
    """Empty where the data elide it."""
    response2: str
    annotators: tuple[Annotator, ...]
    """At least one, and at least one that wrote something."""
    label: int | None = None
    """``overall_preference`` as a verdict, +2 (response 1 much better) to -2; None where the data hold none."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the row, as they were."""


def read_record(row: Any, *, where: str | None = None) -> Annotated:
    """Reads one decoded row; `where` (such as ``file:line``) opens the message of an error.

    ``context`` (messages or text) and ``individual_preference`` are required, in it ``reasoning`` or feedback.
    Feedback stands with each annotator, or in the lists ``feedback1`` and ``feedback2`` of the row, in the order of
    the annotators. Responses may be missing. Raises `RecordError`.
    """
    return _Reader(row, where).record()


class _Reader:
    def __init__(self, row: Any, where: str | None):
        self.where = where
        if not isinstance(row, Mapping):
            raise self.fault("record", f"a JSON object is expected, not {kind(row)}")
        self.row = row

    def fault(self, field: str, message: str) -> RecordError:
        return RecordError(field, message, self.where)

    def read(self, field: str, reader: Callable[..., _T], /, *args: Any, **options: Any) -> _T:
        """What a reader of `rationale_rm.data` makes of a field."""
        try:
            return reader(*args, **options)
        except BadValueError as error:
            raise self.fault(field, str(error)) from None

    def record(self) -> Annotated:
        row = self.row
        if "individual_preference" not in row and ("human-checklist" in row or "samples" in row):
            message = "individual_preference is missing: this is not annotators' free text, but a decomposed record"
            raise self.fault("individual_preference", message)
        context = self.read("context", read_context, row, required=True)
        if context == ():
            raise self.fault("context", "context is empty")
        responses = [self.text(name) for name in ("response1", "response2")]
        annotators = self.annotators()
        name = "overall_preference"
        return Annotated(
            id=self.id(context, responses, annotators),
            domain=self.text("domain") or "unknown",
            context=context,
            response1=responses[0],
            response2=responses[1],
            annotators=annotators,
            label=self.read(name, parse_label, row.get(name), scale="helpsteer3", field=name),
            extra={key: value for key, value in row.items() if key not in _FIELDS},
        )

    def annotators(self) -> tuple[Annotator, ...]:
        name = "individual_preference"
        value = self.row.get(name)
        if not isinstance(value, list):
            raise self.fault(name, wrong(self.row, name, "a list of annotations"))
        lists = [self.feedback(side, len(value)) for side in ("feedback1", "feedback2")]
        found = []
        for number, item in enumerate(value, 1):
            called = f"{name} item {number}"
            if not isinstance(item, Mapping):
                raise self.fault(name, f"{called} must be an object, not {kind(item)}")
            own = [
                self.text(side, item, called) or given[number - 1]
                for side, given in zip(("feedback1", "feedback2"), lists, strict=True)
            ]
            found.append(
                Annotator(
                    reasoning=self.text("reasoning", item, called),
                    feedback1=own[0] or None,
                    feedback2=own[1] or None,
                    score=self.score(item.get("score"), f"{called} score"),
                )
            )
        if not any(one.reasoning.strip() or one.feedback1 or one.feedback2 for one in found):
            raise self.fault(name, f"{name} holds no reasoning: no annotator wrote anything")
        return tuple(found)

    def feedback(self, name: str, n: int) -> list[str]:
        """The list of the whole row, one text or null an annotator."""
        value = self.row.get(name)
        if value is None:
            return [""] * n
        if not isinstance(value, list):
            raise self.fault(name, wrong(self.row, name, "a list of texts"))
        if len(value) != n:
            raise self.fault(name, f"{name} has {len(value)} texts for {n} annotators")
        for number, text in enumerate(value, 1):
            called = f"{name} item {number}"
            if not isinstance(text, str) and text is not None:
                raise self.fault(name, f"{called} must be text, not {kind(text)}")
            self.read(name, valid, text or "", called)
        return [text or "" for text in value]

    def text(self, name: str, item: Mapping[str, Any] | None = None, called: str = "") -> str:
        """A text of the row, or of `item`, which is called so; empty where it is missing."""
        try:
            return read_text(self.row if item is None else item, name, required=False)
        except BadValueError as error:
            raise self.fault(f"{called} {name}".strip(), f"{called} {error}".strip()) from None

    def score(self, value: Any, called: str) -> int | None:
        """A preference on HelpSteer3's scale."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None  # NaN is what data frames write for "no value"
        number = whole(value)
        if number not in HELPSTEER3:
            raise self.fault(called, f"{called} must be a whole number from -3 to 3, not {value!r}")
        return number

    def id(self, context: Any, responses: list[str], annotators: tuple[Annotator, ...]) -> str:
        """The row's own id, else one made of its content: the same that `rationale_rm.data` makes for the pair."""
        named = self.read("id", own_id, self.row)
        if named is not None:
            return named
        content: list[Any] = [context, *responses]
        if not all(responses):  # what is left may be the same in other rows
            content += [[one.reasoning, one.feedback1, one.feedback2] for one in annotators]
        return content_id(*content)
