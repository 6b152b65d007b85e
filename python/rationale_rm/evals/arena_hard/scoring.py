"""Games into boards, category by category."""

from __future__ import annotations

from collections.abc import Sequence

from rationale_rm._core import RationaleError
from rationale_rm.evals.arena_hard.battles import STRONG, make_battles
from rationale_rm.evals.arena_hard.board import Board, make_board
from rationale_rm.evals.arena_hard.contest import Contest
from rationale_rm.evals.arena_hard.games import Game
from rationale_rm.evals.arena_hard.style import Control


def score_games(
    contest: Contest,
    games: Sequence[Game],
    *,
    control: Sequence[Control] = ("length", "markdown"),
    strong: int = STRONG,
    n_resamples: int = 2000,
    seed: int = 0,
) -> list[Board]:
    """A board for each category that has games, made of its own games alone.

    Where the contest has questions, all of a category should have been judged, else those that any game is about.
    Style control needs its answers; without any there is none. Raises `RationaleError` for games that do not fit each
    other, and where nobody was judged.
    """
    found = []
    for category in contest.categories:
        own = [game for game in games if game.category == category]
        if not own:
            continue
        asked = [question.uid for question in contest.questions.values() if question.category == category] or None
        try:
            fought = make_battles(
                own, category=category, baseline=contest.baselines[category], questions=asked, strong=strong
            )
            found.append(
                make_board(fought, contest.answers or None, control=control, n_resamples=n_resamples, seed=seed)
            )
        except ValueError as error:
            raise RationaleError(str(error)) from None
    if not any(one.battles.models for one in found):
        raise RationaleError("nothing to score: no model but the baselines was judged")
    return found
