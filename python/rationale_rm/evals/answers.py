"""Answers of a model to the pairs of a benchmark, in both orders, whoever recorded them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import BadLine, LabelScale, read_pairs
from rationale_rm.evals.files import same_texts
from rationale_rm.metrics import Policy, critiques
from rationale_rm.types import Critique, GenrmStatus, Pair

ORDERS: Final = (False, True)
"""Response 1 shown first, and response 2."""
READABLE: Final = "/accuracy_of_readable"
_OF_RUNS: Final = ("made_by", "asked", "status", "error", "error_message")

Place = tuple[str, bool]
"""Id of the pair, and whether it was shown swapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one model said of the pairs of a benchmark."""

    pairs: tuple[Pair, ...]
    """All that should be answered."""
    found: Mapping[Place, Critique]
    """A place without an entry, or with one that has an `error`, holds no answer."""
    model: str
    orders: tuple[bool, ...] = ORDERS
    """In which orders there should be an answer; recorded outputs may know one alone."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """What upstream's files hold beside answers, under names of the benchmark."""
    notes: tuple[str, ...] = ()

    def of(self, pair: Pair) -> list[Critique | None]:
        """The answers to a pair, one for each of `orders`."""
        return [self.found.get((pair.id, swapped)) for swapped in self.orders]


def recorded_answer(
    pair: Pair, swapped: bool, verdict: int | None, status: GenrmStatus, text: str | None = None
) -> Critique:
    """An answer of upstream's files; `verdict` is about response 1 and 2, whichever was shown first."""
    return Critique(
        id=f"{pair.id}#swapped" if swapped else pair.id,
        pair_id=pair.id,
        model="recorded",
        reasons=(),
        verdict=verdict,
        status=status,
        text=text,
        swapped=swapped,
    )


def answered(answer: Critique | None) -> bool:
    """Whether there is an answer, readable or not."""
    return answer is not None and answer.error is None and answer.status is not None


def right(pair: Pair, answer: Critique | None) -> float | None:
    """1 where the verdict agrees with the label in direction; 0 for another one, a tie and an answer that cannot be
    read; None without an answer or a label.
    """
    if answer is None or not answered(answer) or pair.label is None:
        return None
    return float(answer.verdict is not None and answer.verdict * pair.label > 0)


def malformed(answer: Critique | None) -> float | None:
    """1 for an answer without a verdict that can be read, 0 for one with; None where none came."""
    return float(answer.verdict is None) if answer is not None and answered(answer) else None


def about_orders(first: Critique | None, second: Critique | None) -> dict[str, float | None]:
    """`rationale_rm.metrics.ORDERS` of one pair: whether both verdicts name the same response, and +1 for a pull to
    the response shown first, -1 to the second; None unless both have a verdict.
    """
    if first is None or second is None or first.verdict is None or second.verdict is None:
        return {"order_consistency": None, "position_bias": None}
    sides = [(verdict > 0) - (verdict < 0) for verdict in (first.verdict, second.verdict)]
    return {"order_consistency": float(sides[0] == sides[1]), "position_bias": (sides[0] - sides[1]) / 2.0}


def mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where one of the values, or all of them, are missing."""
    held = list(values)
    known = [value for value in held if value is not None]
    return fmean(known) if known and len(known) == len(held) else None


def mean_of_known(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are there."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def of_readable(pair: Pair, answers: Sequence[Critique | None]) -> dict[str, float | None]:
    """The share of right answers among those that can be read: what a score would be if form were no part of it. No
    entry where answers came and none can be read; None where none came.
    """
    if not any(map(answered, answers)):
        return {READABLE: None}
    hits = [right(pair, answer) for answer in answers if answer is not None and answer.verdict is not None]
    return {READABLE: mean_of_known(hits)} if hits else {}


def about_answers(pair: Pair, answers: Sequence[Critique | None]) -> dict[str, float | None]:
    """What is shown beside every score of a pair: the share of malformed answers among those
    that came, the score of the others and, of two
    orders, `about_orders`.
    """
    shown = {"/malformed": mean_of_known(map(malformed, answers)), **of_readable(pair, answers)}
    if len(answers) == len(ORDERS):
        shown |= {f"/{name}": value for name, value in about_orders(answers[0], answers[1]).items()}
    return shown


def read_ours(
    files: Sequence[str],
    *,
    model: str | None = None,
    pairs: Sequence[Pair] | None = None,
    label_scale: LabelScale | None = None,
    policy: Policy = "last",
) -> Answers:
    """Answers that `critique`, `match` or an earlier run of `eval` wrote, or any of the public schema.

    `model` names one of several. Without `pairs`, what is asked about is read from the records; else answers to other
    pairs are passed over. Of several samples the first counts. Raises `RationaleError` where there is nothing to read,
    and where an answer is about other texts than the pair of its id.
    """
    loaded = read_pairs(files, label_scale=label_scale, need_references=False)
    notes = left_out(loaded.bad)
    if not loaded.models and not (model and loaded.pairs):
        raise RationaleError(f"no answer of a model in {', '.join(files)}: {loaded.bad[0] if loaded.bad else 'empty'}")
    if model is None and len(loaded.models) > 1:
        raise RationaleError(f"the records hold the models {', '.join(loaded.models)}: choose one with --name")
    name = model or loaded.models[0]
    if loaded.models and name not in loaded.models:
        raise RationaleError(f"the records hold no answer of {name}, but of {', '.join(loaded.models)}")
    sources = {pair.id: pair for pair in loaded.pairs}
    found: dict[Place, Critique] = {}
    for pair in loaded.pairs:
        if pair.extra.get("error") is not None and not pair.models:
            swapped = shown_swapped(pair)
            found[pair.source_id, swapped] = _failed(pair, name, swapped)
    for answer in critiques(loaded.pairs, name, policy=policy):
        source = sources[answer.pair_id].source_id
        place = source, answer.swapped
        if place not in found or found[place].error is not None or answer.sample < found[place].sample:
            found[place] = replace(answer, id=answer.pair_id, pair_id=source)
    items: dict[str, Pair] = {}
    for pair in loaded.pairs:
        extra = {key: value for key, value in pair.extra.items() if key not in _OF_RUNS and not key.endswith("-status")}
        items.setdefault(pair.source_id, replace(pair, id=pair.source_id, pair_id=None, models={}, extra=extra))
    wanted = tuple(items.values() if pairs is None else pairs)
    if pairs is not None:
        same_texts(pairs, loaded.pairs)
    known = {pair.id for pair in wanted}
    notes += passed_over({place[0] for place in found}, known)
    kept = {place: answer for place, answer in found.items() if place[0] in known}
    if not kept:
        raise RationaleError(f"none of the answers in {', '.join(files)} is about a pair of the data (joined by id)")
    return Answers(pairs=wanted, found=kept, model=name, notes=tuple(notes))


def passed_over(recorded: Iterable[str], wanted: Iterable[str], what: str = "pairs") -> list[str]:
    """The note on recorded answers to what the data do not ask."""
    apart = set(recorded).difference(wanted)
    return [f"recorded answers to {len(apart)} other {what}, such as {min(apart)}, are passed over"] if apart else []


def is_ours(record: Mapping[str, Any]) -> bool:
    """Whether a record may be of the public schema, as `read_ours` reads it."""
    return {"response1", "response2"} <= record.keys() or {"metadata", "samples"} <= record.keys()


def left_out(bad: Sequence[BadLine]) -> list[str]:
    """The note on lines of recorded answers that could not be read."""
    return [f"{len(bad)} lines of the recorded answers were left out; {bad[0]}"] if bad else []


def shown_swapped(pair: Pair) -> bool:
    """Whether the record of a failed call, which holds no answer that would say so, was of the swapped order."""
    return "swapped" in pair.id[len(pair.source_id) :]


def _failed(pair: Pair, model: str, swapped: bool) -> Critique:
    return Critique(
        id=pair.id,
        pair_id=pair.source_id,
        model=model,
        reasons=None,
        verdict=None,
        status=None,
        swapped=swapped,
        error=str(pair.extra["error"]),
    )
