"""A model in this process as a `Client`: calls that wait together are generated together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rationale_rm.engine import Engine, Generation, Message, Sampling
from rationale_rm.judge import faults
from rationale_rm.judge.faults import CallError

MAX_BATCH: Final = 256
"""Calls that one step of the engine takes."""
_Waiting = tuple[Sequence[Message], Sampling, "asyncio.Future[Generation]"]


class EngineClient:
    """An engine of `rationale_rm.engine` behind the protocol of a server.

    The engine works in a thread, one batch at a time; calls that come meanwhile form the next batch. A call
    that runs out of time is given up here, though its batch goes on to its end. The client owns the engine, and
    closes it.
    """

    def __init__(self, engine: Engine, *, name: str, model: str | None = None, max_batch: int = MAX_BATCH):
        self._engine = engine
        self._name = name
        self._model = name.partition(":")[2] if model is None else model
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """``vllm:PATH`` or ``hf:PATH``."""
        return self._name

    @property
    def model(self) -> str:
        """The path alone, or what stands for the files there (`rationale_rm.judge.spec.model_of`)."""
        return self._model

    @property
    def constrains(self) -> bool:
        """Whether the engine honours `Sampling.regex`."""
        return self._engine.constrains

    async def complete(self, messages: Sequence[Message], sampling: Sampling, *, timeout: float) -> Generation:
        """One answer, generated with what else is waiting."""
        if self._closed:
            raise CallError(faults.ENGINE, f"{self._name} is closed", retryable=False)
        running = asyncio.get_running_loop()
        future: asyncio.Future[Generation] = running.create_future()
        if self._working is not None and self._working.get_loop() is not running:  # of the parent of a forked child
            self._working, self._waiting = None, []
        self._waiting.append((messages, sampling, future))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())
        try:
            answer = await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            raise CallError(faults.TIMEOUT, f"{self._name} gave no answer within {timeout:g} s") from None
        if not answer.text:
            if answer.error is not None:
                raise CallError(faults.REFUSED, f"{self._name}: {answer.error}", retryable=False)
            raise CallError(faults.EMPTY_ANSWER, f"{self._name}: no text")
        return answer

    async def close(self) -> None:
        """Answers what waits, and gives the engine's memory back, for good: later calls fail. May be called again."""
        self._closed = True
        working = self._working
        if working is not None and working.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([working])
        await asyncio.to_thread(self._engine.close)

    async def _work(self) -> None:
        await asyncio.sleep(0)  # the calls that start in this turn of the loop come along
        while self._waiting:
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            batch = [item for item in batch if not item[2].done()]
            if not batch:
                continue
            prompts, samplings = [item[0] for item in batch], [item[1] for item in batch]
            try:
                answers = await asyncio.to_thread(self._engine.generate, prompts, samplings)
                if len(answers) != len(batch):
                    raise ValueError(f"{len(answers)} answers to {len(batch)} prompts")
            except Exception as error:  # whatever an engine raises must reach the calls that wait for it
                for _, _, future in batch:
                    if not future.done():
                        why = CallError(faults.ENGINE, f"{self._name}: {error}", retryable=False)
                        future.set_exception(why)
                continue
            for (_, _, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
