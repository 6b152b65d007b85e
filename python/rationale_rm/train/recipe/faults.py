"""What is wrong with a recipe, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rationale_rm._core import RationaleError

Path = tuple[str, ...]
"""The keys that lead to a setting, such as ``("reward", "mode")``."""
SHOWN = 12
"""Faults that one message lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a line of a file, or an override of the command line."""

    source: str
    """The file, or ``--set KEY=VALUE``."""
    line: int | None = None
    """From 1; None for an override."""

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    place: Place
    key: str
    """Dotted, such as ``reward.mode``; empty where no key is at fault."""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.text}" if self.key else f"{self.place}: {self.text}"


class RecipeError(RationaleError):
    """A recipe that cannot be used; the message lists what is wrong, a line each."""

    def __init__(self, faults: Sequence[Fault]):
        self.faults = tuple(faults)
        lines = [str(fault) for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"… and {len(faults) - SHOWN} more")
        super().__init__("\n".join(lines))


def fault(source: str, line: int | None, text: str, key: str = "") -> RecipeError:
    """A `RecipeError` of one fault."""
    return RecipeError([Fault(Place(source, line), key, text)])
