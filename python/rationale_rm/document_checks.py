"""What the fields of documents may hold. Files of documents come from anywhere, and JSON holds anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rationale_rm.types import Record, SchemaError

_LARGEST: Final = 1e300
Check = tuple[Callable[[Any], bool], str]
"""Whether a value fits, and what is expected."""


def check(record: Record, checks: Mapping[str, Check]) -> None:
    """Raises `SchemaError` for the first field that does not fit."""
    for name, (fits, expected) in checks.items():
        if not fits(getattr(record, name)):
            raise SchemaError(f"{name} must be {expected}")


def check_matches(matches: tuple[Any, ...], n_references: int, n_reasons: int) -> None:
    """Raises `SchemaError` for a match of an item that is not in its list."""
    if not all(reference < n_references and reason < n_reasons for reference, reason, _ in matches):
        raise SchemaError(f"matches must be {_ENTRIES[1]}, each of an item that is in its list")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    """NaN is one, and written as null; infinity, which JSON has as 1e999, and what is as good as infinite are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > _LARGEST


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(fits, value))


def _is_cell(value: Any) -> bool:
    """A score of the judge; reason -1 is its S0, that no reason meets the reference."""
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and _is_count(value[0])
        and (_is_count(value[1]) or value[1] == -1)
        and _is_share(value[2])
    )


def _is_entry(value: Any) -> bool:
    return _is_cell(value) and value[1] >= 0


def _is_context(value: Any) -> bool:
    return isinstance(value, str) or _each(_is_mapping)(value)


_TEXT: Final[Check] = (_is_text, "text")
_TEXT_OR_NONE: Final[Check] = (_or_none(_is_text), "text or null")
_TEXTS: Final[Check] = (_each(_is_text), "a list of texts")
_NUMBER_OR_NONE: Final[Check] = (_or_none(_is_number), "a number or null")
_COUNT: Final[Check] = (_is_count, "a whole number from 0")
_SHARE_OR_NONE: Final[Check] = (_or_none(_is_share), "a number from 0 to 1, or null")
_OBJECT: Final[Check] = (_is_mapping, "an object")
_ENTRIES: Final[Check] = (_each(_is_entry), "lists of a reference, a reason (both from 0) and a score from 0 to 1")

ESTIMATE: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("rule", "slice", "metric"), _TEXT),
    **dict.fromkeys(("value", "low", "high", "pessimistic"), _NUMBER_OR_NONE),
    **dict.fromkeys(("n", "n_total"), _COUNT),
    "unavailable": _TEXT_OR_NONE,
}
EVAL_RESULT: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("eval", "model"), _TEXT),
    "manifest": _OBJECT,
    "statuses": (
        lambda value: _is_mapping(value) and all(map(_is_text, value)) and all(map(_is_count, value.values())),
        "an object of whole numbers from 0",
    ),
    "notes": _TEXTS,
}
ANALYSIS: Final[Mapping[str, Check]] = {
    "analysis": _TEXT,
    "subject": _TEXTS,
    "manifest": _OBJECT,
    "points": (_each(_is_mapping), "a list of objects"),
    "notes": _TEXTS,
}
SAMPLE: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("id", "pair_id", "model", "domain", "response1", "response2", "status"), _TEXT),
    "context": (_is_context, "text or a list of chat messages"),
    **dict.fromkeys(("label", "verdict", "error", "text", "judge_status"), _TEXT_OR_NONE),
    "right": (_or_none(_is_flag), "true, false or null"),
    "swapped": (_is_flag, "true or false"),
    "sample": _COUNT,
    "authors": (lambda value: _each(_is_text)(value) and len(value) in (0, 2), "a list of two texts, or of none"),
    **dict.fromkeys(("references", "reasons"), _TEXTS),
    "scores": (
        _each(_is_cell),
        "lists of a reference (from 0), a reason (from 0; -1 for none) and a score from 0 to 1",
    ),
    "matches": _ENTRIES,
    **dict.fromkeys(("rc", "ap"), _SHARE_OR_NONE),
    "classes": (_each(_or_none(_is_text)), "a list of texts or null"),
    "flaws": (_each(_or_none(_each(_is_text))), "a list of lists of texts, or null"),
}
"""rc and ap without a value are null, not NaN."""
