"""Many lines into pairs: lines of one id are joined, faults are collected."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rationale_rm._core import parse_genrm, parse_metajudge
from rationale_rm.data.faults import BadLine, BadValueError, DataError, short
from rationale_rm.data.fields import has_own_id
from rationale_rm.data.files import Row, expand, read_rows
from rationale_rm.data.labels import LabelScale, agree, finer
from rationale_rm.data.records import (
    label_from_row,
    pair_from_row,
    record_names,
    renamed,
    source_names,
    superseded_by,
)
from rationale_rm.types import JudgeAnswer, ModelAnswer, Pair


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `read_pairs` found."""

    pairs: tuple[Pair, ...]
    """One record a pair, or several where both orders or several samples were asked for (`Pair.pair_id`)."""
    bad: tuple[BadLine, ...]
    files: tuple[str, ...]
    n_lines: int
    """Lines that were not blank, good and bad."""
    n_unused_labels: int
    """Lines that hold a label and no human reasons, and whose pair is nowhere."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted: the order of lines says nothing."""
        return tuple(sorted({name for pair in self.pairs for name in pair.models}))

    @property
    def n_pairs(self) -> int:
        """Source pairs."""
        return len({pair.source_id for pair in self.pairs})

    @property
    def n_labelled(self) -> int:
        """Source pairs with a human preference."""
        return len({pair.source_id for pair in self.pairs if pair.label is not None})


def read_pairs(
    paths: Sequence[str | os.PathLike[str]],
    *,
    strict: bool = False,
    label_scale: LabelScale | None = None,
    model: str | None = None,
    need_references: bool = True,
    on_line: Callable[[int], None] | None = None,
) -> Loaded:
    """Reads files, folders or ``-`` into pairs.

    `label_scale` says what a whole number in ``label`` or ``M-label`` means: ``helpsteer3`` (-3 response 1
    much better … 3 response 2 much better), ``verdict`` (2 response 1 much better … -2) or ``index`` (1 or
    2, the better response). Without it such a line is refused. `model` names the judged model of result
    files whose records hold several models and whose prompt and file name do not tell. Without
    `need_references` pairs may lack human reasons. `on_line` is called with the number of lines read so far.

    A line without ``human-checklist`` and without model fields that holds a label (a record of HelpSteer3's
    preference data) gives it to the pair of the same id, or of the same context and responses. Lines of
    pairs are joined likewise, by content where one of them has no id. Records of one source pair share its
    label. Of the lines that runs of this program wrote into one file (they carry ``made_by``), the last one of an
    id counts.

    Raises `DataError` at the first bad line when `strict`, `FileNotFoundError` for a path that is not there
    and `MissingExtraError` for a file that needs a library of ``rationale-rm[io]``.
    """
    files = expand(paths)
    pairs = _Pairs()
    labels = _Labels()
    bad: list[BadLine] = []
    n_lines = 0

    def refuse(fault: BadLine) -> None:
        if strict:
            raise DataError(fault)
        bad.append(fault)

    def add(pair: Pair) -> None:
        try:
            pairs.add(pair)
        except BadValueError as error:
            refuse(BadLine(pair.file or "", pair.line or 0, str(error)))

    # What a later line of the file may supersede waits for its end.
    waiting: dict[tuple[bool, str], Pair | BadLine] = {}

    def settle() -> None:
        for found in waiting.values():
            if isinstance(found, BadLine):
                refuse(found)
            else:
                add(found)
        waiting.clear()

    file = None
    for item in read_rows(files):
        n_lines += 1
        if on_line is not None:
            on_line(n_lines)
        if item.file != file:
            settle()
            file = item.file
        if isinstance(item, BadLine):
            refuse(item)
            continue
        key = superseded_by(item.value)
        try:
            label = label_from_row(item, label_scale, need_references)
            if label is not None:
                labels.add(item, *label)
                continue
            found: Pair | BadLine = pair_from_row(item, label_scale, model, need_references)
        except BadValueError as error:
            found = BadLine(item.file, item.line, str(error))
        if key is not None:
            waiting[key] = found
        elif isinstance(found, BadLine):
            refuse(found)
        else:
            add(found)
    settle()
    labelled = []
    for pair in pairs.by_key.values():
        new, faults = labels.give(pair)
        labelled.append(new)
        for fault in faults:
            refuse(fault)
    shared, faults = share_labels(labelled)
    for fault in faults:
        refuse(fault)
    return Loaded(tuple(shared), tuple(bad), tuple(files), n_lines, labels.n_unused)


