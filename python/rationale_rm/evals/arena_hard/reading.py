"""Reads the benchmark's files: ``question.jsonl``, ``model_answer/MODEL.jsonl``, ``model_judgment/JUDGE/MODEL.jsonl``.

Files and folders of them. A benchmark without some of its items is another benchmark, so the first line that cannot be
read raises `DataError` with its place; a file that cannot be opened raises `OSError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.data import Row, expand
from rationale_rm.data.faults import kind, short
from rationale_rm.evals.arena_hard.games import BASELINES, CATEGORIES, NOT_ANSWERED, Answer, Game, Question
from rationale_rm.evals.arena_hard.style import Style
from rationale_rm.evals.files import checked, name_of, read_records, refuse, text_of

Paths = Sequence[str | os.PathLike[str]]

LEVELS: Final[Mapping[str, int]] = {
    "A>>B": 2, "A>B": 1, "A=B": 0, "B>A": -1, "B>>A": -2,
    "B<<A": 2, "B<A": 1, "B=A": 0, "A<B": -1, "A<<B": -2,
}  # fmt: skip
"""The labels that upstream counts → +2 (A much better) to -2."""
_MANY: Final = 2**53


def read_questions(paths: Paths) -> dict[str, Question]:
    """The questions by their id (fields ``uid, category, subcategory, prompt``)."""
    found: dict[str, Question] = {}
    for row in read_records(expand(paths)):
        uid, category = name_of(row, "uid"), _category(row)
        if uid in found:
            refuse(row, f"a second question with the uid {uid!r}")
        subcategory = row.value.get("subcategory")
        found[uid] = Question(
            uid=uid,
            category=category,
            subcategory=subcategory if isinstance(subcategory, str) else category,
            prompt=text_of(row, "prompt"),
        )
    return found


def read_answers(paths: Paths) -> dict[str, dict[str, Answer]]:
    """Model → question id → answer.

    The answer is the last of ``messages``, whose ``content`` is text or ``{"answer": text}``; the counts of
    ``metadata`` are taken where they are there. A second answer of a model to a question is refused: which of the two
    was judged is not known.
    """
    found: dict[str, dict[str, Answer]] = {}
    places: dict[tuple[str, ...], Row] = {}
    for row in read_records(expand(paths)):
        uid, model = name_of(row, "uid"), name_of(row, "model")
        _first(places, (model, uid), row, f"a second answer of {short(model)} to the question {short(uid)}")
        messages = row.value.get("messages")
        if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
            refuse(row, "messages must be a list that ends with the answer")
        content = messages[-1].get("content")
        text = content.get("answer") if isinstance(content, dict) else content
        if not isinstance(text, str):
            refuse(row, f"the last message's answer must be text, not {kind(text)}")
        text = checked(row, "the answer", text)
        found.setdefault(model, {})[uid] = Answer(uid, model, text, _recorded_style(row.value.get("metadata")))
    return found


def is_judgment(record: Mapping[str, Any]) -> bool:
    """Whether a record is a line of upstream's judgments."""
    return "games" in record


def read_judgments(paths: Paths, *, baselines: Mapping[str, str] = BASELINES) -> list[Game]:
    """The games of judgments, two a line (fields ``uid, category, judge, model, baseline, games``).

    The first game shows the baseline's answer as A, the second the model's. A game that is null was not answered; one
    whose ``score`` is null has no verdict; a score that is no label of upstream's is a bad verdict. A line without
    ``baseline`` has that of `baselines`. A second judgment by one judge of a model's answer to a question is refused:
    the games of two judgments would be mixed.
    """
    found: list[Game] = []
    places: dict[tuple[str, ...], Row] = {}
    for row in read_records(expand(paths)):
        games = row.value.get("games")
        if not isinstance(games, list) or len(games) != 2:
            refuse(row, "games must be a list of two: the baseline's answer shown first, then the model's")
        category = _category(row)
        uid, model, judge = name_of(row, "uid"), name_of(row, "model"), name_of(row, "judge")
        what = f"a second judgment by {short(judge)} of {short(model)} on the question {short(uid)}"
        _first(places, (judge, model, uid), row, what)
        given = row.value.get("baseline") is not None
        baseline = name_of(row, "baseline") if given else baselines[category]
        for number, game in enumerate(games):
            level, status, text = _verdict(row, game)
            found.append(
                Game(
                    uid=uid,
                    category=category,
                    model=model,
                    baseline=baseline,
                    judge=judge,
                    model_first=number == 1,
                    # A is the baseline in the first game
                    level=None if level is None else (level if number == 1 else -level),
                    status=status,
                    text=text,
                )
            )
    return found


def _first(places: dict[tuple[str, ...], Row], key: tuple[str, ...], row: Row, what: str) -> None:
    """Keeps where `key` stands; refuses a row where it stood before."""
    before = places.setdefault(key, row)
    if before is not row:
        refuse(row, f"{what}, the first is {before.file}:{before.line}: keep one of them")


def _verdict(row: Row, game: Any) -> tuple[int | None, str, str | None]:
    """Level (+2 for A), status and text of one recorded game."""
    if game is None:
        return None, NOT_ANSWERED, None
    if not isinstance(game, dict):
        refuse(row, f"a game must be an object or null, not {kind(game)}")
    judgment = game.get("judgment")
    text = judgment.get("answer") if isinstance(judgment, dict) else judgment
    text = text if isinstance(text, str) else None
    score = game.get("score")
    if score is None:
        return None, "no_verdict", text
    level = LEVELS.get(score) if isinstance(score, str) else None
    return (None, "bad_verdict", text) if level is None else (level, "ok", text)


def _recorded_style(metadata: Any) -> Style | None:
    """Upstream's counts; None unless all four are there and whole numbers."""
    if not isinstance(metadata, dict):
        return None
    counts = [_sum(metadata.get(name)) for name in ("token_len", "header_count", "list_count", "bold_count")]
    known = [count for count in counts if count is not None]
    return Style(*known) if len(known) == len(counts) else None


def _sum(count: Any) -> int | None:
    numbers = list(count.values()) if isinstance(count, dict) else [count]
    whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < _MANY]
    return sum(whole) if numbers and len(whole) == len(numbers) else None


def _category(row: Row) -> str:
    category = text_of(row, "category")
    if category not in CATEGORIES:
        refuse(row, f"unknown category {category[:40]!r}: expected {' or '.join(CATEGORIES)}")
    return category
