"""One decoded line into a `Pair`: the public RationaleRM schema and the MetaJudge result files of the authors' script
and of ``rationale-rm match``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rationale_rm.data.faults import BadValueError, kind, short, valid, wrong
from rationale_rm.data.fields import content_id, own_id, read_context, read_text, read_texts
from rationale_rm.data.files import Row
from rationale_rm.data.labels import LabelScale, agree, parse_label, text_label, whole
from rationale_rm.types import Entry, JudgeAnswer, ModelAnswer, Pair

_MODEL_FIELDS: Final = ("-checklist", "-label", "-generated_text")
_PAIR_FIELDS: Final = frozenset(
    ("id", "domain", "context", "response1", "response2", "human-checklist", "label", "overall_preference", "swapped")
)
_STATUS: Final = "-status"
_LABELS: Final = ("label", "overall_preference", "human-label")
_HUMAN: Final = "human"
"""No model: ``human-label`` is the human preference, as ``human-checklist`` holds the human reasons."""


def is_judge_record(value: Any) -> bool:
    """Whether a decoded line is a MetaJudge result."""
    return isinstance(value, dict) and isinstance(value.get("metadata"), dict) and "samples" in value


def superseded_by(value: Any) -> tuple[bool, str] | None:
    """What a later record of the same file has in common with the one that it supersedes; None for a line that
    stands whatever follows: only runs of this program, which say how they made a record, write one again.
    """
    if isinstance(value, dict) and isinstance(value.get("made_by"), dict) and isinstance(value.get("id"), str):
        return is_judge_record(value), value["id"]
    return None


def pair_from_row(row: Row, scale: LabelScale | None, model: str | None, need_references: bool = True) -> Pair:
    """Reads either layout; see `read_pairs` for the arguments. Raises `BadValueError`."""
    if not isinstance(row.value, dict):
        raise BadValueError(f"a JSON object is expected, not {kind(row.value)}")
    if is_judge_record(row.value):
        return _judged_pair(row, scale, model)
    if "human-checklist" not in row.value and row.value.keys() & {"samples", "metadata"}:
        if not isinstance(row.value.get("metadata"), dict):
            raise BadValueError(f"a MetaJudge result is expected: {wrong(row.value, 'metadata', 'an object')}")
        raise BadValueError("a MetaJudge result is expected: samples is missing")
    return _plain_pair(row.value, row, scale, complete=True, need_references=need_references)


def label_from_row(row: Row, scale: LabelScale | None, need_references: bool = True) -> tuple[list[str], int] | None:
    """Names of the pair (see `names_of`) and verdict of a line that holds a label and nothing to score; None
    for any other line. Where no human reasons are needed, a line with both responses is a pair.
    """
    record = row.value
    if not isinstance(record, dict) or is_judge_record(record) or "human-checklist" in record:
        return None
    if not need_references and {"context", "response1", "response2"} <= record.keys():
        return None
    if any(key.endswith(_MODEL_FIELDS) and _model_name(key) != _HUMAN for key in record):
        return None
    if not record.keys() & _LABELS or not ({"id", "response1"} & record.keys()):
        return None
    label = _human_label(record, scale)
    if label is None:
        return None
    complete = "id" not in record
    context = read_context(record, required=complete)
    response1, response2 = (read_text(record, name, required=complete) for name in ("response1", "response2"))
    return names_of(_id(record, context, response1, response2), context, response1, response2), label


def names_of(pair_id: str, context: Any, response1: str, response2: str, variant: str = "") -> list[str]:
    """What lines of one pair are joined by: the id, then the content where there is any to tell it by. `variant`
    keeps records of one pair apart.
    """
    content = [content_id(context, response1, response2) + variant] if context and (response1 or response2) else []
    return list(dict.fromkeys([pair_id, *content]))


def record_names(pair: Pair) -> list[str]:
    """`names_of` this record: lines of another order or sample of the same pair have other ones."""
    variant = pair.id[len(pair.source_id) :] if pair.id.startswith(f"{pair.source_id}#") else ""
    return names_of(pair.id, pair.context, pair.response1, pair.response2, variant)


def source_names(pair: Pair) -> list[str]:
    """`names_of` the source pair, which holds for all of its records, and the record's own id."""
    return list(dict.fromkeys([pair.id, *names_of(pair.source_id, pair.context, pair.response1, pair.response2)]))