def read_pair(row: Row, *, label_scale: LabelScale | None = None, model: str | None = None) -> Pair | BadLine:
    """One decoded line as a pair, or why it is none; arguments as for `read_pairs`."""
    try:
        return pair_from_row(row, label_scale, model)
    except BadValueError as error:
        return BadLine(row.file, row.line, str(error))


def read_line(row: Row, *, label_scale: LabelScale | None = None, model: str | None = None) -> Pair | BadLine | None:
    """Like `read_pair`, but None for a line that only holds a label of a pair that stands elsewhere."""
    try:
        label = label_from_row(row, label_scale)
    except BadValueError as error:
        return BadLine(row.file, row.line, str(error))
    return read_pair(row, label_scale=label_scale, model=model) if label is None else None


class _Pairs:
    """The pairs so far, found by their id and, where one of two lines has no id, by their content."""

    def __init__(self) -> None:
        self.by_key: dict[str, Pair] = {}
        self.key_of: dict[str, str] = {}

    def add(self, pair: Pair) -> None:
        """Joins the pair to what is there of it. Raises `BadValueError` where they contradict each other."""
        names = record_names(pair)
        known = (self.key_of[name] for name in names if name in self.key_of)
        key = next((key for key in known if self._same(self.by_key[key].id, pair.id)), pair.id)
        if key in self.by_key:
            old = self.by_key[key]
            if has_own_id(pair.id):
                old = renamed(old, pair) if old.id != pair.id else old
            else:
                pair = renamed(pair, old)
            pair = _join(old, pair)
        self.by_key[key] = pair
        for name in record_names(pair):
            self.key_of.setdefault(name, key)

    @staticmethod
    def _same(old: str, new: str) -> bool:
        return old == new or not (has_own_id(old) and has_own_id(new))


class _Labels:
    """Labels on lines of their own, found by the id of the pair and by its content."""

    def __init__(self) -> None:
        self.rows: list[tuple[Row, int]] = []
        self.row_of: dict[str, int] = {}
        self.used: set[int] = set()
        self.refused: set[int] = set()

    def add(self, row: Row, names: Sequence[str], verdict: int) -> None:
        """Keeps a label. Raises `BadValueError` where it contradicts an earlier one."""
        known = {self.row_of[name] for name in names if name in self.row_of}
        for number in sorted(known):
            first, label = self.rows[number]
            if not agree(label, verdict):
                raise BadValueError(f"another label for the same pair than at {first.file}:{first.line}")
            self.rows[number] = first, finer(label, verdict)
        if not known:
            self.rows.append((row, verdict))
        for name in names:
            self.row_of.setdefault(name, min(known, default=len(self.rows) - 1))

    def give(self, pair: Pair) -> tuple[Pair, list[BadLine]]:
        """The pair with its label, and the labels that contradict it."""
        names = source_names(pair)
        bad = []
        for number in sorted({self.row_of[name] for name in names if name in self.row_of}):
            self.used.add(number)
            row, verdict = self.rows[number]
            if pair.label is None or agree(pair.label, verdict):
                pair = replace(pair, label=verdict if pair.label is None else finer(pair.label, verdict))
            elif number not in self.refused:
                self.refused.add(number)
                bad.append(BadLine(row.file, row.line, f"another label than in the pair {short(pair.id)}"))
        return pair, bad

    @property
    def n_unused(self) -> int:
        """Labels of pairs that are nowhere."""
        return len(self.rows) - len(self.used)


def share_labels(pairs: Sequence[Pair]) -> tuple[list[Pair], list[BadLine]]:
    """The records with the finest label that stands in any record of their source pair, and the records whose own
    label, which they keep, contradicts an earlier one.

    Records whose human reasons differ share nothing: a ``pair_id`` of some other data set may mean something else.
    """
    found: dict[tuple[str, tuple[str, ...]], tuple[int, Pair]] = {}
    bad = []
    for pair in pairs:
        if pair.label is None:
            continue
        label, first = found.setdefault((pair.source_id, pair.references), (pair.label, pair))
        if agree(label, pair.label):
            found[pair.source_id, pair.references] = finer(label, pair.label), first
        else:
            where = f"{first.file}:{first.line}"
            reason = f"id {short(pair.id)} has another label than {short(first.id)} of the same pair at {where}"
            bad.append(BadLine(pair.file or "", pair.line or 0, reason))
    shared = []
    for pair in pairs:
        known = found.get((pair.source_id, pair.references))
        if known is not None and (pair.label is None or agree(pair.label, known[0])):
            pair = replace(pair, label=known[0])
        shared.append(pair)
    return shared, bad


