"""Arena-Hard v2: models' answers judged beside a baseline's, two games a question, and what that comes to.

Hard prompts and creative writing are two leaderboards with baselines of their own; nothing is added up over them.
docs/evals-arena-hard.md has the rules.
"""

from rationale_rm.evals.arena_hard.battles import STRONG, Battles, battles
from rationale_rm.evals.arena_hard.board import EQUAL_STYLE, PLAIN, STYLE_CONTROLLED, Board, board
from rationale_rm.evals.arena_hard.games import BASELINES, CATEGORIES, Answer, Game, Question
from rationale_rm.evals.arena_hard.reading import read_answers, read_judgments, read_questions

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
    "Game",
    "Question",
    "battles",
    "board",
    "read_answers",
    "read_judgments",
    "read_questions",
]
