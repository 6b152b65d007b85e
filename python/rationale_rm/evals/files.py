"""Files of benchmarks: JSON arrays and JSON Lines, plain or compressed, into records, and what names their content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

from rationale_rm._core import RationaleError
from rationale_rm.data import BadLine, DataError, Row, chunks, read_rows
from rationale_rm.data.faults import BadValueError, short, valid
from rationale_rm.types import Pair

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"


def read_records(files: Sequence[str]) -> list[Row]:
    """Every record of the files, each a JSON object; `Row.line` is its line, in an array its place from 1.

    A benchmark without some of its items is another benchmark, so the first line that cannot be read raises
    `DataError`. Raises `OSError` for a file that cannot be opened and `MissingExtraError`.
    """
    records: list[Row] = []
    for file in files:
        for row in _array(file) if _is_array(file) else read_rows([file]):
            if isinstance(row, BadLine):
                raise DataError(row)
            if not isinstance(row.value, dict):
                refuse(row, f"a JSON object is expected, not {type(row.value).__name__}")
            records.append(row)
    if not records:
        raise RationaleError(f"no record in {', '.join(files) or 'no file'}")
    return records


def refuse(row: Row, why: str) -> NoReturn:
    """Raises `DataError` for a record."""
    raise DataError(BadLine(row.file, row.line, why))


def text_of(row: Row, name: str) -> str:
    """A text field of a record. Raises `DataError`."""
    value = row.value.get(name)
    if not isinstance(value, str):
        refuse(row, f"{name} must be text" if name in row.value else f"{name} is missing")
    return checked(row, name, value)


def checked(row: Row, name: str, text: str) -> str:
    """A text that can be shown to a model. Raises `DataError` for one that is not valid Unicode."""
    try:
        valid(text, name)
    except BadValueError as error:
        refuse(row, str(error))
    return text


def choice_of(row: Row, name: str, value: Any, choices: Mapping[Any, int]) -> int:
    """What a value of a few stands for. Raises `DataError`."""
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in choices:
        refuse(row, f"{name} is {short(str(value))}: expected {', '.join(map(str, choices))}")
    return choices[value]


def name_of(row: Row, name: str) -> str:
    """A field that names something: text or a whole number. Raises `DataError`."""
    value = row.value.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        refuse(row, f"{name} must be text or a whole number" if name in row.value else f"{name} is missing")
    return checked(row, name, value)


def unique(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs. Raises `DataError` where two have one id."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        first = seen.setdefault(pair.id, pair)
        if first is not pair:
            raise DataError(
                BadLine(pair.file or "", pair.line or 0, f"the id {pair.id!r} stands at {first.file}:{first.line} too")
            )
    return list(pairs)


def fingerprint(files: Sequence[str]) -> list[dict[str, str]]:
    """Name and SHA-256 of each file; no more of its path than the last folder, which may tell subsets apart."""
    return [{"file": "/".join(os.path.abspath(file).split(os.sep)[-2:]), "sha256": _sha256(file)} for file in files]


def item_digest(pair: Pair) -> str | None:
    """What is asked, in short; None where the texts are not there."""
    if not pair.response1 and not pair.response2:
        return None
    content = [_messages(pair), pair.response1, pair.response2, pair.label, list(pair.references)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def same_texts(asked: Sequence[Pair], recorded: Iterable[Pair]) -> None:
    """Makes sure that recorded answers, joined to the data by id, are about the texts and labels that the data hold.

    What one side lacks (texts, a label, human reasons) is not compared. Raises `RationaleError` that names the item.
    """
    known = {pair.id: pair for pair in asked}
    for pair in recorded:
        ours = known.get(pair.source_id)
        differs = None if ours is None else _difference(ours, pair)
        if ours is not None and differs is not None:
            raise RationaleError(
                f"{_place(pair)}: the recorded answer to {ours.id} is about {differs} other than in {_place(ours)}: "
                "answers are joined to the data by id, so give the data that were answered, in their order"
            )


def _difference(a: Pair, b: Pair) -> str | None:
    """What two pairs of one id differ in, among what both hold."""
    if item_digest(a) is not None and item_digest(b) is not None:
        if _messages(a) != _messages(b):
            return "a prompt"
        if (a.response1, a.response2) != (b.response1, b.response2):
            return "responses"
        if a.references and b.references and a.references != b.references:
            return "human reasons"
    if a.label is not None and b.label is not None and _side(a.label) != _side(b.label):  # one side may know how much
        return "a label"
    return None


def _side(label: int) -> int:
    return (label > 0) - (label < 0)


def _messages(pair: Pair) -> object:
    return pair.context if isinstance(pair.context, str) else [dict(message) for message in pair.context]


def _place(pair: Pair) -> str:
    return "the data" if pair.file is None else f"{pair.file}:{pair.line}"


def _sha256(file: str) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _is_array(file: str) -> bool:
    try:
        head = b"".join(islice(chunks(file), 2))  # the first may be of a few bytes
    except BadValueError:  # a damaged archive, of which the reader of lines tells more
        return False
    return head.removeprefix(_BOM).lstrip().startswith(b"[")


def _array(file: str) -> list[Row]:
    try:
        found = json.loads(b"".join(chunks(file)).removeprefix(_BOM).decode("utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(BadLine(file, error.lineno, f"not JSON: {error.msg} at column {error.colno}")) from None
    except BadValueError as error:
        raise DataError(BadLine(file, 0, str(error))) from None
    except (RecursionError, ValueError):  # nested too deeply, not UTF-8, or a number of too many digits
        raise DataError(BadLine(file, 0, "not JSON that can be read")) from None
    return [Row(file, place, value) for place, value in enumerate(found, 1)]


def given(record: Mapping[str, Any], *names: str) -> bool:
    """Whether a record has all of the fields."""
    return all(name in record for name in names)
