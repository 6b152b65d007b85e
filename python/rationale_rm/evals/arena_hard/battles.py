"""Games as weighted battles: for each model and question, what was fought for and what the model won."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.evals.arena_hard.games import NOT_ANSWERED, Game
from rationale_rm.metrics.results import Floats

STRONG: Final = 3
"""What a verdict of "much better" weighs; upstream copies such a battle so many times."""


@dataclass(frozen=True, slots=True)
class Battles:
    """The battles of one category, over Q questions and M models."""

    category: str
    baseline: str
    questions: tuple[str, ...]
    """Ids, sorted."""
    models: tuple[str, ...]
    """Names, sorted; without the baseline."""
    wins: Floats
    """(Q, M) weight of what the model won, a tie half; 0 unless both games have a verdict."""
    weights: Floats
    """(Q, M) weight of all its battles, likewise."""
    levels: Floats
    """(2, Q, M) verdicts of the game that shows the baseline first and of the one that shows the model first: +2 (the
    model is much better) to -2; NaN without one."""
    malformed: NDArray[np.bool_]
    """(2, Q, M) whether the judge answered and its answer holds no verdict."""
    statuses: tuple[Mapping[str, int], ...]
    """For each model: how its games were read → games; games that should be there and are not are not answered."""

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(Q, M) whether both games have a verdict. As upstream has it, a question counts only then."""
        missing = np.isnan(self.levels)
        both: NDArray[np.bool_] = ~(missing[0] | missing[1])
        return both


def make_battles(
    games: Iterable[Game], *, category: str, baseline: str, questions: Sequence[str] | None = None, strong: int = STRONG
) -> Battles:
    """The battles of `category`; games of other categories and of the baseline against itself are passed over.

    `questions` are the ids that should have been judged; None is those that any game is about. Raises `ValueError`
    for a game against another baseline, for one about a question that is not among `questions`, and for a second game
    with the same model, question and order.
    """
    chosen = [game for game in games if game.category == category and game.model != baseline]
    for game in chosen:
        if game.baseline != baseline:
            raise ValueError(
                f"{category}: {game.model} was judged against {game.baseline} (question {game.uid}), and the baseline "
                f"is {baseline}: name the other one as the baseline, or leave these judgments out"
            )
    uids = sorted({game.uid for game in chosen} if questions is None else set(questions))
    models = sorted({game.model for game in chosen})
    row, column = {uid: i for i, uid in enumerate(uids)}, {model: i for i, model in enumerate(models)}
    held: dict[tuple[int, int, int], Game] = {}
    for game in chosen:
        if game.uid not in row:
            raise ValueError(f"{category}: the judged question {game.uid} is not among the questions")
        place = (int(game.model_first), row[game.uid], column[game.model])
        if place in held:
            first = "model's" if game.model_first else "baseline's"
            raise ValueError(
                f"{category}: two games of {game.model} on the question {game.uid} show the {first} answer first: "
                "leave one of them out"
            )
        held[place] = game
    levels = np.full((2, len(uids), len(models)), np.nan)
    malformed = np.zeros(levels.shape, dtype=bool)
    statuses = [Counter({NOT_ANSWERED: 2 * len(uids)}) for _ in models]
    for place, game in held.items():
        levels[place] = np.nan if game.level is None else game.level
        malformed[place] = game.level is None and game.status != NOT_ANSWERED
        statuses[place[2]][NOT_ANSWERED] -= 1
        statuses[place[2]][game.status] += 1
    both = ~np.isnan(levels).any(axis=0)
    weight = np.where(np.abs(levels) == 2.0, float(strong), 1.0)
    won = weight * (np.sign(np.nan_to_num(levels)) + 1.0) / 2.0
    return Battles(
        category=category,
        baseline=baseline,
        questions=tuple(uids),
        models=tuple(models),
        wins=np.where(both, won.sum(axis=0), 0.0),
        weights=np.where(both, weight.sum(axis=0), 0.0),
        levels=levels,
        malformed=malformed,
        statuses=tuple({name: n for name, n in sorted(counted.items()) if n} for counted in statuses),
    )
