"""Which series a name is: models and runs look the same in every figure of a page."""

from __future__ import annotations


class Palette:
    """Gives each name its place among the series, in the order in which figures ask: colour, shape and dash."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, name: str) -> int:
        """The place of a name, the next free one when it is new."""
        return self._places.setdefault(name, len(self._places))
