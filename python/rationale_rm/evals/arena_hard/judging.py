"""How the judge of a board judged: answers that hold no verdict, and what the order of the two answers does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.documents import Estimate
from rationale_rm.evals.arena_hard.battles import Battles
from rationale_rm.evals.arena_hard.bootstrap import LEVEL
from rationale_rm.metrics.results import Floats


def judging(battles: Battles, model: str, *, n_resamples: int, seed: int) -> list[Estimate]:
    """Figures about the games of one model, with 95% intervals clustered by question:

    - ``parse_failure_rate``: of the games that the judge answered, those whose answer holds no verdict;
    - ``order_consistency``: of the questions with both verdicts, those whose two agree in direction;
    - ``position_bias``: the mean over them of +1 for a verdict for the answer shown first, -1 for the second, 0 for a
      tie, as in docs/statistics.md.
    """
    column = battles.models.index(model)
    levels, malformed = battles.levels[:, :, column], battles.malformed[:, :, column]
    questions = np.arange(len(battles.questions), dtype=np.int64)
    answered = malformed | ~np.isnan(levels)
    both = battles.complete[:, column]
    baseline_first, model_first = np.sign(levels[:, both])
    same = (baseline_first == model_first).astype(np.float64)

    def mean(metric: str, values: Floats, clusters: NDArray[np.int64], n_total: int, lost: float | None) -> Estimate:
        if values.size == 0:
            why = "no game was answered" if metric == "parse_failure_rate" else "no question has both verdicts"
            return Estimate(slice=battles.category, metric=metric, value=None, n=0, n_total=n_total, unavailable=why)
        found = core.bootstrap_ci(values, clusters=clusters, n_resamples=n_resamples, level=LEVEL, seed=seed)
        spread = np.isfinite(found.low)
        return Estimate(
            slice=battles.category,
            metric=metric,
            value=found.mean,
            low=found.low if spread else None,
            high=found.high if spread else None,
            n=values.size,
            n_total=n_total,
            pessimistic=lost,
            unavailable=None if spread else "no interval: a single question",
        )

    n_questions = len(questions)
    return [
        mean(
            "parse_failure_rate",
            malformed[answered].astype(np.float64),
            np.broadcast_to(questions, answered.shape)[answered],
            2 * n_questions,
            None,
        ),
        mean("order_consistency", same, questions[both], n_questions, float(same.sum()) / max(1, n_questions)),
        # The model stands first in the second game: there, a verdict for it is one for the first place.
        mean("position_bias", (model_first - baseline_first) / 2.0, questions[both], n_questions, None),
    ]
