"""Files of benchmarks: JSON arrays and JSON Lines into records, and what names their content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rationale_rm._core import RationaleError
from rationale_rm.data import BadLine, DataError, Row, read_rows
from rationale_rm.types import Pair

_BLOCK = 1 << 20


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
    return value


def name_of(row: Row, name: str) -> str:
    """A field that names something: text or a whole number. Raises `DataError`."""
    value = row.value.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        refuse(row, f"{name} must be text or a whole number" if name in row.value else f"{name} is missing")
    return value


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
    context = pair.context if isinstance(pair.context, str) else [dict(message) for message in pair.context]
    content = [context, pair.response1, pair.response2, pair.label, list(pair.references)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _sha256(file: str) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _is_array(file: str) -> bool:
    with open(file, "rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _array(file: str) -> list[Row]:
    with open(file, encoding="utf-8-sig") as stream:
        try:
            found = json.load(stream)
        except json.JSONDecodeError as error:
            raise DataError(BadLine(file, error.lineno, f"not JSON: {error.msg} at column {error.colno}")) from None
        except (RecursionError, ValueError):  # nested too deeply, not UTF-8, or a number of too many digits
            raise DataError(BadLine(file, 0, "not JSON that can be read")) from None
    return [Row(file, place, value) for place, value in enumerate(found, 1)]


def given(record: Mapping[str, Any], *names: str) -> bool:
    """Whether a record has all of the fields."""
    return all(name in record for name in names)
