"""A simulated Arena-Hard: models of planted strengths, answers that differ in style, a judge that is drawn to style."""

from dataclasses import dataclass, field

import numpy as np
from rationale_rm.evals.arena_hard.games import Answer, Game
from rationale_rm.evals.arena_hard.style import Style, differences

BASELINE = "baseline"
JUDGE = "judge"


@dataclass
class Simulator:
    """Each verdict is drawn from the log-odds strength + style differences @ bias, in favour of the model."""

    strengths: dict[str, float]
    length_bias: float = 0.0
    """Log-odds that (m - b) / (m + b) = 1 would add."""
    lengthiness: dict[str, float] = field(default_factory=dict)
    """Model → how many times as long as the baseline's its answers are at the median."""
    n_questions: int = 200
    strong: float = 0.3
    """Share of verdicts that are "much better", whoever wins."""
    ties: float = 0.0
    spread: float = 0.0
    """Standard deviation of what a question adds to the log-odds of both of its games."""
    first_bias: float = 0.0
    """Log-odds that being shown first adds."""
    seed: int = 0
    category: str = "hard_prompt"

    def answers(self) -> dict[str, dict[str, Answer]]:
        rng = np.random.default_rng(self.seed + 1)
        found: dict[str, dict[str, Answer]] = {}
        for model in (BASELINE, *self.strengths):
            for number in range(self.n_questions):
                length = int(400 * self.lengthiness.get(model, 1.0) * np.exp(rng.normal(0, 0.5))) + 1
                marks = rng.poisson(length * np.array([0.004, 0.02, 0.01]))
                style = Style(length, *marks.tolist())
                found.setdefault(model, {})[f"q{number}"] = Answer(f"q{number}", model, "text", style)
        return found

    def games(self, answers: dict[str, dict[str, Answer]]) -> list[Game]:
        rng = np.random.default_rng(self.seed + 2)
        games = []
        for model, strength in self.strengths.items():
            for number in range(self.n_questions):
                uid = f"q{number}"
                both = [answers[name][uid].recorded_style for name in (model, BASELINE)]
                ours, theirs = (np.array([s.length, s.headers, s.lists, s.bold], dtype=float) for s in both)
                odds = strength + self.length_bias * differences(ours, theirs)[0] + rng.normal(0, self.spread)
                for model_first in (False, True):
                    shown = odds + (self.first_bias if model_first else -self.first_bias)
                    side = 1 if rng.random() < 1 / (1 + np.exp(-shown)) else -1
                    level = side * (2 if rng.random() < self.strong else 1)
                    games.append(game(uid, model, model_first, 0 if rng.random() < self.ties else level, self.category))
        return games


def game(uid, model, model_first, level, category="hard_prompt", baseline=BASELINE):
    status = "no_verdict" if level is None else "ok"
    return Game(uid, category, model, baseline, JUDGE, model_first, level, status)
