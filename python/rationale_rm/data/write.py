"""Records back into the public schema, as lines that `read_pairs` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rationale_rm.types import VERDICT_TEXTS, Critique, ModelAnswer, Pair

_OF_RUNS: Final = ("made_by", "asked", "status", "error")
"""Fields that say how a run made a record; the next run writes its own."""


def pair_record(pair: Pair, models: Iterable[str] | None = None) -> dict[str, Any]:
    """The pair in the public RationaleRM schema, with the answers of `models` (all by default).

    Judge answers are no part of the schema; they stand in result files. Without human reasons there is no
    ``human-checklist``: what atomize kept apart is then told by ``kept`` and ``apart_reason``.
    """
    record: dict[str, Any] = {
        **{name: value for name, value in pair.extra.items() if name not in _OF_RUNS},
        "id": pair.id,
        "domain": pair.domain,
        "context": pair.context if isinstance(pair.context, str) else [dict(message) for message in pair.context],
        "response1": pair.response1,
        "response2": pair.response2,
    }
    if pair.references:
        record["human-checklist"] = list(pair.references)
    elif pair.extra.get("kept") is False and pair.extra.get("apart_reason") is None and "error" in pair.extra:
        record["apart_reason"] = pair.extra["error"]  # why atomize failed; `error` will be the next run's
    if pair.label is not None:
        record["label"] = VERDICT_TEXTS[pair.label]
    if pair.pair_id is not None:
        record["pair_id"] = pair.pair_id
    for name in pair.models if models is None else models:
        record.update(_answer_fields(name, pair.models[name]))
    return record


def critique_record(pair: Pair, critique: Critique, name: str) -> dict[str, Any]:
    """The pair with one answer to it, under the answer's own id; `name` is what the model is called."""
    record = pair_record(pair, ())
    record.update(id=critique.id, pair_id=pair.id, swapped=critique.swapped, sample=critique.sample)
    if critique.error is not None:
        return {**record, "status": "error", "error": critique.error}
    record[f"{name}-checklist"] = list(critique.reasons or ())
    if critique.verdict is not None:
        record[f"{name}-label"] = VERDICT_TEXTS[critique.verdict]
    record[f"{name}-generated_text"] = critique.text
    record[f"{name}-status"] = None if critique.status is None else critique.status.name.lower()
    return {**record, "status": "success"}


def _answer_fields(name: str, answer: ModelAnswer) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if answer.reasons is not None:
        fields[f"{name}-checklist"] = list(answer.reasons)
    if answer.verdict is not None:
        fields[f"{name}-label"] = VERDICT_TEXTS[answer.verdict]
    elif answer.bad_label is not None:
        fields[f"{name}-label"] = answer.bad_label
    if answer.text is not None:
        fields[f"{name}-generated_text"] = answer.text
    if answer.swapped or answer.sample:
        fields.update(swapped=answer.swapped, sample=answer.sample)
    return fields
