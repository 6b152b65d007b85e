"""Libraries that only some parts need, and the extra of this package that brings each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from rationale_rm._core import RationaleError

_PACKAGES: Final = {"yaml": "PyYAML"}
"""Module → package, where the names differ."""


class MissingExtraError(RationaleError, ImportError):
    """A library that is not installed; the message says which extra to install."""

    def __init__(self, library: str, extra: str):
        super().__init__(f'this needs {library}: pip install "rationale-rm[{extra}]"')


@contextlib.contextmanager
def needs(extra: str, *modules: str) -> Iterator[None]:
    """Imports within of one of `modules` that is not installed raise `MissingExtraError`; of others what they raise."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in modules:
            raise
        raise MissingExtraError(_PACKAGES.get(error.name, error.name), extra) from None
