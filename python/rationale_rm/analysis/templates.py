"""Reasons that a model repeats from pair to pair: the same, nearly the same, or the same but for names and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rationale_rm.analysis import figures
from rationale_rm.analysis.answers import Answers, reasons_known
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.files import manifest
from rationale_rm.analysis.masking import MAX_CHARACTERS, mask, normalise
from rationale_rm.analysis.near_duplicates import SIMILAR, cluster
from rationale_rm.analysis.resample import Ints, numbered
from rationale_rm.documents import Analysis, Estimate, SampleView

KINDS: Final = ("duplicate", "template", "near_duplicate")
N_CLUSTERS: Final = 20
N_EXAMPLES: Final = 3
_SHOWN: Final = 300
_UNKNOWN_NOTE: Final = (
    "{model}: of {n} of {n_due} answers nobody knows the reasons (no answer came, it could not be read, or the data do "
    "not hold it), so the shares are without them."
)
_PAIRS_NOTE: Final = (
    "The more pairs a model answered, the more often a reason comes again: compare models over the same pairs."
)


@dataclass(frozen=True, slots=True)
class _Reasons:
    """The reasons of a model that say something, one row each."""

    texts: list[str]
    ids: list[str]
    pairs: Ints
    n_total: int
    """With those that are blank."""
    n_unknown: int
    """Answers whose reasons nobody knows."""


def templates(
    answers: Answers,
    how: Sampling | None = None,
    *,
    min_pairs: int = 2,
    similar: float = SIMILAR,
    on_progress: Callable[[str, int], None] | None = None,
) -> Analysis:
    """For each model the share of its reasons that also stand under other pairs, `min_pairs` in all at the least:

    - ``duplicate_share``: the same text but for capitals and blanks;
    - ``template_share``: the same once sides, names, numbers and quotes are masked (`masking.mask`);
    - ``near_duplicate_share``: masked, and by `similar` alike to the leader of their cluster (see `cluster`).

    Each holds the one before it: texts that differ in capitals alone, by which `mask` knows names, have one mask, the
    shortest of theirs. Several answers about one pair (both
    orders, several samples) repeat nothing. Intervals draw pairs, and keep what is a repetition in the data as it is.
    Points are the largest clusters: ``kind`` ``template`` or ``near_duplicate``, ``model, template, n_reasons, n_pairs,
    share``, and ``examples``, each with ``id`` and ``reason``. `on_progress` is told the model and the texts done.
    """
    how = how or Sampling()
    estimates: list[Estimate] = []
    points: list[dict[str, Any]] = []
    notes = [_PAIRS_NOTE] if len(answers.models) > 1 else []
    for model in answers.models:
        views, missing = answers.of(model), answers.missing.get(model, 0)
        reasons = _reasons(views)
        if reasons.n_unknown + missing:
            n, n_due = reasons.n_unknown + missing, len(views) + missing
            notes.append(_UNKNOWN_NOTE.format(model=model, n=n, n_due=n_due))
        if not reasons.texts:
            why = "no answer holds a reason"
            estimates += [
                Estimate.missing(f"{kind}_share", slice=model, n_total=reasons.n_total, unavailable=why)
                for kind in KINDS
            ]
            continue
        masked = _masked(reasons.texts)
        groups = {
            "duplicate": numbered(normalise(text) for text in reasons.texts),
            "template": numbered(masked),
            "near_duplicate": _near(masked, similar, model, on_progress),
        }
        for kind, group in groups.items():
            n_pairs = _pairs_of(group, reasons.pairs)
            repeated = (n_pairs[group] >= min_pairs).astype(float)
            estimates.append(
                figures.mean(model, f"{kind}_share", repeated, reasons.pairs, how, n_total=reasons.n_total)
            )
            if kind != "duplicate":
                points += _largest(model, kind, group, n_pairs, reasons, masked, min_pairs)
    return Analysis(
        analysis="templates",
        subject=answers.models,
        manifest=manifest(answers.files, how, min_pairs=min_pairs, similar=similar, masked_characters=MAX_CHARACTERS),
        estimates=tuple(estimates),
        points=tuple(points),
        notes=tuple(notes),
    )


def _reasons(views: Sequence[SampleView]) -> _Reasons:
    known = [view for view in views if reasons_known(view)]
    rows = [(reason, view) for view in known for reason in view.reasons if reason.strip()]
    return _Reasons(
        [reason for reason, _ in rows],
        [view.id for _, view in rows],
        numbered(view.pair_id for _, view in rows),
        sum(len(view.reasons) for view in known),
        len(views) - len(known),
    )


def _masked(texts: Sequence[str]) -> list[str]:
    """The mask of each text; that of one that differs in capitals or blanks, where it is shorter."""
    plain = [normalise(text) for text in texts]
    shortest: dict[str, str] = {}
    for name, text in zip(plain, texts, strict=True):
        found = mask(text)
        shortest[name] = min(shortest.get(name, found), found, key=lambda one: (len(one), one))
    return [shortest[name] for name in plain]


def _near(masked: Sequence[str], similar: float, model: str, on_progress: Callable[[str, int], None] | None) -> Ints:
    """The near-duplicate cluster of each masked reason; the most frequent texts lead."""
    counts: dict[str, int] = defaultdict(int)
    for text in masked:
        counts[text] += 1
    distinct = sorted(counts, key=lambda text: (-counts[text], text))
    leaders = cluster(
        distinct, similar=similar, on_text=None if on_progress is None else lambda done: on_progress(model, done)
    )
    leader_of = dict(zip(distinct, leaders, strict=True))
    return numbered(str(leader_of[text]) for text in masked)


def _pairs_of(group: Ints, pairs: Ints) -> Ints:
    """How many pairs each group has a reason under."""
    cells = np.unique(np.stack([group, pairs], axis=1), axis=0)
    return np.bincount(cells[:, 0], minlength=int(group.max()) + 1)


def _largest(
    model: str, kind: str, group: Ints, n_pairs: Ints, reasons: _Reasons, masked: Sequence[str], min_pairs: int
) -> list[dict[str, Any]]:
    sizes = np.bincount(group)
    order = np.lexsort((np.arange(len(sizes)), -sizes, -n_pairs))
    chosen = [int(one) for one in order[:N_CLUSTERS] if n_pairs[one] >= min_pairs]
    rows: dict[int, list[int]] = {one: np.flatnonzero(group == one).tolist() for one in chosen}
    return [
        {
            "kind": kind,
            "model": model,
            "template": masked[rows[one][0]][:_SHOWN],
            "n_reasons": int(sizes[one]),
            "n_pairs": int(n_pairs[one]),
            "share": float(sizes[one] / len(group)),
            "examples": _examples(rows[one], reasons),
        }
        for one in chosen
    ]


def _examples(rows: Sequence[int], reasons: _Reasons) -> list[dict[str, str]]:
    """Some that differ, where there are any."""
    different = {normalise(reasons.texts[row]): row for row in reversed(rows)}
    chosen = sorted(different.values())[:N_EXAMPLES]
    return [{"id": reasons.ids[row], "reason": reasons.texts[row][:_SHOWN]} for row in chosen]
