"""What can be wrong with a file, a line or a value, and the checks that several readers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rationale_rm._core import RationaleError


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out, and why. `line` counts from 1 (rows for Parquet); 0 is the file as a
    whole.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


class DataError(RationaleError):
    """The first bad line of a strict reading."""

    def __init__(self, bad: BadLine):
        super().__init__(str(bad))
        self.bad = bad


class BadValueError(Exception):
    """The reason why one line is refused; readers make a `BadLine` or an error of their own of it."""


def valid(text: str, name: str) -> None:
    """Refuses text with a lone surrogate: it cannot be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadValueError(
            f"{name} is not valid Unicode: lone surrogate U+{ord(text[error.start]):04X} at character {error.start + 1}"
        ) from None


def wrong(record: Mapping[str, Any], name: str, expected: str) -> str:
    """Why the field `name` is not what is expected."""
    if name not in record:
        return f"{name} is missing"
    return f"{name} must be {expected}, not {kind(record[name])}"


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    kinds = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def short(text: str) -> str:
    """The text in quotes, cut to what a message can bear."""
    return repr(text if len(text) <= 60 else text[:57] + "…")
