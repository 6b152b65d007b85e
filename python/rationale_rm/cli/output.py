"""What every subcommand needs to speak: safe text, errors, progress, and files written whole."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, NoReturn, TextIO

import typer

from rationale_rm.data import STDIN, BadLine, expand

BAD_INPUT: Final = 1
USAGE: Final = 2
SHOWN_BAD_LINES: Final = 5
LONGEST_NOTE: Final = 4000
"""Characters of a remark; names in the data may be longer than any screen."""
APPENDED: Final = "OUT"
"""The argument of the subcommands that go on with their output."""


def safe(text: object, limit: int | None = None) -> str:
    """Text of unknown origin for a terminal: control, bidi and other invisible characters become escapes.

    At most `limit` characters of the result are kept, with an ellipsis.
    """
    shown = "".join(character if _visible(character) else _escape(character) for character in str(text))
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints an error and leaves with `code`."""
    note(f"error: {message}")
    raise typer.Exit(code)


def note(message: str) -> None:
    """Prints a remark on standard error, as far as a person would read it."""
    try:
        print(safe(message, LONGEST_NOTE), file=sys.stderr, flush=True)
    except OSError:  # there is nowhere left to say it
        _silence(sys.stderr)


def count(number: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def left_out(bad: Sequence[BadLine], n_lines: int) -> str:
    """How many lines were left out, in words."""
    return f"{len(bad)} of {count(n_lines, 'line')} {'was' if len(bad) == 1 else 'were'} left out"


def report_bad_lines(
    bad: Sequence[BadLine], n_lines: int, quiet: bool = False, listed: str = "--json lists them all"
) -> None:
    """Says on standard error how many lines were left out, and unless `quiet` shows the first; `listed` says where the
    others are.
    """
    if not bad:
        return
    note(f"warning: {left_out(bad, n_lines)}{'' if quiet else ':'}")
    if quiet:
        return
    for line in bad[:SHOWN_BAD_LINES]:
        note(f"  {line}")
    if len(bad) > SHOWN_BAD_LINES:
        note(f"  … and {len(bad) - SHOWN_BAD_LINES} more; {listed}")


class Progress:
    """Says on standard error how far a run is: on a terminal, else only when it takes over two seconds."""

    def __init__(self, quiet: bool):
        self.terminal = sys.stderr.isatty()
        self.next = float("inf") if quiet else time.monotonic() + (0.3 if self.terminal else 2.0)
        self.shown = False

    def update(self, message: str) -> None:
        """Shows `message` if it is time to."""
        now = time.monotonic()
        if now < self.next:
            return
        self.shown = True
        if self.terminal:
            sys.stderr.write(f"\r\x1b[K{safe(message, 100)}")
            sys.stderr.flush()
            self.next = now + 0.2
        else:
            note(message)
            self.next = now + 5.0

    def done(self) -> None:
        """Clears the line."""
        if self.shown and self.terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self.next = float("inf")


def emit(text: str) -> None:
    """Writes to standard output; a reader that has gone away (``| head``) ends the program quietly."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        raise typer.Exit(0) from None
    except OSError as error:
        _silence(sys.stdout)
        fail(f"cannot write to standard output: {error.strerror or error}")


def open_streams() -> None:
    """Gives closed standard streams (``>&-``) a place where every use is an `OSError`, as on a full disk.

    Otherwise the next file that is opened would take their number.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            held = os.open(os.devnull, os.O_WRONLY if mode == "r" else os.O_RDONLY)
            if held != number:
                os.dup2(held, number)
                os.close(held)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def flush_streams() -> None:
    """Flushes what is left; what cannot be written is dropped."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _silence(stream)


def _silence(stream: TextIO) -> None:
    """Lets the stream write nowhere: the interpreter would fail once more when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def inputs_and_targets(paths: Sequence[str], targets: Mapping[str, str | None]) -> list[str]:
    """The files that `paths` name, after a check, before any work is done, of the output files: those that
    cannot be, that are one of the inputs, or that are named twice are refused. `targets` by their option.

    The target `APPENDED` may lie in a folder of the inputs: what an earlier run wrote there is not read.
    """
    try:
        files = expand(paths)
    except FileNotFoundError as error:
        fail(str(error), USAGE)
    own = targets.get(APPENDED)
    if own:
        files = _without(files, own, paths)
    taken: dict[str, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        _check_target(option, path, files)
        place = path if path == STDIN else os.path.realpath(path)
        if place in taken and (place == STDIN or os.path.isfile(place) or not os.path.exists(place)):
            fail(f"{taken[place]} and {option} cannot both write {path}", USAGE)
        taken[place] = option
    return files


def _without(files: Sequence[str], own: str, paths: Sequence[str]) -> list[str]:
    """The input files but for the run's own output, unless one of `paths` is that file itself."""
    place = os.path.realpath(own)
    if any(path != STDIN and os.path.realpath(path) == place for path in paths):
        return list(files)
    left = [file for file in files if file == STDIN or os.path.realpath(file) != place]
    if not left:
        fail(f"the input holds no file but {own}, which is the output", USAGE)
    return left


def _check_target(option: str, path: str, inputs: Sequence[str]) -> None:
    if not path:
        fail(f"{option} needs a file name, or - for standard output", USAGE)
    if path == STDIN:
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        fail(f"cannot write {path}: there is no folder {folder}", USAGE)
    if os.path.isdir(path):
        fail(f"cannot write {path}: it is a folder", USAGE)
    if os.path.exists(path) and any(name != STDIN and os.path.samefile(path, name) for name in inputs):
        fail(f"cannot write {path}: it is an input file", USAGE)


def write_json(path: str, document: Mapping[str, Any]) -> None:
    """Writes a JSON document, to standard output for ``-``. Raises `ValueError` for NaN, which is no JSON."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"  # ASCII: lone surrogates in model text stay readable
    if path == STDIN:
        emit(text)
    else:
        _write(path, text)


def write_csv(path: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a table; None is an empty cell, and no text cell can be taken for a spreadsheet formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    if path == STDIN:
        emit(buffer.getvalue())
    else:
        _write(path, buffer.getvalue())


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = safe(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _write(path: str, text: str) -> None:
    with replacing(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A stream whose content replaces a file in one step when the block ends well, so that a reader never sees half
    of it; leaves the program where it cannot be written.
    """
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):  # a device or a pipe cannot be replaced
            with open(target, "wb") as stream:
                yield stream
            return
        draft = f"{target}.{os.getpid()}.tmp"
        try:
            with open(draft, "xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror or error}")
