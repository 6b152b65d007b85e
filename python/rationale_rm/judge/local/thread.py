"""Work in a thread, of which a caller that is cancelled knows the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """As `asyncio.to_thread`; but where the caller is cancelled, `asyncio.CancelledError` comes only once the thread
    has ended, for nothing can stop a thread that computes. Work that still waits for its thread is not begun.

    So whoever counts what is under way counts it for as long as it takes a core.
    """
    left = threading.Event()

    def unless_left() -> T | None:
        return None if left.is_set() else work(*args)

    running = asyncio.ensure_future(asyncio.to_thread(unless_left))
    try:
        return cast(T, await asyncio.shield(running))
    except asyncio.CancelledError:
        left.set()
        await asyncio.wait([running])
        raise
