"""Libraries that only some parts need, and the extra of this package that brings each."""

from __future__ import annotations

from rationale_rm._core import RationaleError


class MissingExtraError(RationaleError, ImportError):
    """A library that is not installed; the message says which extra to install."""

    def __init__(self, library: str, extra: str):
        super().__init__(f'this needs {library}: pip install "rationale-rm[{extra}]"')