def _join(old: Pair, new: Pair) -> Pair:
    """Two lines of one id as one pair. Raises where they contradict each other.

    A line that adds nothing is a duplicate in the same file; in another, such as the pairs behind a judge
    run, it may be.
    """
    where = f"{old.file}:{old.line}"
    if new.references != old.references:
        raise BadValueError(f"id {short(old.id)} was read at {where} with another human-checklist")
    for name in ("context", "response1", "response2"):
        mine, theirs = getattr(old, name), getattr(new, name)
        if mine and theirs and mine != theirs:
            raise BadValueError(f"id {short(old.id)} was read at {where} with another {name}")
    label = new.label if old.label is None else old.label
    if label is not None and new.label is not None:
        if not agree(label, new.label):
            raise BadValueError(f"id {short(old.id)} was read at {where} with another label")
        label = finer(label, new.label)
    if None not in (old.pair_id, new.pair_id) and old.pair_id != new.pair_id:
        raise BadValueError(f"id {short(old.id)} was read at {where} with another pair_id")
    if "unknown" not in (old.domain, new.domain) and old.domain != new.domain:
        raise BadValueError(f"id {short(old.id)} was read at {where} with another domain")
    models = dict(old.models)
    for name, answer in new.models.items():
        if name in models:
            answer = _join_answers(name, models[name], answer, len(old.references), where)
        models[name] = answer
    joined = replace(
        old,
        domain=new.domain if old.domain == "unknown" else old.domain,
        context=old.context or new.context,
        response1=old.response1 or new.response1,
        response2=old.response2 or new.response2,
        label=label,
        models=models,
        extra={**new.extra, **old.extra},
        pair_id=new.pair_id if old.pair_id is None else old.pair_id,
    )
    judges = all(answer.judge in (None, models[name].judge) for name, answer in new.models.items())
    if new.file == old.file and judges and replace(joined, extra=old.extra) == old:
        raise BadValueError(f"duplicated id {short(old.id)}: first read at {where}")
    return joined


def _join_answers(model: str, old: ModelAnswer, new: ModelAnswer, n_references: int, where: str) -> ModelAnswer:
    changes: dict[str, Any] = {}
    for name, field in (
        ("reasons", "checklist"),
        ("verdict", "label"),
        ("bad_label", "label"),
        ("text", "generated_text"),
    ):
        mine, theirs = getattr(old, name), getattr(new, name)
        if mine is not None and theirs is not None and mine != theirs:
            raise BadValueError(f"{model}-{field} differs from the line of the same id at {where}")
        changes[name] = theirs if mine is None else mine
    if (old.swapped, old.sample) != (new.swapped, new.sample):
        raise BadValueError(f"{model} answers another order or sample of the same id at {where}")
    joined = replace(old, **changes)
    if old.judge is None or new.judge is None:
        return replace(joined, judge=new.judge or old.judge)
    # The authors' script appends when it is run again: the better answer stands, of failures the last.
    reasons = parse_genrm([joined.text or ""]).reasons[0] if joined.reasons is None else joined.reasons
    was, now = (_quality(judge, n_references, len(reasons[: judge.top_k])) for judge in (old.judge, new.judge))
    if was == now > 0 and _content(old.judge) != _content(new.judge):
        names = [judge.judge for judge in (new.judge, old.judge)]
        which = f", by {names[0]} and not {names[1]}" if None not in names and names[0] != names[1] else ""
        raise BadValueError(f"a second judge answer about model {short(model)}{which}; the first stands at {where}")
    return replace(joined, judge=old.judge if was > now or was == now > 0 else new.judge)


def _content(judge: JudgeAnswer) -> tuple[Any, ...]:
    return judge.samples, judge.entries, judge.top_k


def _quality(judge: JudgeAnswer, n_references: int, n_reasons: int) -> int:
    """2 for an answer that can be read, 1 for one that its run called a success, 0 for a failure."""
    if judge.entries is not None:
        return 2
    samples = judge.samples
    parsed = parse_metajudge(samples, [n_references] * len(samples), [n_reasons] * len(samples))
    return 2 if (parsed.status == 0).any() else int(bool(samples) and judge.status == "success")
