"""Logs: a JSON object a line on standard error.

They hold neither texts of requests nor headers nor what exceptions say, which may repeat them: of an exception its type
and its place stand there.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any, Final

LOGGER: Final = logging.getLogger("rationale_rm.server")
REQUEST: Final = "request"
"""The event of which there is one a request."""


def write(event: str, **fields: Any) -> None:
    """One line. `fields` are plain JSON."""
    LOGGER.info(event, extra={"fields": fields})


def fault(event: str, error: BaseException, **fields: Any) -> None:
    """One line about an exception that nobody expected."""
    LOGGER.error(event, exc_info=error, extra={"fields": fields})


def set_up(*, quiet: bool = False) -> None:
    """Makes this package's and uvicorn's messages lines of JSON; `quiet` leaves out requests."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("rationale_rm.server", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING if name == "uvicorn" else logging.INFO)
    if quiet:
        handler.addFilter(lambda record: record.getMessage() != REQUEST)


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC), level, event and what belongs to it."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info is not None and record.exc_info[1] is not None:
            line["error"] = record.exc_info[0].__name__ if record.exc_info[0] else "unknown"
            line["at"] = [
                f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-8:]
            ]
        return json.dumps(line, ensure_ascii=True)
