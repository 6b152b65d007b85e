"""Answers for the tests of analyses."""

from rationale_rm.analysis import Answers
from rationale_rm.documents import SampleView


def view(number=0, *, model="m", scores=None, n_references=2, reasons=None, **changes):
    """An answer to pair `number`; `scores` are the matched scores of its reasons, in their order."""
    scores = (1.0, 0.0) if scores is None else tuple(scores)
    reasons = tuple(f"Reason {k} of pair {number}." for k in range(len(scores))) if reasons is None else tuple(reasons)
    matched = [k for k, score in enumerate(scores) if score]
    fields = {
        "id": f"p{number}",
        "pair_id": f"p{number}",
        "model": model,
        "domain": "code",
        "context": "Q",
        "response1": "a",
        "response2": "b",
        "status": "ok",
        "right": True,
        "text": "…",
        "references": tuple(f"r{k}" for k in range(n_references)),
        "reasons": reasons,
        "matches": tuple((place, k, scores[k]) for place, k in enumerate(matched)),
        "judge_status": "ok",
        "rc": sum(scores) / n_references,
        "ap": 0.0,
    }
    return SampleView(**fields | changes)


def answers(*views, missing=None, judges=(), files=()):
    ordered = sorted(views, key=lambda one: (one.model, one.pair_id, one.swapped, one.sample, one.id))
    return Answers(tuple(ordered), tuple(files), (), len(views), tuple(judges), missing or {})


def figure(analysis, slice, metric):
    """The one estimate of this name."""
    (found,) = [one for one in analysis.estimates if (one.slice, one.metric) == (slice, metric)]
    return found
