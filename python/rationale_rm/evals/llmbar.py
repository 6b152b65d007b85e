"""LLMBar: which of two outputs follows the instruction (Zeng et al., arXiv 2310.07641).

Upstream's statistics, under upstream's names: ``correct_False`` and ``correct_True`` are the shares of right verdicts
with output 1 and output 2 shown first, ``correct_average`` their mean, ``correct_both`` the share of pairs right in
both orders, ``equal`` the share whose winner is the same in both. Rule ``text`` reads the answers again; rule
``stored``, where upstream recorded them, takes the winners that upstream's reader stored.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from rationale_rm import _core as core
from rationale_rm.data import Row
from rationale_rm.evals.answers import (
    ORDERS,
    Answers,
    Place,
    about_answers,
    answered,
    mean,
    passed_over,
    recorded_answer,
    right,
)
from rationale_rm.evals.benchmark import Benchmark
from rationale_rm.evals.files import choice_of, given, item_digest, refuse, same_texts, text_of, unique
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import Critique, GenrmStatus, Pair

STORED: Final = "winners"
_ORDER_NAMES: Final = {False: "swap = False", True: "swap = True"}
_ADVERSARIAL: Final = "Adversarial"
_LABELS: Final = {1: 1, 2: -1, "1": 1, "2": -1}
_BARE: Final = re.compile(r"""["'*`\s]*output\s?\((a|b)\)["'*`.\s]*""", re.IGNORECASE)
"""The whole answer of upstream's evaluators that are to say nothing else (Vanilla, Swap, Metrics, Reference, …)."""
_BARE_LENGTH: Final = 40
_WINNERS: Final = {"1": 1, "2": 2, 1: 1, 2: 2, "": 0, "0": 0, 0: 0}


def items(records: Sequence[Row]) -> list[Pair]:
    """The pairs of ``dataset.json`` or ``result.json`` files. Raises `DataError`."""
    seen: Counter[str] = Counter()
    pairs = []
    for row in records:
        pairs.append(_pair(row, seen[row.file]))
        seen[row.file] += 1
    return unique(pairs)


def _pair(row: Row, place: int) -> Pair:
    """The pair of a record; `place` is the record's in its file, from 0, whatever lines are empty."""
    subset = _subset(row.file)
    return Pair(
        id=f"{subset}/{place}",
        domain=subset,
        context=({"role": "user", "content": text_of(row, "input")},),
        response1=text_of(row, "output_1"),
        response2=text_of(row, "output_2"),
        references=(),
        label=choice_of(row, "label", row.value.get("label"), _LABELS),
        file=row.file,
        line=row.line,
    )


def _subset(file: str) -> str:
    """The set by its folder: ``Natural``, ``Adversarial/Neighbor``, …, however the path was given."""
    folders = _folders(file)
    if "evaluators" in folders:
        folders = folders[: folders.index("evaluators")]
    name = folders[-1] if folders[1:] else "data"  # the first is the root
    return f"{_ADVERSARIAL}/{name}" if len(folders) > 1 and folders[-2] == _ADVERSARIAL else name


def _folders(file: str) -> list[str]:
    return list(PurePath(os.path.abspath(file)).parts[:-1])


def _evaluator(file: str) -> str:
    folders = _folders(file)
    return "/".join(folders[folders.index("evaluators") + 1 :]) if "evaluators" in folders else "recorded"


def read_recorded(records: Sequence[Row], pairs: Sequence[Pair] | None) -> Answers:
    """Upstream's ``evaluators/LLM/STRATEGY/result.json``; the last of its ``results`` is the answer.

    An evaluator that compares leaves a text for each order. One that rates each output alone leaves two scores, of
    which the higher wins, and where they are equal the output shown second, as upstream has it. Raises `DataError`.
    """
    judged = items(records)
    wanted = judged if pairs is None else list(pairs)
    same_texts(wanted, judged)
    texts: list[str] = []
    asked: list[tuple[Pair, bool]] = []
    found: dict[Place, Critique] = {}
    winners: dict[Place, int] = {}
    for row, pair in zip(records, judged, strict=True):
        last = _last(row)
        for swapped in ORDERS:
            game = last.get(_ORDER_NAMES[swapped])
            if not isinstance(game, dict):
                refuse(row, f"the last of results has no {_ORDER_NAMES[swapped]!r}")
            winners[pair.id, swapped] = _winner(row, game.get("winner"))
            if "completion" in game:
                texts.append(_said(row, game["completion"]))
                asked.append((pair, swapped))
            else:
                found[pair.id, swapped] = _rated(row, pair, swapped, last)
    parsed = core.parse_genrm([_sentence(text) for text in texts])
    for (pair, swapped), text, verdict, status in zip(
        asked, texts, parsed.verdict.tolist(), parsed.status.tolist(), strict=True
    ):
        level = None if status else (-verdict if swapped else verdict)
        found[pair.id, swapped] = recorded_answer(pair, swapped, level, GenrmStatus(status), text)
    known = {pair.id for pair in wanted}
    return Answers(
        pairs=tuple(wanted),
        found={place: answer for place, answer in found.items() if place[0] in known},
        model=", ".join(dict.fromkeys(_evaluator(row.file) for row in records)),
        recorded={STORED: winners},
        notes=(*passed_over((pair.id for pair in judged), known), *_contradictions(found, winners)),
    )


def _last(row: Row) -> Mapping[str, Any]:
    results = row.value.get("results")
    if not isinstance(results, list) or not results or not isinstance(results[-1], dict):
        refuse(row, "results must be a list of objects")
    last: Mapping[str, Any] = results[-1]
    return last


def _winner(row: Row, winner: Any) -> int:
    """1 or 2, 0 for none."""
    return 0 if winner is None else choice_of(row, "winner", winner, _WINNERS)


def _said(row: Row, completion: Any) -> str:
    """The text of ``[text, finish_reason]``; a model that said nothing left null, and a rating may be a number."""
    text = completion[0] if isinstance(completion, list) and completion else completion
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return repr(text)
    if text is not None and not isinstance(text, str):
        refuse(row, "a completion or score must begin with text")
    return text or ""


def _sentence(text: str) -> str:
    """An answer that names an output and says nothing else, as the sentence that the reader of verdicts knows."""
    bare = _BARE.fullmatch(text) if len(text) <= _BARE_LENGTH else None
    return f"Output ({bare[1].lower()}) is better." if bare else text


def _rated(row: Row, pair: Pair, swapped: bool, last: Mapping[str, Any]) -> Critique:
    texts = [_said(row, last.get(f"score_{number}")) for number in (1, 2)]
    shown = f"output 1: {texts[0]}\noutput 2: {texts[1]}"
    try:
        first, second = (float(text) for text in texts)
    except ValueError:
        return recorded_answer(pair, swapped, None, GenrmStatus.NO_VERDICT, shown)
    if first == second:
        return recorded_answer(pair, swapped, 1 if swapped else -1, GenrmStatus.OK, shown)
    if first > second or first < second:
        return recorded_answer(pair, swapped, 1 if first > second else -1, GenrmStatus.OK, shown)
    return recorded_answer(pair, swapped, None, GenrmStatus.NO_VERDICT, shown)  # NaN


def _contradictions(found: Mapping[Place, Critique], winners: Mapping[Place, int]) -> list[str]:
    differ = [place for place, answer in found.items() if winner_of(answer) != winners[place]]
    if not differ:
        return []
    name, swapped = differ[0]
    return [
        f"{len(differ)} of {len(found)} stored winners contradict their own text, such as {name} with "
        f"{_ORDER_NAMES[swapped]}: rule text reads the texts, rule stored takes the winners"
    ]


def winner_of(answer: Critique) -> int:
    """1 or 2, the output that wins; 0 for a tie or no verdict."""
    return 0 if not answer.verdict else 1 if answer.verdict > 0 else 2


def score(answers: Answers) -> list[ScoredItem]:
    """Each pair under the rules that there are."""
    stored = answers.recorded.get(STORED)
    scored = []
    for pair in answers.pairs:
        both = answers.of(pair)
        values: dict[str, float | None] = {}
        seen = [winner_of(answer) if answer is not None and answered(answer) else None for answer in both]
        values |= _statistics("text", [right(pair, answer) for answer in both], seen)
        if stored is not None:
            winners = [stored.get((pair.id, swapped)) for swapped in answers.orders]
            wanted = 1 if pair.label == 1 else 2
            values |= _statistics("stored", [None if w is None else float(w == wanted) for w in winners], winners)
        slices = (_ADVERSARIAL, pair.domain) if pair.domain.startswith(f"{_ADVERSARIAL}/") else (pair.domain,)
        scored.append(
            ScoredItem(
                id=pair.id,
                cluster=pair.id,
                slices=slices,
                values=values | about_answers(pair, both),
                digest=item_digest(pair),
            )
        )
    return scored


def _statistics(rule: str, hits: Sequence[float | None], winners: Sequence[int | None]) -> dict[str, float | None]:
    first, second = hits
    return {
        f"{rule}/correct_average": mean(hits),
        f"{rule}/correct_both": None if None in hits else float(first == second == 1.0),
        f"{rule}/equal": None if None in winners else float(winners[0] == winners[1]),
        f"{rule}/correct_False": first,
        f"{rule}/correct_True": second,
    }


BENCHMARK: Final = Benchmark(
    name="llmbar",
    title="LLMBar",
    where="--data Dataset/LLMBar/Natural/dataset.json and Dataset/LLMBar/Adversarial/*/dataset.json of the GitHub "
    "repository princeton-nlp/LLMBar (its page on the hub holds a loading script and no data)",
    items=items,
    is_recorded=lambda record: given(record, "input", "output_1", "output_2", "results"),
    recorded="evaluators/LLM/STRATEGY/result.json of LLMBar (input, output_1, output_2, results)",
    read_recorded=read_recorded,
    score=score,
    headline=("text/correct_average", "text/correct_both", "stored/correct_average", "stored/correct_both"),
)
