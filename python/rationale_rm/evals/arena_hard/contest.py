"""What is to be judged: which questions, categories and models, of the files that were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rationale_rm._core import RationaleError
from rationale_rm.evals.arena_hard.games import CATEGORIES, Answer, Game, Question
from rationale_rm.evals.arena_hard.reading import read_answers, read_judgments, read_questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The questions, the answers, and who plays."""

    questions: Mapping[str, Question]
    """Of the chosen categories; empty where no file was given."""
    answers: Mapping[str, Mapping[str, Answer]]
    """Model → question id → answer; empty likewise."""
    baselines: Mapping[str, str]
    """Category → model."""
    categories: Sequence[str] = CATEGORIES
    candidates: Sequence[str] = ()
    """The models to be judged; empty: all but the baselines and the judge."""

    left_out: Sequence[str] = ()
    """A judge that answered too, whose answers are not scored."""

    def judged(self) -> list[str]:
        """The models to be judged, of those with answers."""
        if self.candidates:
            return list(dict.fromkeys(self.candidates))
        chosen = {self.baselines[category] for category in self.categories}
        return sorted(set(self.answers) - chosen - set(self.left_out))

    def leaving_out(self, judge: str) -> Contest:
        """The contest without the judge's own answers, as upstream has it; a candidate that was named stays."""
        own = not self.candidates and judge in self.judged()
        return replace(self, left_out=(judge,)) if own else self

    def wants(self, game: Game) -> bool:
        """Whether a game is about what was chosen; `leaving_out` holds here too."""
        return (
            game.category in self.categories
            and (game.model in self.candidates if self.candidates else game.model != game.judge)
            and (not self.questions or game.uid in self.questions)
        )


def read_contest(
    question_files: Sequence[str],
    answer_files: Sequence[str],
    *,
    baselines: Mapping[str, str],
    categories: Sequence[str] = CATEGORIES,
    candidates: Sequence[str] = (),
    limit: int | None = None,
) -> Contest:
    """Reads what is given; `limit` keeps so many questions of each category, the first ones. Raises `DataError` and
    `OSError`.
    """
    questions: dict[str, Question] = {}
    everything = read_questions(question_files) if question_files else {}
    for category in categories:
        own = [question for question in everything.values() if question.category == category]
        questions |= {question.uid: question for question in own[:limit]}
    return Contest(
        questions=questions,
        answers=read_answers(answer_files) if answer_files else {},
        baselines=baselines,
        categories=categories,
        candidates=candidates,
    )


def recorded_games(
    contest: Contest, files: Sequence[str], *, given: Mapping[str, str], judge: str | None
) -> tuple[Contest, list[Game], str]:
    """The games of upstream's judgment files that `contest` wants, the contest with the baselines that they were played
    against, and the judge.

    A baseline is the one `given` for its category, else the only one that the games were played against, else that of
    the contest. Upstream's files may hold several judges, whose verdicts are never pooled here: `judge` names one.
    Raises `RationaleError` where nothing is left, or `judge` does not decide.
    """
    everything = read_judgments(files, baselines=contest.baselines)
    games = [game for game in everything if contest.wants(game)]
    judges = sorted({game.judge for game in games})
    if not judges:
        raise RationaleError(
            "none of the judgments is about a chosen category, model and question (a judge's own answers must be "
            "chosen with --candidate)"
        )
    if judge is not None and judge not in judges:
        raise RationaleError(f"no judgments of {judge}: there are those of {', '.join(judges)}")
    if judge is None and len(judges) > 1:
        raise RationaleError(f"the judgments are of several judges, {', '.join(judges)}: choose one with --name")
    chosen = judge or judges[0]
    games = [game for game in games if game.judge == chosen]
    own = not contest.candidates and any(game.judge == game.model == chosen for game in everything)
    baselines = dict(contest.baselines)
    for category in contest.categories:
        met = {game.baseline for game in games if game.category == category}
        if len(met) == 1:
            baselines[category] = met.pop()
    left_out = (chosen,) if own else ()
    return replace(contest, baselines={**baselines, **given}, left_out=left_out), games, chosen
