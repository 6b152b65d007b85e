"""The four endpoints that take a batch: what each decodes, checks and computes.

Decoding, scoring of recorded answers and encoding run in worker threads, what a judge must be asked on the loop of
`rationale_rm.judge.loop`; the server's own loop moves bytes and no more, so that ``/healthz`` answers meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeVar

from rationale_rm.integrations.rows import Row
from rationale_rm.rewards import RewardSettings
from rationale_rm.server import openrlhf, schema, scoring
from rationale_rm.server.codec import (
    check_columns,
    check_count,
    check_lists,
    check_texts,
    decode,
    decoder,
    encode,
    not_unicode,
)
from rationale_rm.server.guard import Gate
from rationale_rm.server.judge import ServedJudge
from rationale_rm.server.problems import invalid
from rationale_rm.server.settings import ServerSettings

T = TypeVar("T")

THREADS: Final = 4
SMALL: Final = 256 * 1024
"""Bytes of a body that the server's own loop decodes: half a millisecond, and a thread's turn costs as much."""


class Answered(NamedTuple):
    """An answer as JSON, with its counts for the log."""

    body: bytes
    rows: int
    errors: int


class Endpoints:
    """The work of the endpoints over one judge. Every method takes a body and raises `Problem`."""

    def __init__(self, settings: ServerSettings, reward_settings: RewardSettings, judge: ServedJudge, gate: Gate):
        self._settings = settings
        self._reward = reward_settings.reward(judge)
        # A lone row whose judge fails is all of its batch: OpenRLHF's endpoint looks at rows itself.
        self._unchecked = replace(reward_settings, max_failure_rate=1.0).reward(judge)
        self._gate = gate
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rationale-rm-score")
        self._read: dict[type, Any] = {
            of: decoder(of)
            for of in (schema.RewardsRequest, schema.ScoreRequest, schema.MatchRequest, schema.RemoteRequest)
        }

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def rewards(self, body: bytes) -> Answered:
        """``/v1/rewards``."""
        asked = await self._decoded(body, schema.RewardsRequest, self._check_rewards)
        with self._gate.batch(len(asked.texts)):
            batch = await scoring.rewards(self._reward, asked)
            answer = scoring.rewards_answer(batch, self._reward.judge.name)
            return await self._encoded(answer, answer.errors)

    async def score(self, body: bytes) -> Answered:
        """``/v1/score``."""
        asked = await self._decoded(body, schema.ScoreRequest, self._check_score)
        with self._gate.batch(len(asked.texts)):
            if scoring.is_recorded(asked):
                return await self._thread(lambda: self._finished(scoring.recorded_score(self._reward, asked)))
            answer = await scoring.judged_score(self._reward, asked)
            return await self._encoded(answer, answer.errors)

    async def match(self, body: bytes) -> Answered:
        """``/v1/match``."""
        asked = await self._decoded(body, schema.MatchRequest, self._check_match)
        with self._gate.batch(len(asked.references)):
            if scoring.is_recorded(asked):
                return await self._thread(lambda: self._finished(scoring.recorded_match(self._reward, asked)))
            answer = await scoring.judged_match(self._reward, asked)
            return await self._encoded(answer, answer.errors)

    async def remote(self, body: bytes) -> Answered:
        """``/get_reward``."""
        asked = await self._decoded(body, schema.RemoteRequest, self._check_remote)

        def read() -> tuple[list[Row], list[str]]:
            rows = openrlhf.rows_of(asked)
            lists = [row.references for row in rows]
            check_lists("labels.references", lists, self._settings.max_items, self._settings.max_text)
            return rows, openrlhf.responses_of(asked)

        rows, responses = read() if len(body) <= SMALL else await self._thread(read)
        with self._gate.batch(len(rows)):
            answer = await openrlhf.remote_rewards(self._unchecked, responses, rows)
        return Answered(encode(answer), len(rows), 0)

    async def _decoded(self, body: bytes, of: type[T], check: Callable[[T], None]) -> T:
        def work() -> T:
            asked: T = decode(body, self._read[of])
            check(asked)
            return asked

        return work() if len(body) <= SMALL else await self._thread(work)

    async def _encoded(self, answer: Any, errors: list[str | None]) -> Answered:
        if len(errors) <= 256:
            return self._finished(answer)
        return await self._thread(lambda: self._finished(answer))

    def _finished(self, answer: Any) -> Answered:
        errors = answer.errors
        return Answered(encode(answer), len(errors), sum(error is not None for error in errors))

    async def _thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _check_rewards(self, asked: schema.RewardsRequest) -> None:
        limits = self._settings
        check_columns(
            len(asked.texts), limits.max_rows, "texts", references=asked.references, labels=asked.labels,
            groups=asked.groups, swapped=asked.swapped, lengths=asked.lengths, ids=asked.ids,
        )  # fmt: skip
        check_texts("texts", asked.texts, limits.max_text)
        check_texts("ids", asked.ids or (), limits.max_text)
        self._check_references(asked.references)

    def _check_score(self, asked: schema.ScoreRequest) -> None:
        limits = self._settings
        check_columns(
            len(asked.texts), limits.max_rows, "texts", references=asked.references, labels=asked.labels,
            swapped=asked.swapped, judge_answers=asked.judge_answers, entries=asked.entries,
        )  # fmt: skip
        check_texts("texts", asked.texts, limits.max_text)
        self._check_judged(asked)

    def _check_match(self, asked: schema.MatchRequest) -> None:
        limits = self._settings
        check_columns(
            len(asked.references), limits.max_rows, "references", reasons=asked.reasons, swapped=asked.swapped,
            judge_answers=asked.judge_answers, entries=asked.entries,
        )  # fmt: skip
        check_lists("reasons", asked.reasons, limits.max_items, limits.max_text)
        self._check_judged(asked)

    def _check_remote(self, asked: schema.RemoteRequest) -> None:
        limits = self._settings
        check_columns(len(asked.query), limits.max_rows, "query", prompts=asked.prompts, labels=asked.labels)
        for name in ("query", "prompts", "labels"):
            check_texts(name, getattr(asked, name), limits.max_text)

    def _check_judged(self, asked: schema.ScoreRequest | schema.MatchRequest) -> None:
        limits = self._settings
        if asked.judge_answers is not None:
            check_lists("judge_answers", asked.judge_answers, limits.max_items, limits.max_text)
        for row, cells in enumerate(asked.entries or ()):
            check_count("entries", row, cells or (), limits.max_items)
        self._check_references(asked.references)

    def _check_references(self, references: list[list[str]]) -> None:
        """Human reasons are data, not model output: one that no judge can be shown is a fault of the request."""
        check_lists("references", references, self._settings.max_items, self._settings.max_text)
        for row, texts in enumerate(references):
            for at, text in enumerate(texts):
                if not text.isascii() and not_unicode(text):
                    raise invalid(f"references[{row}][{at}] is not valid Unicode")
