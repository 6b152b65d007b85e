"""Bytes of a request into one of the types of `schema`, and an answer into bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from rationale_rm.server.problems import Problem, invalid

T = TypeVar("T")

_ENCODER: Final = msgspec.json.Encoder()


def decoder(of: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder to be made once and used by any thread."""
    return msgspec.json.Decoder(of, strict=True)


def decode(body: bytes, read: msgspec.json.Decoder[T]) -> T:
    """What a body holds. Raises `Problem` 400 where it is no JSON and 422 where it is other JSON.

    JSON may escape half of a surrogate pair, and tokenizers that cut bytes make such texts. msgspec takes none, while
    here it is a fault of one row: those bodies are read by the standard library, which lets it pass.
    """
    try:
        return read.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(_message(error)) from None
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError):  # the latter from msgspec up to 0.22
        plain = _plain(body)
    try:
        found: T = msgspec.convert(plain, read.type, strict=True)
    except msgspec.ValidationError as error:
        raise invalid(_message(error)) from None
    except UnicodeEncodeError:  # it looks names up as UTF-8
        raise invalid("the name of a field is not valid Unicode") from None
    return found


def encode(answer: object) -> bytes:
    """An answer as JSON; NaN becomes null."""
    return _ENCODER.encode(answer)


def _plain(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Problem(400, "bad_json", f"the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise Problem(400, "bad_json", f"the body is no JSON: {error.msg} (character {error.pos})") from None
    except ValueError as error:  # NaN, or a whole number of more digits than Python reads
        raise Problem(400, "bad_json", f"the body is no JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number: write null")


def _too_deep() -> Problem:
    return Problem(400, "bad_json", "the body is nested too deeply")


def _message(error: msgspec.ValidationError) -> str:
    """Names types and places; a text that msgspec repeats (an unknown field's name) is cut."""
    return str(error).encode("utf-8", "backslashreplace").decode()[:200]


def check_columns(n: int, limit: int, what: str, **columns: Sequence[Any] | None) -> None:
    """Raises `Problem` 413 for more than `limit` rows and 422 for columns of different lengths."""
    if n > limit:
        raise Problem(413, "too_many_rows", f"{n} rows in one request: at most {limit}, so send several")
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise invalid(f"{name} has {len(column)} rows, {what} has {n}")


def check_texts(name: str, texts: Sequence[str | None], limit: int) -> None:
    """Raises `Problem` 422 for a text that is too long."""
    for row, text in enumerate(texts):
        if text is not None and len(text) > limit:
            raise invalid(f"{name}[{row}] has {len(text)} characters: at most {limit}")


def check_lists(name: str, lists: Sequence[Sequence[str]], items: int, limit: int) -> None:
    """Raises `Problem` 422 for a list or a text that is too long."""
    for row, texts in enumerate(lists):
        check_count(name, row, texts, items)
        for at, text in enumerate(texts):
            if len(text) > limit:
                raise invalid(f"{name}[{row}][{at}] has {len(text)} characters: at most {limit}")


def check_count(name: str, row: int, found: Sequence[Any], items: int) -> None:
    """Raises `Problem` 422 for a list that is too long."""
    if len(found) > items:
        raise invalid(f"{name}[{row}] has {len(found)} entries: at most {items}")


def not_unicode(text: str) -> bool:
    """Whether a text holds half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
