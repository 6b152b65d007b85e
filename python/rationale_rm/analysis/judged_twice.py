"""The same answers, scored by two judges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.analysis.answers import Answers
from rationale_rm.analysis.resample import Floats, Ints, numbered
from rationale_rm.documents import SampleView

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Both:
    """The answers of either evaluator, one row each; NaN where one of them gave no score."""

    views: list[SampleView]
    x: Floats
    y: Floats
    clusters: Ints
    n_unseen: int
    """Answers that there should be beside the rows, and that neither holds."""

    @property
    def n_total(self) -> int:
        """Answers that both should have scored."""
        return len(self.views) + self.n_unseen

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether both scored the row."""
        return np.isfinite(self.x + self.y)


def copies(first: Sequence[Mapping[str, str]], second: Sequence[Mapping[str, str]]) -> list[str]:
    """What to say of files that both inputs hold, under other names."""
    known = {one["sha256"]: one["file"] for one in first}
    return [
        f"{known[one['sha256']]} and {one['file']} hold the same bytes: is that the work of two judges?"
        for one in second
        if one["sha256"] in known
    ]


def joined(first: Answers, second: Answers) -> tuple[Both, int, dict[str, int]]:
    """Both joined, how many answers one of them lacks, and model → answers that neither holds and should."""
    known: dict[_Key, SampleView] = {(view.model, view.id): view for view in second.views}
    pairs = [(view, known[view.model, view.id]) for view in first.views if (view.model, view.id) in known]
    if not pairs:
        raise core.RationaleError(
            f"the two inputs have no answer in common: the first holds {_holds(first)}, the second {_holds(second)}. "
            "Two judges have to score the same answers (the same `critiques.jsonl` given to two runs of `match`)"
        )
    for a, b in pairs:
        if a.reasons and b.reasons and a.reasons != b.reasons:
            raise core.RationaleError(
                f"answer {a.id!r} of model {a.model!r} has other reasons in the second input, so the judges did not "
                "see the same answer: let both score one output of `critique`"
            )
        if a.references and b.references and a.references != b.references:
            raise core.RationaleError(
                f"answer {a.id!r} of model {a.model!r} has other human reasons in the second input, so its RC is "
                "another figure: let both judges score one output of `critique`"
            )
    shared = {(view.model, view.id) for view, _ in pairs}
    alone = [view for side in (first, second) for view in side.views if (view.model, view.id) not in shared]
    views = [*(a for a, _ in pairs), *alone]
    nothing = [None] * len(alone)
    x, y = ([*(view.rc for view in side), *nothing] for side in zip(*pairs, strict=True))
    unseen = _unseen(first, second, views)
    both = Both(views, _column(x), _column(y), numbered(view.pair_id for view in views), sum(unseen.values()))
    return both, len(alone), unseen


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _unseen(first: Answers, second: Answers, views: Sequence[SampleView]) -> dict[str, int]:
    """What either should hold of a model; the one that should hold more decides, since both are of the same answers."""
    held = Counter(view.model for view in views)
    due = [Counter(view.model for view in side.views) + Counter(side.missing) for side in (first, second)]
    return {model: max(0, *(side[model] - n for side in due)) for model, n in held.items()}


def _holds(answers: Answers) -> str:
    example = f", such as {answers.views[0].id!r}" if answers.views else ""
    return f"{len(answers.views)} of {', '.join(answers.models) or 'no model'}{example}"


def part_of(both: Both, chosen: Sequence[bool], n_unseen: int = 0) -> Both:
    """The chosen rows."""
    rows = np.flatnonzero(chosen)
    return Both([both.views[row] for row in rows], both.x[rows], both.y[rows], both.clusters[rows], n_unseen)
