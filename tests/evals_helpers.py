"""What the tests of evals share: estimates by name, and answers made of verdicts."""

import json

from rationale_rm.documents import OVERALL
from rationale_rm.evals import Answers, estimates
from rationale_rm.types import Critique, GenrmStatus, Pair


def by_name(found):
    """(rule, slice, metric) → estimate."""
    return {(one.rule, one.slice, one.metric): one for one in found}


def values(found, slice_name=OVERALL):
    """``rule/metric`` → value of one slice."""
    return {f"{one.rule}/{one.metric}": one.value for one in found if one.slice == slice_name}


def figures(benchmark, answers, **options):
    """The estimates of answers by name."""
    return by_name(estimates(benchmark.score(answers), strata=benchmark.strata, **({"n_resamples": 50} | options)))


def pair(name="p", *, label=1, domain="chat", **changes):
    """A labelled pair."""
    fields = {
        "context": ({"role": "user", "content": f"Question {name}."},),
        "response1": f"One to {name}.",
        "response2": f"Two to {name}.",
        "references": (),
    }
    return Pair(id=name, domain=domain, label=label, **(fields | changes))


def answer(of, verdict, *, swapped=False, status=None, error=None):
    """One answer: a verdict about responses 1 and 2, None for one that cannot be read, an error for none at all."""
    status = status or (GenrmStatus.NO_VERDICT if verdict is None else GenrmStatus.OK)
    return Critique(
        id=f"{of.id}#swapped" if swapped else of.id,
        pair_id=of.id,
        model="m",
        reasons=() if error is None else None,
        verdict=verdict,
        status=None if error is not None else status,
        swapped=swapped,
        error=error,
    )


def answers(*games, **options):
    """`Answers` of (pair, verdict in given order, verdict swapped); "never" is an answer that never came."""
    found, pairs = {}, []
    for one, first, second in games:
        pairs.append(one)
        for swapped, verdict in ((False, first), (True, second)):
            error = "timeout: gone" if verdict == "never" else None
            found[one.id, swapped] = answer(one, None if error else verdict, swapped=swapped, error=error)
    return Answers(pairs=tuple(pairs), found=found, model="m", **options)


def result_of(run):
    """``result.json`` of a run."""
    return json.loads((run / "result.json").read_text())
