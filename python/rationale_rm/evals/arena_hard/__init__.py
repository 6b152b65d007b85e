"""Arena-Hard v2: models' answers judged beside a baseline's, two games a question, and what that comes to.

Games of recorded judgments (`reading`) or of a live GenRM (`asking`) become weighted battles (`battles`), these a
board a category (`board`: Bradley–Terry by `fit`, style by `style` and `covariates`, intervals by `bootstrap`), and a
board documents (`result`, `views`). Hard prompts and creative writing are two leaderboards with baselines of their own;
nothing is added up over them. docs/evals-arena-hard.md has the rules.
"""

from rationale_rm.evals.arena_hard.battles import STRONG, Battles, make_battles
from rationale_rm.evals.arena_hard.board import EQUAL_STYLE, PLAIN, STYLE_CONTROLLED, Board, make_board
from rationale_rm.evals.arena_hard.contest import Contest, read_contest, recorded_games
from rationale_rm.evals.arena_hard.games import BASELINES, CATEGORIES, Answer, Game, Question
from rationale_rm.evals.arena_hard.reading import read_answers, read_judgments, read_questions
from rationale_rm.evals.arena_hard.result import difference, make_result
from rationale_rm.evals.arena_hard.scoring import score_games

__all__ = [
    "BASELINES",
    "CATEGORIES",
    "EQUAL_STYLE",
    "PLAIN",
    "STRONG",
    "STYLE_CONTROLLED",
    "Answer",
    "Battles",
    "Board",
    "Contest",
    "Game",
    "Question",
    "difference",
    "make_battles",
    "make_board",
    "make_result",
    "read_answers",
    "read_contest",
    "read_judgments",
    "read_questions",
    "recorded_games",
    "score_games",
]
