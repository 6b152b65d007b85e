"""Files of JSON from anywhere: what they hold, or what is wrong with them and where."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rationale_rm.report.errors import ReportError
from rationale_rm.types import SchemaError

_T = TypeVar("_T")


def document(path: Path, build: Callable[[Any], _T], expected: str) -> _T:
    """What `build` makes of the object that a file holds; `expected` says what it should be."""
    try:
        value = json.loads(
            path.read_text("utf-8"), parse_constant=_no_number, parse_float=_number, parse_int=_whole_number
        )
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON document ({short(error)}): {expected}") from None
    if not isinstance(value, dict):
        raise ReportError(f"{path} holds a JSON {type(value).__name__}, not an object: {expected}")
    return built(str(path), build, value)


def built(place: str, build: Callable[[Any], _T], value: Any) -> _T:
    """What `build` makes of a value; `place` is where that stands."""
    try:
        return build(value)
    except (SchemaError, TypeError, AttributeError) as error:
        raise ReportError(f"{place}: {short(error)}") from None


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line; an end that a killed run left torn is no line yet."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line, parse_constant=_no_number, parse_float=_number, parse_int=_whole_number)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                raise ReportError(f"{path}, line {number}: no JSON ({short(error)})") from None
            if not isinstance(value, dict):
                raise ReportError(f"{path}, line {number}: a JSON {type(value).__name__}, not an object")
            yield number, value


def short(error: BaseException) -> str:
    """The beginning of a message, which may repeat what the file holds."""
    return str(error)[:200]


def _number(text: str) -> float | None:
    """A number; None beyond the range of floats, which Python reads as infinity."""
    value = float(text)
    return value if math.isfinite(value) else None


def _whole_number(text: str) -> int | None:
    """A number; None beyond the range of floats, which figures are made of."""
    value = int(text)
    return value if abs(value) < 10**300 else None


def _no_number(_: str) -> None:
    """NaN and Infinity, which Python writes and JSON does not know: there is no number."""
