"""Reads the benchmark's files: ``question.jsonl``, ``model_answer/MODEL.jsonl``, ``model_judgment/JUDGE/MODEL.jsonl``.

A line that cannot be read becomes a `BadLine` and touches no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rationale_rm.data import BadLine, DataError, Row, expand, read_rows
from rationale_rm.data.faults import BadValueError, kind, valid, wrong
from rationale_rm.evals.arena_hard.games import BASELINES, CATEGORIES, NOT_ANSWERED, Answer, Game, Question
from rationale_rm.evals.arena_hard.style import Style

OnBad = Callable[[BadLine], None]
Paths = Sequence[str | os.PathLike[str]]

LEVELS: Final[Mapping[str, int]] = {
    "A>>B": 2, "A>B": 1, "A=B": 0, "B>A": -1, "B>>A": -2,
    "B<<A": 2, "B<A": 1, "B=A": 0, "A<B": -1, "A<<B": -2,
}  # fmt: skip
"""The labels that upstream counts → +2 (A much better) to -2."""


def read_questions(paths: Paths, on_bad: OnBad | None = None) -> dict[str, Question]:
    """The questions by their id (fields ``uid, category, subcategory, prompt``).

    Bad lines go to `on_bad`; without one the first raises `DataError`. Raises `OSError` for a file that cannot be read.
    """
    found: dict[str, Question] = {}

    def take(record: Mapping[str, Any]) -> None:
        uid = _text(record, "uid")
        if uid in found:
            raise BadValueError(f"a second question with the uid {uid!r}")
        category = _category(record)
        found[uid] = Question(uid, category, str(record.get("subcategory", category)), _text(record, "prompt"))

    _each(paths, take, on_bad)
    return found


def read_answers(paths: Paths, on_bad: OnBad | None = None) -> dict[str, dict[str, Answer]]:
    """Model → question id → answer.

    The answer is the last of ``messages``, whose ``content`` is text or ``{"answer": text}``; the counts of
    ``metadata`` are taken where they are there. Of several answers of a model to a question the last stands, as
    upstream has it. Errors as `read_questions`.
    """
    found: dict[str, dict[str, Answer]] = {}

    def take(record: Mapping[str, Any]) -> None:
        uid, model = _text(record, "uid"), _text(record, "model")
        messages = record.get("messages")
        if not isinstance(messages, list) or not messages or not isinstance(messages[-1], Mapping):
            raise BadValueError("messages must be a list that ends with the answer")
        content = messages[-1].get("content")
        text = content.get("answer") if isinstance(content, Mapping) else content
        if not isinstance(text, str):
            raise BadValueError(f"the last message's answer must be text, not {kind(text)}")
        valid(text, "the answer")
        found.setdefault(model, {})[uid] = Answer(uid, model, text, _recorded_style(record.get("metadata")))

    _each(paths, take, on_bad)
    return found


def read_judgments(
    paths: Paths, on_bad: OnBad | None = None, *, baselines: Mapping[str, str] = BASELINES
) -> list[Game]:
    """The games of judgments, two a line (fields ``uid, category, judge, model, baseline, games``).

    The first game shows the baseline's answer as A, the second the model's. A game that is null was not answered; one
    whose ``score`` is null has no verdict; a score that is no label of upstream's is a bad verdict. A line without
    ``baseline`` has that of `baselines`. Errors as `read_questions`.
    """
    found: list[Game] = []

    def take(record: Mapping[str, Any]) -> None:
        games = record.get("games")
        if not isinstance(games, list) or len(games) != 2:
            raise BadValueError("games must be a list of two: the baseline's answer shown first, then the model's")
        category = _category(record)
        named = {name: _text(record, name) for name in ("uid", "model", "judge")}
        baseline = _text(record, "baseline") if record.get("baseline") is not None else baselines.get(category)
        if baseline is None:
            raise BadValueError(f"baseline is missing, and the category {category!r} has none of its own")
        for number, game in enumerate(games):
            level, status, text = _verdict(game)
            found.append(
                Game(
                    **named,
                    category=category,
                    baseline=baseline,
                    model_first=number == 1,
                    # A is the baseline in the first game
                    level=None if level is None else (level if number == 1 else -level),
                    status=status,
                    text=text,
                )
            )

    _each(paths, take, on_bad)
    return found


def _verdict(game: Any) -> tuple[int | None, str, str | None]:
    """Level (+2 for A), status and text of one recorded game."""
    if game is None:
        return None, NOT_ANSWERED, None
    if not isinstance(game, Mapping):
        raise BadValueError(f"a game must be an object or null, not {kind(game)}")
    judgment = game.get("judgment")
    text = judgment.get("answer") if isinstance(judgment, Mapping) else judgment
    text = text if isinstance(text, str) else None
    score = game.get("score")
    if score is None:
        return None, "no_verdict", text
    level = LEVELS.get(score) if isinstance(score, str) else None
    return (None, "bad_verdict", text) if level is None else (level, "ok", text)


def _recorded_style(metadata: Any) -> Style | None:
    """Upstream's counts; None unless all four are there and whole numbers."""
    if not isinstance(metadata, Mapping):
        return None
    counts = [_sum(metadata.get(name)) for name in ("token_len", "header_count", "list_count", "bold_count")]
    known = [count for count in counts if count is not None]
    return Style(*known) if len(known) == len(counts) else None


def _sum(count: Any) -> int | None:
    numbers = list(count.values()) if isinstance(count, Mapping) else [count]
    whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**53]
    return sum(whole) if numbers and len(whole) == len(numbers) else None


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise BadValueError(f"{name} must not be empty" if value == "" else wrong(record, name, "text"))
    valid(value, name)
    return value


def _category(record: Mapping[str, Any]) -> str:
    category = _text(record, "category")
    if category not in CATEGORIES:
        raise BadValueError(f"unknown category {category!r}: expected {' or '.join(CATEGORIES)}")
    return category


def _each(paths: Paths, take: Callable[[Mapping[str, Any]], None], on_bad: OnBad | None) -> None:
    for row in read_rows(expand(paths)):
        bad = row if isinstance(row, BadLine) else None
        if isinstance(row, Row):
            try:
                if not isinstance(row.value, Mapping):
                    raise BadValueError(f"an object is expected, not {kind(row.value)}")
                take(row.value)
            except BadValueError as error:
                bad = BadLine(row.file, row.line, str(error))
        if bad is not None:
            if on_bad is None:
                raise DataError(bad)
            on_bad(bad)
