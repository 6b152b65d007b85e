"""What an answer is scored against, in the forms in which trainers carry it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import parse_label
from rationale_rm.types import Pair

FIELDS: Final = ("references", "label", "swapped", "pair_id")
"""Names of the columns, and of the keys where one field holds them all."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one answer is scored against."""

    references: tuple[str, ...]
    """The human reasons, R_h."""
    label: int | None = None
    """The human preference as a verdict, +2 (response 1 much better) to -2."""
    swapped: bool = False
    """Whether the pair was shown as (response 2, response 1)."""
    pair_id: str | None = None


def row_fields(pair: Pair, swapped: bool) -> dict[str, Any]:
    """The fields of a pair, as plain JSON."""
    return {"references": list(pair.references), "label": pair.label, "swapped": swapped, "pair_id": pair.source_id}


def read_row(value: Any) -> Row:
    """Reads the fields from a mapping, or from the JSON text of one; keys beside them are not looked at.

    Columns that went through Parquet are read too: arrays for lists, floats and NaN for whole numbers with gaps.
    Raises `RationaleError` that says what is wrong.
    """
    if isinstance(value, (str, bytes)):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise RationaleError(f"expected the JSON object that `rationale-rm export` writes: {error}") from None
    if not isinstance(value, Mapping):
        raise RationaleError(f"expected an object with {', '.join(FIELDS)}, not {type(value).__name__}")
    if value.get("references") is None:
        raise RationaleError(
            "there are no references: the human reasons of the pair, as `rationale-rm export` writes them"
        )
    swapped = value.get("swapped")
    pair_id = value.get("pair_id")
    return Row(
        references=_references(value["references"]),
        label=parse_label(_plain(value.get("label")), scale="verdict"),
        swapped=False if swapped is None else _flag(_plain(swapped)),
        pair_id=None if pair_id is None or pair_id != pair_id else str(pair_id),
    )


def read_columns(n: int, columns: Mapping[str, Any]) -> list[Row]:
    """Rows from n-long columns named as `FIELDS`; one that is None or missing is empty. Raises `RationaleError`."""
    given = {name: column for name in FIELDS if (column := columns.get(name)) is not None}
    if "references" not in given:
        raise RationaleError(
            "the data have no column `references`, the human reasons of each pair; `rationale-rm export` writes it"
        )
    for name, column in given.items():
        if len(column) != n:
            raise RationaleError(f"the column {name} has {len(column)} rows, there are {n} completions")
    rows = []
    for at in range(n):
        try:
            rows.append(read_row({name: column[at] for name, column in given.items()}))
        except RationaleError as error:
            raise RationaleError(f"row {at}: {error}") from None
    return rows


def text_of(completion: Any) -> str | None:
    """The text of a completion: itself, or what the model said in the last of its messages; None where it said nothing.

    A message that is not the model's own (a tool's, a user's) is no answer, even where it is the last.
    """
    if completion is None or isinstance(completion, str):
        return completion
    messages = completion if isinstance(completion, Sequence) else [completion]
    own = [message for message in messages if _field(message, "role") in (None, "assistant")]
    return _content(_field(own[-1], "content")) if own else None


def _content(content: Any) -> str | None:
    """The content of a message, which may be a list of parts."""
    if content is None or isinstance(content, str):
        return content
    parts = [_field(part, "text") for part in content if _field(part, "type") == "text"]
    return "".join(part for part in parts if isinstance(part, str)) if parts else None


def _field(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)


def _references(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise RationaleError(f"references are no JSON list: {error}") from None
    items = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(items, (str, Mapping)) or not isinstance(items, Sequence):
        raise RationaleError(f"references must be a list of texts, not {type(value).__name__}")
    if not items or not all(isinstance(item, str) for item in items):
        raise RationaleError(f"references must be texts, at least one, not {list(items)!r:.80}")
    return tuple(items)


def _plain(value: Any) -> Any:
    """A Python value for numpy's scalars."""
    return value.item() if hasattr(value, "item") else value


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise RationaleError(f"swapped must be true or false, not {value!r:.40}")
