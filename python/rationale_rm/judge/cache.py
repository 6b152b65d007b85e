"""Answers on disk, so that none is paid for twice: SQLite in WAL mode, shared by processes."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Final

from rationale_rm.engine import Generation

_SCHEMA: Final = 1
_BUSY_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


class CacheError(Exception):
    """A cache file that cannot be used."""


class Cache:
    """Key → answer. An answer is there whole or not at all, also after `kill -9`.

    WAL mode with ``synchronous=NORMAL``: a killed process loses nothing that `put` has returned for; a power
    cut may lose the last answers, never the file.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        self._pid = 0
        self._connection: sqlite3.Connection | None = None
        self._warned = False
        self._opened()

    def get(self, key: bytes) -> Generation | None:
        """The answer under `key`."""
        row = (
            self._opened()
            .execute("SELECT text, finish_reason, prompt_tokens, completion_tokens FROM answers WHERE key = ?", (key,))
            .fetchone()
        )
        if row is None:
            return None
        return Generation(text=row[0], finish_reason=row[1], prompt_tokens=row[2], completion_tokens=row[3])

    def put(self, key: bytes, answer: Generation) -> None:
        """Keeps an answer; the first one under a key stays. A full disk is reported once and loses no answer
        but the copy.
        """
        row = (key, answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens, int(time.time()))
        try:
            self._opened().execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            if not self._warned:
                self._warned = True
                _log.warning("answers are not kept in the cache %s: %s", self.path, error)

    def secret(self) -> bytes:
        """32 random bytes made with the file: the key of prompt markers, stable so that prefix caches last."""
        connection = self._opened()
        fresh = secrets.token_bytes(32)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (fresh,))
        value: bytes = connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()[0]
        return value

    def close(self) -> None:
        """Closes the file; a later use opens it again."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _opened(self) -> sqlite3.Connection:
        """The connection of this process: SQLite's must not cross a fork."""
        if self._connection is None or self._pid != os.getpid():
            self._connection = self._open()
            self._pid = os.getpid()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            new = not os.path.exists(self.path)
            if new:  # answers may hold private texts, and the file its secret
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT, "
                "prompt_tokens INTEGER, completion_tokens INTEGER, made INTEGER)"
            )
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (_SCHEMA,))
            found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0]
        except (sqlite3.Error, OSError) as error:
            raise CacheError(f"cannot use the cache {self.path}: {error}; delete it or choose another file") from None
        if found != _SCHEMA:
            connection.close()
            raise CacheError(
                f"the cache {self.path} has layout {found}, this version uses {_SCHEMA}: choose another file"
            )
        return connection


def default_path() -> Path:
    """``$XDG_CACHE_HOME/rationale-rm/answers.sqlite``, by default below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "rationale-rm" / "answers.sqlite"
