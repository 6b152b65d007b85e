"""Weights on their way, which all processes of a trainer gather together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def to_the_end(weights: Iterator[T]) -> Iterator[Iterator[T]]:
    """Takes what is left of `weights` at the end, also after a failure: the other processes would wait for this one."""
    try:
        yield weights
    finally:
        for _ in weights:
            pass
