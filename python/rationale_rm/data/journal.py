"""Append-only JSON Lines output that survives a kill at any point and is continued by the next run.

A record is one line, written by one `os.write`. What a kill can leave is therefore a last line that is not complete;
opening the file cuts it off. Records are never changed: an id may come again, and then its last record counts.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data.faults import short

SYNC_SECONDS: Final = 5.0
"""What a power cut may cost; a killed process loses nothing that `Journal.append` took."""
NAMED_SETTINGS: Final = 4
"""Settings of another run that an error names; the rest are counted."""
_ID: Final = b'{"id": '
_MADE_BY: Final = b', "made_by": '
_NO_JSON: Final = object()


class JournalError(RationaleError):
    """An output file that cannot be written, or not continued by this run."""


def succeeded(record: Mapping[str, Any]) -> bool:
    """Whether a record need not be asked for again: its ``status`` is ``success``."""
    return record.get("status") == "success"


class Journal:
    """An output file of this program, open for appending and closed to every other process.

    With `read_only` it is only looked at: `done` and `failed` are what the file holds now (nothing, where there is no
    file), it is neither repaired nor locked, another process may be writing it, and `append` is refused.

    Every record carries under ``made_by`` the settings that it was made under, and a file holds the records of one
    setting only. `done` and `failed` hold the ids in the file, by what `is_done` says of their last record. Memory
    grows with the ids alone.

    Raises `JournalError`, and leaves the file as it is, when `path` is no regular file, lies in no folder, may not be
    written, is open in another process, holds anything but such records (then its first strange line is named), holds
    records made under other settings, or is not empty although `resume` is False.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        resume: bool,
        made_by: Mapping[str, Any],
        is_done: Callable[[Mapping[str, Any]], bool] = succeeded,
        read_only: bool = False,
    ):
        self.path = os.fspath(path)
        self.made_by: dict[str, Any] = json.loads(_dump(made_by, "made_by"))
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.n_records = 0
        """Records in the file, superseded ones included."""
        self.repaired: str | None = None
        """What the last run left incomplete, and what was done about it, in words."""
        self._is_done = is_done
        self._read_only = read_only
        self._guard = threading.Lock()
        self._end = 0
        self._synced = time.monotonic()
        self._file: int | None = None
        if read_only and not os.path.exists(self.path):
            return
        self._file = self._open()
        try:
            if not read_only:
                self._lock(self._file)
            if not resume and os.fstat(self._file).st_size:
                raise JournalError(f"{self.path} is not empty: resume it, or choose another output file")
            self._read(self._file)
        except BaseException:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record; when this returns, the record survives a kill of this process.

        `record` is a JSON object with text under ``id``; its ``made_by``, if it has one, is replaced. Safe to call
        from several threads. Raises `JournalError` when the record is no JSON (NaN is none), and when it cannot be
        written; what was written of it is taken back then.
        """
        name = record.get("id")
        if not isinstance(name, str) or not name:
            raise JournalError(f"a record needs text under id, not {name!r}")
        line = {"id": name, "made_by": self.made_by, **{k: v for k, v in record.items() if k not in ("id", "made_by")}}
        # ASCII: lone surrogates in model text stay what they are
        data = _dump(line, f"the record {short(name)}") + b"\n"
        with self._guard:
            if self._read_only:
                raise JournalError(f"{self.path} is only read here")
            if self._file is None:
                raise JournalError(f"{self.path} is closed")
            self._write(self._file, data)
            self._take(line)
            if time.monotonic() - self._synced >= SYNC_SECONDS:
                self._sync(self._file)

    def close(self) -> None:
        """Brings everything to the disk, and lets other processes have the file."""
        with self._guard:
            if self._file is None:
                return
            file, self._file = self._file, None
            try:
                if not self._read_only:
                    self._sync(file)
            finally:
                os.close(file)

    def _open(self) -> int:
        verb = "read" if self._read_only else "write"
        try:
            new = not os.path.exists(self.path)
            if not new and not stat.S_ISREG(os.stat(self.path).st_mode):  # opening a pipe would wait for a reader
                raise JournalError(
                    f"cannot {verb} {self.path}: it is no regular file, and an output that can be resumed must be one"
                )
            flags = os.O_RDONLY if self._read_only else os.O_RDWR | os.O_CREAT | os.O_APPEND
            file = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
            if new:
                _sync_folder(self.path)
        except FileNotFoundError:
            folder = os.path.dirname(os.path.realpath(self.path))
            raise JournalError(f"cannot {verb} {self.path}: there is no folder {folder}") from None
        except OSError as error:
            raise JournalError(f"cannot {verb} {self.path}: {error.strerror or error}") from None
        return file

    def _lock(self, file: int) -> None:
        try:
            import fcntl
        except ImportError:
            raise JournalError("output that can be resumed needs file locks, which this system has not") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"{self.path} is being written by another process: wait for it, or stop it") from None
        except OSError as error:
            raise JournalError(f"cannot lock {self.path}: {error.strerror or error}") from None

    def _read(self, file: int) -> None:
        """Takes in the records of the file, and repairs its end if nothing else is wrong with it."""
        strange: tuple[int, bytes] | None = None
        for number, raw in enumerate(_lines(file), 1):
            if strange is not None:
                raise self._not_ours(*strange)
            record = _json(raw)
            if record is _NO_JSON:
                strange = number, raw
                continue
            if not isinstance(record, dict) or not isinstance(record.get("id"), str) or "made_by" not in record:
                raise self._not_ours(number, raw)
            if record["made_by"] != self.made_by:
                raise self._other_settings(number, record["made_by"])
            self._take(record)
            self._end += len(raw)
            if not raw.endswith(b"\n") and not self._read_only:  # whole but for its end
                self._write(file, b"\n")
                self.repaired = f"completed the last record, {short(record['id'])}"
        if strange is not None:
            if not self.n_records and not self._begins(strange[1]):
                raise self._not_ours(*strange)
            if self._read_only:
                return
            self._cut(file)
            size = len(strange[1])
            self.repaired = f"cut off {size} byte{'s' * (size != 1)} of a last record that is not complete"

    def _begins(self, raw: bytes) -> bool:
        """Whether a file's only line may be the beginning of its first record."""
        if raw.endswith(b"\n") or not raw.startswith(_ID[: len(raw)]):
            return False
        rest = raw[len(_ID) :].decode("ascii", "replace")
        if rest and not rest.startswith('"'):
            return False
        try:
            end = json.JSONDecoder().raw_decode(rest)[1] if rest else 0
        except ValueError:
            return True  # broken off within the id
        after = rest[end:].encode()
        settings = _MADE_BY + _dump(self.made_by, "made_by")
        return after.startswith(settings[: len(after)])

    def _take(self, record: Mapping[str, Any]) -> None:
        self.n_records += 1
        done = self._is_done(record)
        (self.done if done else self.failed).add(record["id"])
        (self.failed if done else self.done).discard(record["id"])

    def _other_settings(self, number: int, theirs: Any) -> JournalError:
        was, now = (made_by.get("command") if isinstance(made_by, dict) else None for made_by in (theirs, self.made_by))
        if isinstance(was, str) and isinstance(now, str) and was != now:
            return JournalError(
                f"{self.path} is the output of `rationale-rm {_cut_short(was)}`: choose another output file"
            )
        return JournalError(
            f"{self.path} was made under other settings ({_differences(theirs, self.made_by)}; line {number}): give it "
            "the same settings again, or choose another output file"
        )

    def _not_ours(self, number: int, raw: bytes) -> JournalError:
        line = short(raw[:80].decode("utf-8", "replace").rstrip("\n"))
        return JournalError(
            f"{self.path} is no output that can be resumed: line {number} is no record with id and made_by "
            f"({line}); nothing was changed, choose another output file"
        )

    def _write(self, file: int, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                written = os.write(file, rest)
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                rest = rest[written:]
        except BaseException as error:
            # Half a record must not stand before the next one. Where it cannot be taken back nothing may follow.
            if len(rest) != len(data):
                self._cut(file)
            if not isinstance(error, OSError):
                raise
            raise JournalError(
                f"cannot write {self.path}: {error.strerror or error}; its {self.n_records} complete records are kept, "
                "and a later run goes on from them"
            ) from None
        self._end += len(data)

    def _cut(self, file: int) -> None:
        try:
            os.ftruncate(file, self._end)
        except OSError as error:
            if self._file is not None:  # the next run repairs it
                os.close(self._file)
                self._file = None
            raise JournalError(f"cannot repair {self.path}: {error.strerror or error}") from None

    def _sync(self, file: int) -> None:
        try:
            os.fsync(file)
        except OSError as error:
            raise JournalError(f"cannot write {self.path}: {error.strerror or error}") from None
        self._synced = time.monotonic()


def _dump(value: Any, what: str) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(f"{what} is no JSON: {error}") from None


def _json(raw: bytes) -> Any:
    """The JSON value of a line, `_NO_JSON` for what is none."""
    try:
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return _NO_JSON


def _lines(file: int) -> Iterator[bytes]:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(file, "rb", closefd=False) as stream:
        yield from stream


def _differences(theirs: Any, ours: Any) -> str:
    """Which settings differ, in words: the first of them, those in front that both have."""
    was, now = dict(_flat(theirs)), dict(_flat(ours))
    other = [name for name in was.keys() | now.keys() if was.get(name, _NO_JSON) != now.get(name, _NO_JSON)]
    other.sort(key=lambda name: (name not in was or name not in now, name))
    named = []
    for name in other[:NAMED_SETTINGS]:
        there, here = (_cut_short(json.dumps(held[name])) if name in held else "nothing" for held in (was, now))
        named.append(f"{_cut_short(name) or 'made_by'}: {there} there, {here} now")
    if len(other) > NAMED_SETTINGS:
        named.append(f"and {len(other) - NAMED_SETTINGS} more")
    return "; ".join(named)


def _cut_short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _sync_folder(path: str) -> None:
    """Makes the name of a new file durable too."""
    with contextlib.suppress(OSError):  # some file systems have no such thing
        folder = os.open(os.path.dirname(os.path.realpath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
