"""Files, folders and standard input into decoded lines: JSON Lines, plain, gzip or Zstandard, and Parquet.

The kind is told by the first bytes, not by the name.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from rationale_rm.data.faults import BadLine, BadValueError
from rationale_rm.extras import MissingExtraError

STDIN: Final = "-"
_CHUNK: Final = 1 << 16
_MAX_LINE: Final = 1 << 28
_REPORT: Final = re.compile(
    rb'\s*\{\s*("(schema_version|command)"\s*:\s*("\w*"|\d+)\s*,\s*"(?!\2)(schema_version|command)"\s*:'
    rb'|"analysis"\s*:\s*"\w*"\s*,\s*"subject"\s*:)'
)
"""How a report, or an analysis, that this program wrote begins."""
_SUFFIXES: Final = re.compile(r"\.(jsonl|ndjson|json|parquet)(\.(gz|zst))?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One decoded line: any JSON value."""

    file: str
    line: int
    value: Any


def expand(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The files that `paths` name, folders searched for ``.jsonl .ndjson .json .parquet`` (and ``.gz
    .zst``), sorted. Reports and analyses that this program wrote into a folder are no data and passed over.

    Raises `FileNotFoundError` for a path that is not there and for a folder without such a file.
    """
    files: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        if path != STDIN and not os.path.exists(path):
            raise FileNotFoundError(f"no such file or folder: {path}")
        if path != STDIN and os.path.isdir(path):
            found = sorted(
                str(p) for p in Path(path).rglob("*") if _SUFFIXES.search(p.name) and p.is_file() and not _is_report(p)
            )
            if not found:
                raise FileNotFoundError(f"no .jsonl, .json or .parquet file in the folder {path}")
            files += found
        else:
            files.append(path)
    places: dict[str, str] = {}
    for file in files:  # "a.jsonl" and "./a.jsonl" are one file, under its first name
        places.setdefault(file if file == STDIN else os.path.realpath(file), file)
    return list(places.values())


def _is_report(path: Path) -> bool:
    if path.suffix.lower() != ".json" or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as stream:
        return _REPORT.match(stream.read(256)) is not None


def read_rows(files: Iterable[str]) -> Iterator[Row | BadLine]:
    """Decodes files line by line; blank lines are passed over.

    A ``.txt`` file is one transcript: a single row ``{"text": …}``. A file that breaks off (a damaged
    archive) gives the lines before the break, then a `BadLine`. Raises `OSError` for a file that cannot be
    opened.
    """
    for file in files:
        if file == STDIN:
            yield from _stream_rows(STDIN, sys.stdin.buffer)
        else:
            with open(file, "rb") as stream:
                yield from _stream_rows(file, stream)


def chunks(file: str) -> Iterator[bytes]:
    """The bytes of a file, decompressed where it is gzip or Zstandard. Raises `BadValueError` for a damaged archive
    and `OSError`.
    """
    with open(file, "rb") as stream:
        yield from _chunks(stream, stream.read(4))


def _stream_rows(file: str, stream: BinaryIO) -> Iterator[Row | BadLine]:
    head = stream.read(4)
    line = 0
    try:
        if head == b"PAR1":
            yield from _parquet_rows(file, stream, head)
            return
        chunks = _chunks(stream, head)
        if file.lower().endswith(".txt"):
            line = 1
            yield Row(file, line, {"text": _utf8(b"".join(chunks))})
            return
        for raw in _lines(chunks):
            line += 1
            if raw.isspace() or not raw:
                continue
            try:
                yield Row(file, line, _json(raw.removeprefix(b"\xef\xbb\xbf") if line == 1 else raw))
            except BadValueError as error:
                yield BadLine(file, line, str(error))
    except BadValueError as error:
        yield BadLine(file, line, str(error))


def _chunks(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    """The bytes of a stream whose first four, `head`, were already taken, decompressed by what they say."""

    def raw() -> Iterator[bytes]:
        yield head
        while chunk := stream.read(_CHUNK):
            yield chunk

    if head[:2] == b"\x1f\x8b":
        return _inflate(raw(), lambda: zlib.decompressobj(31), (zlib.error,), "gzip")
    if head == b"\x28\xb5\x2f\xfd":
        zstandard = _extra("zstandard")
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        return _inflate(raw(), decompressor.decompressobj, (zstandard.ZstdError,), "zstd")
    return raw()


def _inflate(
    chunks: Iterator[bytes], new: Callable[[], Any], errors: tuple[type[Exception], ...], name: str
) -> Iterator[bytes]:
    """Decompresses members that follow one another. A plain reader would take a cut-off archive for its
    end.
    """
    member: Any = None
    # In small pieces: one of 1 KiB becomes 32 MB at the most, where a whole chunk could become gigabytes.
    for rest in (chunk[at : at + 1024] for chunk in chunks for at in range(0, len(chunk), 1024)):
        while rest:
            if member is None:
                rest = rest.lstrip(b"\0")  # padding between gzip members is allowed
                if not rest:
                    break
                member = new()
            try:
                yield member.decompress(rest)
            except errors as error:
                raise BadValueError(f"damaged {name} data after this line: {error}") from None
            rest = member.unused_data if member.eof else b""
            if member.eof:
                member = None
    if member is not None:
        raise BadValueError(f"the {name} data end too early: lines after this one are lost")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pending.append(first)
        size += len(first)
        if size > _MAX_LINE:
            raise BadValueError(
                f"the next line is longer than {_MAX_LINE >> 20} MiB; the rest of the file was not read"
            )
        for part in others:
            yield b"".join(pending)
            pending, size = [part], len(part)
    yield b"".join(pending)


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadValueError(f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1}") from None


def _json(raw: bytes) -> Any:
    text = _utf8(raw)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadValueError(f"not JSON: {error.msg} at column {error.colno} (one object a line is expected)") from None
    except RecursionError:
        raise BadValueError("not JSON that can be read: nested too deeply") from None
    except ValueError:
        raise BadValueError("not JSON that can be read: a number has too many digits") from None


def _no_constant(name: str) -> Any:
    raise BadValueError(f"not JSON: {name} is no JSON value")


def _parquet_rows(file: str, stream: BinaryIO, head: bytes) -> Iterator[Row | BadLine]:
    _extra("pyarrow")
    import pyarrow
    import pyarrow.parquet

    if stream.seekable():
        stream.seek(0)
        source: Any = stream
    else:
        source = io.BytesIO(head + stream.read())
    line = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(source).iter_batches(batch_size=256):
            for value in _records(batch):
                line += 1
                yield BadLine(file, line, "not UTF-8") if value is None else Row(file, line, value)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadValueError(f"damaged Parquet data after row {line}: {str(error).splitlines()[0]}") from None


def _records(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a `pyarrow.RecordBatch`; None for one whose text is not UTF-8. All at once is ten times as fast."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for index in range(batch.num_rows):
            try:
                yield batch.slice(index, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield None


def _extra(module: str) -> Any:
    """Imports an optional library where it is used, so that plain JSON Lines need none."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(module, "io") from None
