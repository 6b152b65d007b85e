"""SIGTERM, and Ctrl-C pressed once: the run saves where it stands and ends in good order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopRequestedError(BaseException):
    """Raised out of work that nothing is lost by giving up. No error, so that nothing takes it for one of its own."""


class Stop:
    """While it is entered, a signal asks the run to stop instead of ending it; a second Ctrl-C ends it at once.

    Signals are left alone where Python lets none be handled: in another thread than the main one.
    """

    def __init__(self) -> None:
        self.requested = False
        self._interruptible = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextlib.contextmanager
    def interruptible(self, allowed: bool = True) -> Iterator[None]:
        """Within it a signal raises `StopRequestedError` at once, where `allowed`, or at its end."""
        if not allowed:
            yield
            return
        self._interruptible = True
        try:
            if not self.requested:
                yield
        finally:
            self._interruptible = False
        if self.requested:  # also where some code on the way has caught everything
            raise StopRequestedError

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if self._interruptible:
            self._interruptible = False
            raise StopRequestedError
