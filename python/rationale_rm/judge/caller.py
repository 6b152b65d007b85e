"""Questions to a model, asked so that none is lost, doubled or paid for twice.

`Caller` is what MetaJudge, critique and atomize share: bounded concurrency, pace, retries, time budgets,
equal questions asked once, answers kept on disk, and counts of it all.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from rationale_rm.engine import Generation, Sampling
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge import faults, loop
from rationale_rm.judge.cache import Cache
from rationale_rm.judge.client import Client, LateGeneration
from rationale_rm.judge.faults import CallError, Failed
from rationale_rm.judge.limits import Limits, Pace
from rationale_rm.judge.usage import Usage
from rationale_rm.prompts import Prompt

KEY_VERSION: Final = 1
RETRY_TEMPERATURE: Final = 0.5
"""At the least, where an answer could not be read: a greedy model would only repeat it."""
_MISSES: Final = 3
"""Answers that miss their constraint before the log says so."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to a model."""

    key: Mapping[str, Any]
    """Plain JSON: all that the answer depends on, but for the model and the sampling: the template's id, what
    is inserted, the number of the sample. It names the answer in the cache."""
    prompt: Callable[[str], Prompt]
    """Renders the prompt for a call, which it is given a name of that is unique and cannot be guessed."""
    sampling: Sampling
    check: Callable[[str], str | None]
    """Why a text cannot be read, None where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question."""

    text: str | None
    """The model's text: readable where `error` is None, else the last one that came, if any came."""
    error: str | None = None
    """Why there is no readable answer: the cause (`rationale_rm.judge.faults`), then what happened."""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Caller:
    """Asks a model under limits.

    One caller may be used from several threads and event loops at once; its calls are made on the loop of
    `rationale_rm.judge.loop`.
    """

    def __init__(self, client: Client, *, cache: Cache | None = None, limits: Limits | None = None):
        try:
            import tenacity
        except ImportError:
            raise MissingExtraError("tenacity", "judge") from None
        self.client = client
        self.cache = cache
        self.limits = limits or Limits()
        self.usage = Usage()
        self.key = secrets.token_bytes(32) if cache is None else cache.secret()
        """The secret behind the markers in prompts."""
        self._tenacity = tenacity
        self._calls: _Calls | None = None

    async def ask(self, questions: Iterable[Question], on_answer: Callable[[int, Answer], None]) -> None:
        """Asks all `questions`, which may be a generator of any length; it is read as calls become free.

        `on_answer` hears of each by its number, as soon as it has ended, in any order. What it raises stops
        the run: calls under way are cancelled, and the exception goes on. Questions end in an `Answer` with an
        `error`, never in an exception.
        """
        await loop.hop(self._ask_all(questions, on_answer))

    async def close(self) -> None:
        """Closes the client's connections and the cache."""
        await loop.hop(self.client.close())
        if self.cache is not None:
            self.cache.close()

    async def _ask_all(self, questions: Iterable[Question], on_answer: Callable[[int, Answer], None]) -> None:
        budget = self.limits.batch_budget
        ends = float("inf") if budget is None else time.monotonic() + budget
        numbered = enumerate(questions)
        first = list(itertools.islice(numbered, self.limits.concurrency))  # one each: a lone question takes one worker
        waiting = itertools.chain(first, numbered)
        stopped = False

        async def work() -> None:
            nonlocal stopped
            try:
                for number, question in waiting:
                    answer = await self._answer(question, ends)
                    if stopped:  # by another worker; the cancellation comes later, or is lost as the answer came first
                        break
                    on_answer(number, answer)
            except BaseException:
                stopped = True
                raise

        workers = [asyncio.ensure_future(work()) for _ in first]
        try:
            await asyncio.gather(*workers)
        finally:
            stopped = True
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _answer(self, question: Question, ends: float) -> Answer:
        """From an equal question under way, from the cache, or from the model."""
        key = question_key(self.client.model, question)
        under_way = self._here().under_way
        while (twin := under_way.get(key)) is not None:
            await asyncio.wait([twin], timeout=None if ends == float("inf") else max(0.0, _left(ends)))
            if not twin.done():
                error = f"{faults.BUDGET}: the batch's time budget was spent while an equal question was under way"
                return self._ended(Answer(text=None, error=error))
            shared = twin.result()
            if shared is not None:
                self.usage.shared += 1
                return self._ended(shared)
        kept = self._cached(key, question)
        if kept is not None:
            self.usage.cache_hits += 1
            await asyncio.sleep(0)  # nothing else here waits, and other batches and a stop must get through
            return self._ended(kept)
        asked = _Asked(key, question, min(ends, time.monotonic() + self.limits.request_budget))
        answer: Answer | None = None
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        under_way[key] = future
        try:
            answer = await self._attempts(asked)
            return self._ended(answer)
        finally:
            del under_way[key]
            # That this batch was stopped or ran out of time is no answer for another one.
            future.set_result(None if asked.given_up and asked.ends == ends else answer)

    def _ended(self, answer: Answer) -> Answer:
        self.usage.questions += 1
        self.usage.failed += answer.error is not None
        return answer

    def _cached(self, key: bytes, question: Question) -> Answer | None:
        kept = None if self.cache is None else self.cache.get(key)
        if kept is None or question.check(kept.text) is not None:  # what an older parser took may not be readable now
            return None
        return _readable(kept)

    async def _attempts(self, asked: _Asked) -> Answer:
        try:
            try:
                answer = await self._attempt(asked)
            except CallError as error:
                answer = await self._again(asked, error)
        except CallError as error:
            last = asked.unread
            return Answer(
                text=None if last is None else last.text,
                error=self._why(asked, error),
                finish_reason=None if last is None else last.finish_reason,
            )
        if self.cache is not None:
            self.cache.put(asked.key, answer)
        return _readable(answer)

    def _why(self, asked: _Asked, error: CallError) -> str:
        """What became of a question without an answer: the cause first."""
        if error.cause == faults.BUDGET:
            asked.given_up = True
            return str(error)
        if error.retryable and (asked.attempts < self.limits.attempts or _left(asked.ends) <= 0):
            asked.given_up = True
            if error.retry_after is not None and error.retry_after > _left(asked.ends) > 0:
                return (
                    f"{faults.BUDGET}: the server asks to wait {error.retry_after:,.0f} s, longer than the time budget "
                    f"leaves; after attempt {asked.attempts}: {error}"
                )
            return f"{faults.BUDGET}: the time budget was spent after attempt {asked.attempts}; the last: {error}"
        return f"{error} (attempt {asked.attempts} of {self.limits.attempts})"

    async def _again(self, asked: _Asked, first: CallError | None) -> Generation:
        """Further attempts, after `first`, the error of the first one.

        Only failures come here: tenacity's own work would take a tenth of the time of every call.
        """
        tenacity, limits = self._tenacity, self.limits
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, CallError) and error.retryable),
            stop=tenacity.stop_after_attempt(limits.attempts)
            | (lambda state: time.monotonic() + state.upcoming_sleep >= asked.ends),
            wait=_Wait(tenacity.wait_random_exponential(multiplier=limits.first_wait, max=limits.longest_wait)),
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                if first is not None:
                    error, first = first, None
                    raise error
                self.usage.retries += 1
                answer = await self._attempt(asked)
        return answer

    async def _attempt(self, asked: _Asked) -> Generation:
        """One call and its answer, checked. Raises `CallError`."""
        asked.attempts += 1
        answer = await self._call(asked)
        why = asked.question.check(answer.text)
        if why is not None:
            asked.unread = answer
            asked.n_unread += 1
            self.usage.faults[faults.MALFORMED] += 1
            cut = ", cut at the limit of max_tokens: allow more" if answer.finish_reason == "length" else ""
            raise CallError(faults.MALFORMED, f"{why}{cut}")
        return answer

    async def _call(self, asked: _Asked) -> Generation:
        """One call. Raises `CallError`."""
        here = self._here()
        # The call's name is unique to the question and the attempt; the prompt's markers come of it and the secret.
        prompt = asked.question.prompt(f"{asked.key.hex()}/{asked.attempts}")
        n_characters = sum(len(message["content"]) for message in prompt.messages)
        sampling = asked.sampling()
        if not self.client.constrains:
            sampling = replace(sampling, regex=None)
        usage = self.usage
        async with here.slots:
            if here.pace.limited:
                try:
                    await asyncio.wait_for(here.pace.turn(n_characters, sampling), max(0.0, _left(asked.ends)))
                except asyncio.TimeoutError:
                    raise _spent("while it waited for the rate limit") from None
            timeout = min(self.limits.timeout, _left(asked.ends))
            if timeout <= 0:
                raise _spent("before the call")
            usage.calls += 1
            try:
                answer = await self.client.complete(prompt.messages, sampling, timeout=timeout)
            except CallError as error:
                usage.faults[error.cause] += 1
                self._count(error.earlier, n_characters)
                # A greedy model would keep silent again, as it would repeat what could not be read.
                asked.n_unread += error.cause == faults.EMPTY_ANSWER
                usage.spend(error.used)
                usage.prompt_characters += n_characters if error.used.prompt_tokens else 0
                raise
        if isinstance(answer, LateGeneration):
            self._count(answer.earlier, n_characters)
        usage.answers += 1
        usage.prompt_characters += n_characters
        usage.spend(answer)
        if sampling.regex is not None and self.client.constrains:
            self._check_constraint(sampling.regex, answer)
        return answer

    def _count(self, earlier: Iterable[Failed], n_characters: int) -> None:
        """Counts the failed requests of a call that went on."""
        for failed in earlier:
            self.usage.calls += 1
            self.usage.faults[failed.cause] += 1
            self.usage.spend(failed.used)
            self.usage.prompt_characters += n_characters if failed.used.prompt_tokens else 0

    def _check_constraint(self, regex: str, answer: Generation) -> None:
        """Counts whether the answer obeys; one that was cut by its length had no chance to."""
        if _compiled(regex).fullmatch(answer.text) is not None:
            self.usage.constraints_held += 1
        elif answer.finish_reason != "length":
            self.usage.constraints_missed += 1
            if self.usage.constraints_missed == _MISSES and not self.usage.constraints_held:
                _log.warning(
                    "%s ignores constrained output (structured_outputs.regex); its answers are parsed as plain text",
                    self.client.name,
                )

    def _here(self) -> _Calls:
        """What all batches under way share."""
        running = asyncio.get_running_loop()
        if self._calls is None or self._calls.loop is not running:  # a forked child has another loop
            pace, slots = Pace(self.limits, self.usage), asyncio.Semaphore(self.limits.concurrency)
            self._calls = _Calls(running, pace, slots, {})
        return self._calls


