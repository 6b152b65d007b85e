"""Progress on the terminal: a bar, or plain lines."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, Final, TextIO

_PLAIN_EVERY: Final = 10.0
"""Seconds between progress lines where they are not drawn over each other."""
_RECENT: Final = 0.9
"""Weight of the steps before in the mean that the remaining time is reckoned from."""


class Progress:
    """Progress on standard error: a bar with the last figures and the time that is left, or plain lines where no
    terminal draws them.
    """

    def __init__(self, shown: bool, stream: TextIO | None = None):
        self._stream = sys.stderr if stream is None else stream
        self._shown = shown
        self._bar: Any = None
        self._task: Any = None
        self._printed = -math.inf
        self._last = 0.0
        self._pace: float | None = None
        if shown and self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}"),
            )
            self._bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._bar.start()

    def begin(self, what: str, done: int, total: int) -> None:
        """A phase begins, of which `done` of `total` steps are done."""
        self._what, self._total = what, total
        self._last, self._pace = time.monotonic(), None
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, completed=done, total=total, said="")

    def step(self, done: int, figures: str) -> None:
        """A step is done; `figures` are shown beside it."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._pace = took if self._pace is None else _RECENT * self._pace + (1 - _RECENT) * took
        said = f"{figures}, {clock(self._pace * (self._total - done))} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, said=said)
        elif self._shown and (now - self._printed >= _PLAIN_EVERY or done == self._total):
            self._printed = now
            self._print(f"{self._what} {done:,} of {self._total:,}: {said}")

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif self._shown:
            self._print(text)

    def close(self) -> None:
        """Gives the terminal back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._shown = False

    def _print(self, text: str) -> None:
        safe = text.encode(self._stream.encoding or "utf-8", "backslashreplace").decode(
            self._stream.encoding or "utf-8"
        )
        print(safe, file=self._stream, flush=True)


def clock(seconds: float) -> str:
    """A time as people write it: ``45 s``, ``3:20``, ``1:02:30``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
