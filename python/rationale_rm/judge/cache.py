"""Answers on disk, so that none is paid for twice: SQLite in WAL mode, shared by processes."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import threading
import time
import weakref
from pathlib import Path
from typing import Any, Final

from rationale_rm.engine import Generation

_SCHEMA: Final = 1
_TABLES: Final = frozenset(("meta", "answers"))
_BUSY_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


class CacheError(Exception):
    """A cache file that cannot be used."""


class Cache:
    """Key → answer. An answer is there whole or not at all, also after `kill -9`. Safe for several threads and
    processes.

    WAL mode with ``synchronous=NORMAL``: a killed process loses nothing that `put` has returned for; a power
    cut may lose the last answers, never the file. Raises `CacheError` for a file that is no cache, that cannot be
    written, or that another version laid out; a fault that comes later is reported once in the log, and costs no
    answer but the copy.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        self._connection: sqlite3.Connection | None = None
        self._guard = threading.RLock()
        self._warned = False
        self._opened()
        _caches.add(self)

    def get(self, key: bytes) -> Generation | None:
        """The answer under `key`."""
        select = "SELECT text, finish_reason, prompt_tokens, completion_tokens FROM answers WHERE key = ?"
        try:
            row = self._run(select, (key,))
        except (sqlite3.Error, CacheError) as error:
            self._warn("read from", error)
            return None
        if row is None:
            return None
        return Generation(text=row[0], finish_reason=row[1], prompt_tokens=row[2], completion_tokens=row[3])

    def put(self, key: bytes, answer: Generation) -> None:
        """Keeps an answer; the first one under a key stays. Text that is not valid Unicode is not kept."""
        try:
            answer.text.encode()
        except UnicodeEncodeError:
            return
        row = (key, answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens, int(time.time()))
        try:
            self._run("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        except (sqlite3.Error, CacheError) as error:
            self._warn("kept in", error)

    def secret(self) -> bytes:
        """32 random bytes made with the file: the key of prompt markers, stable so that prefix caches last."""
        select = "SELECT value FROM meta WHERE name = 'secret'"
        try:
            row = self._run(select, ())
            if row is None:
                self._run("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))
                row = self._run(select, ())
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from None
        value: bytes = row[0]
        return value

    def close(self) -> None:
        """Closes the file; a later use opens it again."""
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def __del__(self) -> None:
        if hasattr(self, "_guard"):
            self.close()

    def _run(self, statement: str, values: tuple[Any, ...]) -> Any:
        with self._guard:
            return self._opened().execute(statement, values).fetchone()

    def _opened(self) -> sqlite3.Connection:
        with self._guard:
            if self._connection is None:
                self._connection = self._open()
            return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            if not os.path.exists(self.path):  # answers may hold private texts, and the file its secret
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise _unusable(self.path, error) from None
        try:
            self._lay_out(connection)
        except sqlite3.Error as error:
            connection.close()
            raise _unusable(self.path, error) from None
        except CacheError:
            connection.close()
            raise
        return connection

    def _lay_out(self, connection: sqlite3.Connection) -> None:
        """Makes the tables of a new file, and looks at those of another before anything is changed in it."""
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not found <= _TABLES:
            raise CacheError(f"{self.path} is a database, and no cache of rationale-rm: choose another file")
        if "meta" in found:
            row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
            if row is None or row[0] != _SCHEMA:
                layout = None if row is None else row[0]
                raise CacheError(
                    f"the cache {self.path} has layout {layout}, this version uses {_SCHEMA}: choose another file"
                )
        connection.execute("PRAGMA synchronous = NORMAL")
        _in_wal_mode(connection)
        if found != _TABLES:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT, "
                "prompt_tokens INTEGER, completion_tokens INTEGER, made INTEGER)"
            )
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (_SCHEMA,))
            connection.execute("COMMIT")

    def _warn(self, done: str, error: Exception) -> None:
        with self._guard:
            if self._connection is not None and "locked" in str(error):
                self._connection.execute("PRAGMA busy_timeout = 0")  # to wait anew for every answer would stall the run
            if not self._warned:
                self._warned = True
                _log.warning("answers are not %s the cache %s: %s", done, self.path, error)


def _in_wal_mode(connection: sqlite3.Connection) -> None:
    """Sets WAL mode, for which SQLite does not wait where another process opens the new file at the same time."""
    ends = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.01)


def _unusable(path: str, error: sqlite3.Error | OSError) -> CacheError:
    said = str(error)
    if isinstance(error, OSError):
        remedy, said = "choose another file", error.strerror or said
    elif "locked" in said:
        remedy = "wait for the process that holds it, or choose another file"
    elif "not a database" in said or "malformed" in said:
        remedy = "choose another file; if it was a cache, it is damaged and can be deleted"
    else:
        remedy = "choose another file"
    return CacheError(f"cannot use the cache {path}: {said}: {remedy}")


_caches: weakref.WeakSet[Cache] = weakref.WeakSet()
_held: list[Cache] = []


def _before_fork() -> None:
    """SQLite's connections and locks must not cross a fork, so there is none while it happens."""
    _held.extend(_caches)
    for cache in _held:
        cache._guard.acquire()
        cache.close()


def _after_fork() -> None:
    while _held:
        _held.pop()._guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def default_path() -> Path:
    """``$XDG_CACHE_HOME/rationale-rm/answers.sqlite``, by default below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "rationale-rm" / "answers.sqlite"