def renamed(pair: Pair, like: Pair) -> Pair:
    """The pair and its answers under the ids of another record of it."""
    models = {}
    for name, answer in pair.models.items():
        new = f"{like.id}/{name}"
        judge = None if answer.judge is None else replace(answer.judge, id=f"{new}/judge")
        models[name] = replace(answer, id=new, judge=judge)
    return replace(pair, id=like.id, pair_id=like.pair_id, models=models)


def _plain_pair(
    record: Mapping[str, Any],
    row: Row,
    scale: LabelScale | None,
    *,
    complete: bool,
    need_references: bool = True,
) -> Pair:
    """Reads the public schema. `complete`: context and responses must be there (result files may leave them
    out).
    """
    if need_references and record.get("kept") is False and not record.get("human-checklist"):
        why = record.get("apart_reason") or record.get("error") or "no reason given"
        raise BadValueError(f"kept apart by atomize: {why}")
    references = read_texts(record, "human-checklist", required=need_references) or ()
    if need_references and not references:
        raise BadValueError("human-checklist is empty: without human reasons there is nothing to score")
    for number, item in enumerate(references, 1):
        valid(item, f"human-checklist item {number}")
        if not item.strip():
            raise BadValueError(f"human-checklist item {number} is blank")
    context = read_context(record, required=complete)
    response1, response2 = (read_text(record, name, required=complete) for name in ("response1", "response2"))
    domain = read_text(record, "domain", required=False) or "unknown"
    pair_id = _id(record, context, response1, response2)
    source_id, sample = _source_id(record), whole(record.get("sample"))
    models = _shown(record, _models(record, pair_id, scale), source_id not in (None, pair_id), sample or 0)
    named = {*_PAIR_FIELDS}
    named |= {"human-label"} if not any(_given(record, name) for name in _LABELS[:2]) else set()
    named |= {name for name, value in (("pair_id", source_id), ("sample", sample)) if value is not None}
    return Pair(
        id=pair_id,
        domain=domain,
        context=context,
        response1=response1,
        response2=response2,
        references=references,
        label=_human_label(record, scale),
        models=models,
        extra={
            key: value
            for key, value in record.items()
            if key not in named and not (key.endswith(_MODEL_FIELDS) and _model_name(key) in models)
        },
        pair_id=None if source_id == pair_id else source_id,
        file=row.file,
        line=row.line,
    )


