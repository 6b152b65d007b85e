"""`RationaleReward`: critiques in, rewards out; the one scorer that every trainer uses.

parse → gate → judge → match → score → reward → advantage. The gate stands before the judge: where the reward is
settled by the verdict alone, no judge is asked, but for a seeded fraction that keeps the curves honest.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.judge import NO_REFERENCES, Judge, loop, match_results
from rationale_rm.rewards.ceiling import TooManyFailuresError
from rationale_rm.types import (
    REWARD_COLUMNS,
    VERDICT_TEXTS,
    Critique,
    GenrmStatus,
    MatchRequest,
    MatchResult,
    Pair,
    RewardBatch,
)

RewardMode = Literal["product", "sum", "rationale", "outcome", "papo", "gdpo", "gdpo_batch"]
"""How outcome and rationale become a reward (`hybrid_reward`), or advantages at once (``papo``, ``gdpo``)."""
RationaleTerm = Literal["ap", "soft_ap", "rc", "precision", "f1"]
Advantage = Literal["group_std", "center", "batch_std"]

GATED: Final = frozenset({"product", "papo"})
"""Modes in which a wrong verdict settles the reward."""
AUDIT: Final = 0.05
MAX_FAILURE_RATE: Final = 0.05
NO_REASONS: Final = "no_reasons: the data do not hold the model's reasons"
NO_VERDICT: Final = "no_verdict: the data do not hold the model's verdict"

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class JudgeFailureError(TooManyFailuresError[RewardBatch]):
    """Too many judge calls of a batch failed for good."""


class RationaleReward:
    """Scores the answers of a GenRM by their verdict and their reasons.

    Args:
        judge: Says which reason fulfils which human reason.
        mode: ``product`` is Eq. 4. ``outcome`` is the baseline without reasons. ``papo`` and ``gdpo`` make
            advantages of the two rewards at once (docs/rewards.md); their `reward` column is then the
            product (``papo``) or the weighted sum, for curves alone.
        rationale: The rationale term: average precision (Eq. 3) by default.
        weight: Share of the rationale in ``sum`` and ``gdpo``.
        threshold: A reason is a hit (Eq. 3) when its matched score is above this.
        top_k: Lists are cut to this length *before* judging; None: not cut, as in training.
        exact: Whether verdict and label must agree in all five levels.
        format, policy: How transcripts are read (`parse_genrm`).
        format_penalty: Taken from the reward of a malformed answer.
        max_length, length_buffer: The soft punishment of long answers (`length_reward`), in tokens; needs
            `lengths`.
        advantage: Normalisation of scalar rewards (`group_advantages`).
        gate: False judges wrong answers too. The rewards are the same, the calls are more.
        audit: Share of the gated answers that is judged all the same, so that RC curves see them.
        seed: Which ones are audited.
        max_failure_rate: Share of the judged answers whose judge may fail for good before
            `JudgeFailureError`.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        mode: RewardMode = "product",
        rationale: RationaleTerm = "ap",
        weight: float = 0.5,
        threshold: float = 0.0,
        top_k: int | None = None,
        exact: bool = False,
        format: Literal["auto", "block", "boxed", "bracket", "json", "prose"] = "auto",
        policy: Literal["last", "unanimous"] = "last",
        format_penalty: float = 0.0,
        max_length: int | None = None,
        length_buffer: int = 0,
        advantage: Advantage = "group_std",
        gate: bool = True,
        audit: float = AUDIT,
        seed: int = 0,
        max_failure_rate: float = MAX_FAILURE_RATE,
    ):
        for name, value, kind in (
            ("mode", mode, RewardMode),
            ("rationale", rationale, RationaleTerm),
            ("advantage", advantage, Advantage),
        ):
            if value not in get_args(kind):
                raise core.RationaleError(f"unknown {name} {value!r}: choose from {', '.join(get_args(kind))}")
        for name, share in (
            ("weight", weight),
            ("threshold", threshold),
            ("audit", audit),
            ("max_failure_rate", max_failure_rate),
        ):
            if not 0 <= share <= 1:
                raise core.RationaleError(f"{name} is {share}: expected 0 to 1")
        if top_k is not None and top_k < 1:
            raise core.RationaleError(f"top_k is {top_k}: expected None or 1 and more")
        core.parse_genrm([], format=format, policy=policy)  # raises for a format or policy that there is not
        core.format_reward([], penalty=format_penalty)
        if max_length is not None:
            core.length_reward([], max_length=max_length, buffer=length_buffer)
        self.judge = judge
        self.mode: RewardMode = mode
        self.rationale: RationaleTerm = rationale
        self.weight = weight
        self.threshold = threshold
        self.top_k = top_k
        self.exact = exact
        self.format = format
        self.policy = policy
        self.format_penalty = format_penalty
        self.max_length = max_length
        self.length_buffer = length_buffer
        self.advantage: Advantage = advantage
        self.gate = gate
        self.audit = audit
        self.seed = seed
        self.max_failure_rate = max_failure_rate

    def __call__(self, texts: Sequence[str | None], **columns: Any) -> RewardBatch:
        """`score` for callers without an event loop; the same arguments."""
        return loop.run(self.score(texts, **columns))

    async def score(
        self,
        texts: Sequence[str | None],
        *,
        references: Sequence[Sequence[str]],
        labels: Sequence[int | None],
        groups: Sequence[int] | None = None,
        swapped: Sequence[bool] | None = None,
        lengths: Sequence[int] | None = None,
        ids: Sequence[str] | None = None,
    ) -> RewardBatch:
        """Rewards of n transcripts.

        Args:
            texts: The answers as generated; None is one that never came, which is malformed.
            references: The human reasons, R_h, of each answer's pair.
            labels: The human preference as a verdict, +2 (response 1 much better) to -2; None where unknown.
            groups: Answers to one prompt share a number; by default all answers are one group.
            swapped: Whether the pair was shown as (response 2, response 1): its verdicts are flipped back.
            lengths: Tokens of each answer, for `length_reward`.
            ids: Names of the answers, by which audited ones are drawn; by default drawn by their content.

        Raises `RationaleError` for columns of another length, `JudgeFailureError` when more than
        `max_failure_rate` of the judged answers got no answer.
        """
        n = len(texts)
        _same_length(n, references=references, labels=labels, groups=groups, swapped=swapped, lengths=lengths, ids=ids)
        if self.max_length is not None and lengths is None:
            raise core.RationaleError("max_length is set, so lengths are needed")
        parsed = core.parse_genrm(texts, format=self.format, policy=self.policy)
        flip = np.asarray([False] * n if swapped is None else swapped, dtype=bool)
        verdict = parsed.verdict
        missing = verdict == core.NO_VERDICT
        rows = _Rows(
            ids=tuple(ids) if ids is not None else tuple(map(str, range(n))),
            reasons=[tuple(reasons) for reasons in parsed.reasons],
            references=[_reference_list(items, row) for row, items in enumerate(references)],
            verdict=np.where(flip & ~missing, -verdict, verdict).astype(np.int8),
            label=np.array([_level(label, row) for row, label in enumerate(labels)], dtype=np.int8),
            status=parsed.status,
            unknown=[None] * n,
            group=_whole("groups", [0] * n if groups is None else groups),
            swapped=flip,
            lengths=None if lengths is None else _whole("lengths", lengths),
            draw_by=tuple(ids) if ids is not None else tuple(text or "" for text in texts),
        )
        return await loop.hop(self._score(rows))

    async def score_critiques(self, critiques: Sequence[Critique], pairs: Mapping[str, Pair]) -> RewardBatch:
        """Rewards of parsed answers; `pairs` by id, and the answers about one pair are a group.

        What the data do not hold is NaN with a cause: the outcome of a critique without a status, such as a call that
        failed, and the rationale of one without reasons (None), which is not judged. Raises as `score`.
        """
        numbers = {pair_id: number for number, pair_id in enumerate(dict.fromkeys(c.pair_id for c in critiques))}
        held = [pairs[critique.pair_id] for critique in critiques]
        rows = _Rows(
            ids=tuple(critique.id for critique in critiques),
            reasons=[critique.reasons for critique in critiques],
            references=[pair.references for pair in held],
            verdict=np.array([core.NO_VERDICT if c.verdict is None else c.verdict for c in critiques], dtype=np.int8),
            label=np.array([core.NO_VERDICT if pair.label is None else pair.label for pair in held], dtype=np.int8),
            status=np.array(
                [GenrmStatus.NO_VERDICT if c.status is None else c.status for c in critiques], dtype=np.uint8
            ),
            unknown=[None if c.status is not None else c.error or NO_VERDICT for c in critiques],
            group=np.array([numbers[critique.pair_id] for critique in critiques], dtype=np.int64),
            swapped=np.array([critique.swapped for critique in critiques], dtype=bool),
            lengths=None,
            draw_by=tuple(critique.id for critique in critiques),
        )
        return await loop.hop(self._score(rows))

    def join(self, batches: Sequence[RewardBatch]) -> RewardBatch:
        """What `score` gave for the parts of a step, as one batch: its advantages are those of the whole, which
        matters where they are normalised over a batch.

        A group must lie within one part. Raises `JudgeFailureError` as `score` does, for the whole, an answer counted
        for each critique.
        """
        columns = {
            name: np.concatenate([getattr(batch, name) for batch in batches]) if batches else np.zeros(0, dtype)
            for name, dtype in REWARD_COLUMNS.items()
        }
        ids = tuple(critique_id for batch in batches for critique_id in batch.critique_ids)
        errors = tuple(error for batch in batches for error in batch.errors)
        malformed = columns["status"] != int(GenrmStatus.OK)
        columns["advantage"] = self._advantages(
            columns["reward"], columns["rationale"], columns["outcome"], malformed, columns["group"]
        )
        whole = RewardBatch(id=_digest(ids), critique_ids=ids, errors=errors, **columns)  # type: ignore[arg-type]
        failed = [errors[row] for row in np.flatnonzero(whole.judged & ~whole.answered).tolist()]
        self._check(failed, int(whole.judged.sum()), whole)
        return whole

    async def _score(self, rows: _Rows) -> RewardBatch:
        unknown = np.array([why is not None for why in rows.unknown], dtype=bool)
        malformed = (rows.status != int(GenrmStatus.OK)) & ~unknown
        outcome = np.where(unknown, np.nan, core.outcome_reward(rows.verdict, rows.label, exact=self.exact))
        scorable = np.array([bool(items) for items in rows.references], dtype=bool)
        held = np.array([reasons is not None for reasons in rows.reasons], dtype=bool)
        empty = np.array([reasons is not None and not reasons for reasons in rows.reasons], dtype=bool)
        judgeable = scorable & held & ~empty
        gated = judgeable & self._gated(outcome, malformed)
        audited = gated & self._drawn(rows)
        asked = judgeable & (~gated | audited)

        results = await self._judged(rows, np.flatnonzero(asked).tolist())
        rationale, rc = self._scores(rows, results)
        rationale[empty & scorable] = 0.0
        rc[empty & scorable] = 0.0
        weight = np.where(gated, np.where(audited, 1.0 / max(self.audit, 1e-12), 0.0), (scorable & held) * 1.0)
        errors = [
            why or (None if scores else NO_REFERENCES) or (None if has else NO_REASONS)
            for why, scores, has in zip(rows.unknown, scorable.tolist(), held.tolist(), strict=True)
        ]
        for row, result in results.items():
            if not result.answered:
                errors[row] = result.error or "the judge gave no readable answer"
        reward, advantage = self._rewards(rows, rationale, outcome, malformed)
        batch = RewardBatch(
            id=_digest(rows.ids),
            critique_ids=rows.ids,
            group=rows.group,
            verdict=rows.verdict,
            outcome=outcome,
            rationale=rationale,
            rc=rc,
            reward=reward,
            advantage=advantage,
            status=rows.status,
            judged=asked,
            gated=gated,
            audit_weight=weight,
            errors=tuple(errors),
        )
        self._check_failures(results, batch)
        return batch

    def _gated(self, outcome: Floats, malformed: Bools) -> Bools:
        """Rows whose reward no judge can change: malformed ones in every mode, wrong ones behind a product,
        all of them where only the outcome counts.
        """
        if self.mode == "outcome":
            return np.ones(len(outcome), dtype=bool)
        if not self.gate:
            return np.zeros(len(outcome), dtype=bool)
        wrong = outcome == 0 if self.mode in GATED else np.zeros(len(outcome), dtype=bool)
        gated: Bools = malformed | wrong
        return gated

    def _drawn(self, rows: _Rows) -> Bools:
        """The audited share, by a hash: the same rows in any batch and order."""
        drawn = [
            int.from_bytes(hashlib.sha256(f"{self.seed}/{text}".encode("utf-8", "replace")).digest()[:8], "big")
            < self.audit * 2.0**64
            for text in rows.draw_by
        ]
        return np.array(drawn, dtype=bool)

    async def _judged(self, rows: _Rows, asked: Sequence[int]) -> dict[int, MatchResult]:
        """Row → result. Equal questions are asked once, those of a group one after another, so that the
        server's prefix cache serves the group.
        """
        twins: dict[Any, list[int]] = {}
        for row in sorted(asked, key=lambda row: int(rows.group[row])):
            key = (rows.references[row], self._cut(rows.reasons[row]), bool(rows.swapped[row]))
            twins.setdefault(key, []).append(row)
        requests = [
            MatchRequest(
                id=f"{rows.ids[same[0]]}/match",
                critique_id=rows.ids[same[0]],
                pair_id=str(rows.group[same[0]]),
                model="policy",
                references=references,
                reasons=reasons,
                swapped=swapped,
            )
            for (references, reasons, swapped), same in twins.items()
        ]
        results = await self.judge.match(requests)
        return {row: result for same, result in zip(twins.values(), results, strict=True) for row in same}

    def _cut(self, reasons: tuple[str, ...] | None) -> tuple[str, ...]:
        return (reasons or ())[: self.top_k]

    def _scores(self, rows: _Rows, results: Mapping[int, MatchResult]) -> tuple[Floats, Floats]:
        """The rationale term and RC of each row; NaN where there is no result."""
        rationale, rc = (np.full(len(rows.ids), np.nan) for _ in range(2))
        answered = [row for row, result in results.items() if result.answered]
        if answered:
            matches = match_results(
                [results[row] for row in answered],
                [len(rows.references[row]) for row in answered],
                [len(self._cut(rows.reasons[row])) for row in answered],
            )
            scores = core.score(matches, threshold=self.threshold)
            rationale[answered] = scores.recall if self.rationale == "rc" else getattr(scores, self.rationale)
            rc[answered] = scores.recall
        return rationale, rc

    def _rewards(self, rows: _Rows, rationale: Floats, outcome: Floats, malformed: Bools) -> tuple[Floats, Floats]:
        mode, weight = self.mode, self.weight
        if mode in ("papo", "gdpo", "gdpo_batch"):
            scalar: Literal["product", "sum"] = "product" if mode == "papo" else "sum"
            reward = core.hybrid_reward(rationale, outcome, mode=scalar, weight=weight, malformed=malformed)
        else:
            reward = core.hybrid_reward(rationale, outcome, mode=mode, weight=weight, malformed=malformed)  # type: ignore[arg-type]
        shaping = core.format_reward(malformed, penalty=self.format_penalty)
        if self.max_length is not None and rows.lengths is not None:
            shaping = shaping + core.length_reward(rows.lengths, max_length=self.max_length, buffer=self.length_buffer)
        reward = reward + shaping
        return reward, self._advantages(reward, rationale, outcome, malformed, rows.group)

    def _advantages(
        self, reward: Floats, rationale: Floats, outcome: Floats, malformed: Bools, group: NDArray[np.int64]
    ) -> Floats:
        mode = self.mode
        if mode in ("papo", "gdpo", "gdpo_batch"):
            both = np.stack([outcome, np.where(malformed, 0.0, rationale)], axis=1)
            both[malformed, 0] = 0.0
            weights = None if mode == "papo" else [1 - self.weight, self.weight]
            return core.group_advantages(both, group, method=mode, weights=weights)
        return core.group_advantages(reward, group, method=self.advantage)

    def _check_failures(self, results: Mapping[int, MatchResult], batch: RewardBatch) -> None:
        failed = [result.error for result in results.values() if not result.answered]
        self._check(failed, len(results), batch)

    def _check(self, failed: Sequence[str | None], n_asked: int, batch: RewardBatch) -> None:
        """Raises `JudgeFailureError` where the `failed` calls, each by its cause, are too many of `n_asked`."""
        if not failed or len(failed) <= self.max_failure_rate * n_asked:
            return
        causes = Counter((error or "unreadable").partition(":")[0] for error in failed)
        listed = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
        raise JudgeFailureError(
            f"the judge {self.judge.name} failed for {len(failed)} of {n_asked} answers ({listed}), more than "
            f"max_failure_rate {self.max_failure_rate:g}; the last: {failed[-1]}",
            batch,
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Parsed answers as columns."""

    ids: tuple[str, ...]
    reasons: Sequence[tuple[str, ...] | None]
    references: Sequence[tuple[str, ...]]
    verdict: NDArray[np.int8]
    label: NDArray[np.int8]
    status: NDArray[np.uint8]
    unknown: Sequence[str | None]
    """Why the verdict is not known, which is no fault of the model; None where it is, or is malformed."""
    group: NDArray[np.int64]
    swapped: Bools
    lengths: NDArray[np.int64] | None
    draw_by: tuple[str, ...]


def _same_length(n: int, **columns: Sequence[Any] | None) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise core.RationaleError(f"{name} has {len(column)} rows, texts have {n}")


def _reference_list(items: Sequence[str], row: int) -> tuple[str, ...]:
    """The human reasons of one row; one text would be taken for a list of its letters."""
    if isinstance(items, str) or not isinstance(items, Sequence) or not all(isinstance(item, str) for item in items):
        raise core.RationaleError(f"references[{row}] must be a list of texts, not {items!r:.60}")
    return tuple(items)


def _level(label: Any, row: int) -> int:
    """A label as the core has it; None and NaN, which data frames have for None, are `NO_VERDICT`."""
    if label is None or label != label or label == core.NO_VERDICT:
        return core.NO_VERDICT
    if isinstance(label, (bool, str)) or label not in VERDICT_TEXTS:
        raise core.RationaleError(
            f"labels[{row}] must be a verdict from +2 (response 1 much better) to -2, or None, not {label!r:.60}; "
            "rationale_rm.data.parse_label reads other spellings"
        )
    return int(label)


def _whole(name: str, numbers: Sequence[int]) -> NDArray[np.int64]:
    column = np.asarray(numbers)
    if column.size and column.dtype.kind not in "iu":
        raise core.RationaleError(f"{name} must be whole numbers, not {column.dtype}")
    return column.astype(np.int64)


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode("utf-8", "replace")).hexdigest()[:16]