@dataclass(slots=True)
class _Calls:
    """What calls share that are made on one event loop."""

    loop: asyncio.AbstractEventLoop
    pace: Pace
    slots: asyncio.Semaphore
    under_way: dict[bytes, asyncio.Future[Answer | None]]
    """Key → the answer to come; None where its batch gives it up."""


@dataclass(slots=True)
class _Asked:
    """A question under way."""

    key: bytes
    question: Question
    ends: float
    attempts: int = 0
    n_unread: int = 0
    unread: Generation | None = None
    """The last answer that could not be read."""
    given_up: bool = False
    """Whether time ran out before it was answered or failed for good."""

    def sampling(self) -> Sampling:
        """That of the coming attempt: after answers that could not be read, a fresh seed and no greed."""
        sampling = self.question.sampling
        if not self.n_unread:
            return sampling
        seed = int.from_bytes(hashlib.sha256(self.key + str(self.attempts).encode()).digest()[:4], "big") >> 1
        return replace(sampling, seed=seed, temperature=max(sampling.temperature, RETRY_TEMPERATURE))


def question_key(model: str, question: Question) -> bytes:
    """The name of a question's answer: SHA-256 of the model, the sampling and `Question.key`."""
    sampling = question.sampling
    drawn = [sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed, sampling.regex]
    content = [KEY_VERSION, model, drawn, question.key]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


class _Wait:
    """Exponential with full jitter, on top of what the server asks for."""

    def __init__(self, jittered: Callable[[Any], float]):
        self.jittered = jittered

    def __call__(self, state: Any) -> float:
        error = state.outcome.exception()
        asked = error.retry_after if isinstance(error, CallError) else None
        return self.jittered(state) + (asked or 0.0)


def _spent(when: str) -> CallError:
    return CallError(faults.BUDGET, f"the time budget was spent {when}", retryable=False)


def _left(ends: float) -> float:
    return ends - time.monotonic()


def _readable(answer: Generation) -> Answer:
    return Answer(
        text=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


@lru_cache(maxsize=1024)
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)
