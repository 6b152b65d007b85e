"""The games of one model as samples that a person can look at, and as items that two runs are compared by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from rationale_rm.documents import SampleView
from rationale_rm.evals.arena_hard.battles import Battles
from rationale_rm.evals.arena_hard.games import Answer, Game, Question
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import VERDICT_TEXTS


def samples(
    games: Iterable[Game],
    model: str,
    questions: Mapping[str, Question],
    answers: Mapping[str, Mapping[str, Answer]],
) -> Iterator[SampleView]:
    """One for each game of `model`. Response 1 is the baseline's answer; texts that are not known are empty."""
    for game in games:
        if game.model != model:
            continue
        question = questions.get(game.uid)
        theirs, own = (answers.get(name, {}).get(game.uid) for name in (game.baseline, model))
        pair_id = f"{game.uid}/{model}"
        yield SampleView(
            id=f"{pair_id}#swapped" if game.model_first else pair_id,
            pair_id=pair_id,
            model=model,
            domain=game.category,
            context="" if question is None else ({"role": "user", "content": question.prompt},),
            response1="" if theirs is None else theirs.text,
            response2="" if own is None else own.text,
            authors=(game.baseline, model),
            verdict=None if game.level is None else VERDICT_TEXTS[-game.level],
            status=game.status,
            error=game.error,
            swapped=game.model_first,
            text=game.text,
            reasons=game.reasons,
        )


def items(
    battles: Battles,
    model: str,
    questions: Mapping[str, Question],
    answers: Mapping[str, Mapping[str, Answer]],
) -> list[ScoredItem]:
    """One for each question, for ``rationale-rm eval compare``.

    An item's id names the question and the baseline, so that games against different baselines are not compared, with
    the texts at hand or without.

    ``per_question/win_rate`` is the share of a question's weight that the model won. Its mean gives every question the
    same weight, where the score gives a question with strong verdicts more.
    """
    column = battles.models.index(model)
    complete = battles.complete[:, column]
    levels, malformed = battles.levels[:, :, column], battles.malformed[:, :, column]
    answered = malformed | ~np.isnan(levels)
    found = []
    for row, uid in enumerate(battles.questions):
        first, second = np.sign(levels[:, row])
        both = bool(complete[row])
        values: dict[str, float | None] = {
            "per_question/win_rate": float(battles.wins[row, column] / battles.weights[row, column]) if both else None,
            "/malformed": float(malformed[:, row].mean()) if answered[:, row].all() else None,
            "/order_consistency": float(first == second) if both else None,
            "/position_bias": float((second - first) / 2.0) if both else None,
        }
        asked = questions.get(uid), answers.get(battles.baseline, {}).get(uid)
        found.append(
            ScoredItem(
                id=f"{uid} against {battles.baseline}",
                cluster=uid,
                slices=(battles.category,),
                values=values,
                digest=_digest(*asked),
            )
        )
    return found


def _digest(question: Question | None, baseline: Answer | None) -> str | None:
    """What every model is asked, and against what it is judged; its own answer is what differs."""
    if question is None or baseline is None:
        return None
    return hashlib.sha256(json.dumps([question.prompt, baseline.text]).encode()).hexdigest()[:16]
