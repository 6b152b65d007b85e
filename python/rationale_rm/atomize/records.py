"""HelpSteer3-style rows: a conversation, two responses, and what up to three annotators wrote."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rationale_rm.prompts import Annotator

_SCALE: Final[Mapping[int, int]] = {-3: 2, -2: 2, -1: 1, 0: 0, 1: -1, 2: -2, 3: -2}
"""HelpSteer3's preference → verdict: -3 is response 1 (A) much better, ±1 slight, ±2 and ±3 clear."""
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
            raise self.fault("record", f"a JSON object is expected, not {_kind(row)}")
        self.row = row

    def fault(self, field: str, message: str) -> RecordError:
        return RecordError(field, message, self.where)

    def record(self) -> Annotated:
        row = self.row
        if "individual_preference" not in row and ("human-checklist" in row or "samples" in row):
            message = "individual_preference is missing: this is not annotators' free text, but a decomposed record"
            raise self.fault("individual_preference", message)
        context = self.context()
        responses = [self.text(name) for name in ("response1", "response2")]
        annotators = self.annotators()
        return Annotated(
            id=self.id(context, responses, annotators),
            domain=self.text("domain") or "unknown",
            context=context,
            response1=responses[0],
            response2=responses[1],
            annotators=annotators,
            label=self.label(),
            extra={key: value for key, value in row.items() if key not in _FIELDS},
        )

    def context(self) -> tuple[Mapping[str, Any], ...] | str:
        value = self.row.get("context")
        if isinstance(value, str):
            return self.valid(value, "context")
        if not isinstance(value, Sequence) or not value:
            raise self.fault("context", self.wrong("context", "a list of messages or text"))
        for number, message in enumerate(value, 1):
            if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
                raise self.fault("context", f"context message {number} is no object with a role")
            if isinstance(message.get("content"), str):
                self.valid(message["content"], f"context message {number}")
        return tuple(value)

    def annotators(self) -> tuple[Annotator, ...]:
        name = "individual_preference"
        value = self.row.get(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.fault(name, self.wrong(name, "a list of annotations"))
        lists = [self.feedback(side, len(value)) for side in ("feedback1", "feedback2")]
        found = []
        for number, item in enumerate(value, 1):
            called = f"{name} item {number}"
            if not isinstance(item, Mapping):
                raise self.fault(name, f"{called} must be an object, not {_kind(item)}")
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
        """The list of the whole row, one text an annotator."""
        value = self.row.get(name)
        if value is None:
            return [""] * n
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.fault(name, self.wrong(name, "a list of texts"))
        if len(value) != n:
            raise self.fault(name, f"{name} has {len(value)} texts for {n} annotators")
        texts = []
        for number, text in enumerate(value, 1):
            if not isinstance(text, str) and text is not None:
                raise self.fault(name, f"{name} item {number} must be text, not {_kind(text)}")
            texts.append(self.valid(text or "", f"{name} item {number}"))
        return texts

    def text(self, name: str, item: Mapping[str, Any] | None = None, called: str = "") -> str:
        """A text that may be missing."""
        value = (self.row if item is None else item).get(name)
        called = f"{called} {name}".strip()
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.fault(called, f"{called} must be text, not {_kind(value)}")
        return self.valid(value, called)

    def score(self, value: Any, called: str) -> int | None:
        """A preference on HelpSteer3's scale."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None  # NaN is what data frames write for "no value"
        whole = value
        if (isinstance(value, str) and value.strip().lstrip("+-").isdecimal()) or (
            isinstance(value, float) and value.is_integer()
        ):
            whole = int(value)
        if isinstance(whole, bool) or not isinstance(whole, int) or whole not in _SCALE:
            raise self.fault(called, f"{called} must be a whole number from -3 to 3, not {value!r}")
        return whole

    def label(self) -> int | None:
        score = self.score(self.row.get("overall_preference"), "overall_preference")
        return None if score is None else _SCALE[score]

    def id(self, context: Any, responses: list[str], annotators: tuple[Annotator, ...]) -> str:
        """The row's own id, else one made of its content: the same that `rationale_rm.data` makes for the pair."""
        value = self.row.get("id")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value:
            return self.valid(value, "id")
        if value is not None:
            raise self.fault("id", f"id must be text or a whole number, not {_kind(value)}")
        content: list[Any] = [context, *responses]
        if not all(responses):  # what is left may be the same in other rows
            content += [[one.reasoning, one.feedback1, one.feedback2] for one in annotators]
        text = json.dumps(content, sort_keys=True, default=str)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def valid(self, text: str, called: str) -> str:
        """Refuses text with a lone surrogate: it can be neither sent nor written."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            code = f"U+{ord(text[error.start]):04X} at character {error.start + 1}"
            raise self.fault(called, f"{called} is not valid Unicode: lone surrogate {code}") from None
        return text

    def wrong(self, name: str, expected: str) -> str:
        if name not in self.row:
            return f"{name} is missing"
        value = self.row[name]
        if isinstance(value, Sequence) and not isinstance(value, str) and not value:
            return f"{name} is empty"
        return f"{name} must be {expected}, not {_kind(value)}"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)
