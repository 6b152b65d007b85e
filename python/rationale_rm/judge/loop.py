"""One event loop for all calls of this process, in a thread of its own.

Trainers call a reward from anywhere: synchronously, from a loop that lives as long as the run, or from a
fresh loop every step. HTTP connections, semaphores and rate limiters belong to the loop that made them, so
they all live in this one, and callers hop to it once a batch.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, Final, TypeVar

T = TypeVar("T")

_CLEAN_UP: Final = 10.0
"""Seconds that cancelled work has to close its files and connections."""

_closing: set[Future[Any]] = set()
_lock = threading.RLock()  # a finalizer may come between (`later`)
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on the loop and waits for it, from any thread but the loop's own.

    An interrupt (Ctrl-C) cancels the work, waits until it has cleaned up, and goes on upward. Raises
    `RuntimeError` on the loop's own thread, where `work` must be awaited.
    """
    if threading.current_thread() is _thread:
        work.close()
        raise RuntimeError("this thread makes the calls and cannot wait for them: await the work, or use a thread")
    ended = threading.Event()

    async def watched() -> T:
        try:
            return await work
        finally:
            ended.set()

    future = asyncio.run_coroutine_threadsafe(watched(), _running_loop())
    try:
        return future.result()
    except BaseException:
        if future.cancel():
            ended.wait(_CLEAN_UP)
        raise


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Runs `work` on the loop, and gives the future of what comes of it."""
    return asyncio.run_coroutine_threadsafe(work, _running_loop())


def later(work: Coroutine[Any, Any, Any]) -> None:
    """Runs `work`, which closes something, without waiting for it; the end of the interpreter waits."""
    future = asyncio.run_coroutine_threadsafe(work, _running_loop())
    _closing.add(future)
    future.add_done_callback(_closing.discard)


async def hop(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on the loop and awaits it, from any event loop, the loop itself included."""
    loop = _running_loop()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _lock:
        if _loop is None:
            loop = asyncio.SelectorEventLoop(_Selector()) if hasattr(os, "fork") else asyncio.new_event_loop()
            _thread = threading.Thread(target=_serve, args=(loop,), name="rationale-rm-calls", daemon=True)
            _thread.start()
            _loop = loop
        return _loop


class _Selector(selectors.DefaultSelector):
    """A forked child shares the kernel's list of connections with its parent, and must take none out of it: the parent
    would never hear of that connection again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._owner = os.getpid()

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return super().unregister(fileobj) if self._owner == os.getpid() else self.get_key(fileobj)

    def get_map(self) -> Any:
        return super().get_map() if self._owner == os.getpid() else MappingProxyType({})

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        if self._owner != os.getpid():
            raise KeyError(fileobj)
        return super().get_key(fileobj)


def _forget() -> None:
    """A forked child has the parent's objects, but not its thread: it begins with nothing."""
    global _loop, _lock
    if _loop is not None:
        _loop.set_exception_handler(lambda loop, context: None)  # connections that are not its own end unclosed
    _loop, _lock = None, threading.RLock()
    _closing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@atexit.register
def _wait_for_closing() -> None:
    for future in list(_closing):
        with contextlib.suppress(Exception):  # nobody is left to hear of it
            future.result(_CLEAN_UP)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