def _source_id(record: Mapping[str, Any]) -> str | None:
    value = record.get("pair_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        return None  # some other data set's
    valid(value, "pair_id")
    return value


def _shown(
    record: Mapping[str, Any], models: dict[str, ModelAnswer], is_variant: bool, sample: int
) -> dict[str, ModelAnswer]:
    """The answers with the order and the sample that the record speaks of.

    A line of ``rationale-rm critique`` is about the one model M whose ``M-status`` it holds; what it repeats of
    other models stands in the record of the pair itself, so in other records of the pair (`is_variant`) it is left
    out. A line that names no such model is about all of its models.
    """
    swapped = record.get("swapped")
    if swapped is not None and not isinstance(swapped, bool):
        raise BadValueError(wrong(record, "swapped", "true or false"))
    if not 0 <= sample < 2**31:
        raise BadValueError(f"sample is {str(sample)[:20]}: expected 0 to 2147483647")
    about = [name for name in models if f"{name}{_STATUS}" in record]
    if is_variant and (about or "made_by" in record):
        models = {name: models[name] for name in about}
    changed = {
        name: replace(answer, swapped=bool(swapped), sample=sample)
        for name, answer in models.items()
        if name in about or not about
    }
    return {**models, **changed}


def _judged_pair(row: Row, scale: LabelScale | None, model: str | None) -> Pair:
    pair = _plain_pair(row.value["metadata"], row, scale, complete=False)
    judged = _judged_model(row, pair, model)
    answer = pair.models[judged]
    status = row.value.get("status", "success")
    if status not in ("success", "error", "format_error"):
        raise BadValueError(f"status is {status!r}, expected success, error or format_error")
    samples = row.value["samples"]
    if not isinstance(samples, list):
        raise BadValueError(f"samples must be a list, not {kind(samples)}")
    texts: list[str] = []
    for number, sample in enumerate(samples, 1):
        text = sample.get("generated_text") if isinstance(sample, dict) else None
        if not isinstance(text, str):
            raise BadValueError(f"samples item {number} has no text under generated_text")
        texts.append(text)
    error, name, stand_in = (row.value.get(key) for key in ("error_message", "judge", "stand_in"))
    judge = JudgeAnswer(
        id=f"{answer.id}/judge",
        samples=tuple(texts),
        status=status,
        error=None if error is None else str(error),
        judge=name if isinstance(name, str) and name else None,
        entries=_cells(row.value.get("scores"), len(pair.references)),
        stand_in=stand_in if isinstance(stand_in, str) and stand_in else None,
        top_k=_cut(row.value),
    )
    return replace(pair, models={**pair.models, judged: replace(answer, judge=judge)})


def _cut(record: Mapping[str, Any]) -> int | None:
    """How long a list the judge saw; only runs of this program say so, others may mean the sampling by ``top_k``."""
    value = record.get("top_k")
    if value is None or record.get("made_by") is None:
        return None
    number = whole(value)
    if number is None or number < 1:
        raise BadValueError(f"top_k is {short(str(value))}: expected null or a whole number from 1")
    return number


def _cells(scores: Any, n_references: int) -> tuple[Entry, ...] | None:
    """The recorded cells ``[R, S, score]`` (R and S from 1, S 0 for no match), counted from 0."""
    if scores is None:
        return None
    if not isinstance(scores, list):
        raise BadValueError(f"scores must be a list, not {kind(scores)}")
    cells: list[Entry] = []
    for number, cell in enumerate(scores, 1):
        if not isinstance(cell, list) or len(cell) != 3 or any(isinstance(value, bool) for value in cell):
            raise BadValueError(f"scores item {number} is no [R, S, score]")
        reference, reason, score = (_narrowed(value) for value in cell)
        if not isinstance(reference, int) or not 1 <= reference <= n_references:
            raise BadValueError(f"scores item {number} names R{reference} of {n_references} human reasons")
        if not isinstance(reason, int) or reason < 0:
            raise BadValueError(f"scores item {number} names S{reason}")
        if not isinstance(score, (int, float)) or not math.isfinite(score) or not 0 <= score <= 1:
            raise BadValueError(f"scores item {number} has the score {score!r}, expected 0 to 1")
        if reason == 0 and score != 0:
            raise BadValueError(f"scores item {number} gives S0 (no match) the score {score}")
        cells.append((reference - 1, reason - 1, float(score)))
    return tuple(cells)


def _narrowed(value: Any) -> Any:
    """A whole number as such: a column of Parquet has one type, so that scores make floats of all numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _judged_model(row: Row, pair: Pair, model: str | None) -> str:
    """Which model a result speaks of: the one it names, the only one, the one whose reasons the prompt lists, or
    the one that the file name has.
    """
    names = [name for name, answer in pair.models.items() if answer.reasons is not None or answer.text is not None]
    named = row.value.get("model")
    if named in names:
        return str(named)
    if isinstance(named, str) and "made_by" in row.value:
        raise BadValueError(f"the judged model is {short(named)}, of which the metadata hold no answer")
    if len(names) == 1:
        return names[0]
    if not names:
        raise BadValueError("the metadata hold no M-checklist, so the judged model is unknown")
    prompt = row.value.get("prompt")
    if isinstance(prompt, str):
        listed = [
            name
            for name in names
            if (reasons := pair.models[name].reasons)
            and all(f"S{number}: {reason.strip()}" in prompt for number, reason in enumerate(reasons, 1))
        ]
        if len(listed) == 1:
            return listed[0]
    stem = Path(row.file).name.split(".")[0]
    by_file = [name for name in names if stem == name or stem.endswith(f"-{name}")]
    if len(by_file) == 1:
        return by_file[0]
    if model in names:
        return str(model)
    raise BadValueError(
        f"the metadata hold {len(names)} models ({', '.join(names)}), and neither prompt nor file name says "
        "which was judged: name it with --model (model= in Python)"
    )


def _models(record: Mapping[str, Any], pair_id: str, scale: LabelScale | None) -> dict[str, ModelAnswer]:
    names = dict.fromkeys(
        _model_name(key)
        for key, value in record.items()
        if key.endswith(_MODEL_FIELDS) and _model_name(key) not in ("", _HUMAN) and value is not None
    )
    models: dict[str, ModelAnswer] = {}
    for name in names:
        reasons = read_texts(record, f"{name}-checklist", required=False)
        text = record.get(f"{name}-generated_text")
        if text is not None and not isinstance(text, str):
            raise BadValueError(f"{name}-generated_text must be text, not {kind(text)}")
        raw = record.get(f"{name}-label")
        verdict, bad_label = None, None
        if isinstance(raw, str) and whole(raw) is None:
            verdict = text_label(raw)
            bad_label = raw if raw.strip() and verdict is None else None
        else:
            verdict = parse_label(raw, scale=scale, field=f"{name}-label")
        # "quality-label": "good" alone is a field of the data set, not the failed answer of a model "quality"
        if bad_label is not None and not record.keys() & {f"{name}-checklist", f"{name}-generated_text"}:
            continue
        if reasons is not None or text is not None or verdict is not None or bad_label is not None:
            models[name] = ModelAnswer(
                id=f"{pair_id}/{name}", reasons=reasons, verdict=verdict, bad_label=bad_label, text=text
            )
    return models


def _model_name(key: str) -> str:
    return next(key.removesuffix(suffix) for suffix in _MODEL_FIELDS if key.endswith(suffix))


def _human_label(record: Mapping[str, Any], scale: LabelScale | None) -> int | None:
    label = parse_label(record.get("label"), scale=scale)
    preference = parse_label(record.get("overall_preference"), scale="helpsteer3", field="overall_preference")
    if label is None and preference is None:
        return parse_label(record.get("human-label"), scale=scale, field="human-label")
    if label is not None and preference is not None and not agree(label, preference):
        raise BadValueError(f"label and overall_preference disagree (as verdicts: {label} and {preference})")
    return label if preference is None else preference  # five levels, where a label may name the side alone


def _given(record: Mapping[str, Any], name: str) -> bool:
    """Whether there is a label, readable or not."""
    value = record.get(name)
    return not (value is None or value != value or (isinstance(value, str) and not value.strip()))


def _id(record: Mapping[str, Any], context: Any, response1: str, response2: str) -> str:
    """The id that the record has, else one made of its content: context and responses, and where one of them
    is missing also all that was judged, since what is left may be the same in other lines.
    """
    named = own_id(record)
    if named is not None:
        return named
    if all(record.get(name) is not None for name in ("context", "response1", "response2")):
        return content_id(context, response1, response2)
    answers = {key: value for key, value in record.items() if key.endswith(("-checklist", "-generated_text"))}
    return content_id(context, response1, response2, answers)
