"""JudgeBench: pairs of answers to hard questions, one of them right (Tan et al., arXiv 2410.12784).

``released`` is the rule of upstream's ``utils/metrics.py``: each of the two games is a vote for or against the label,
and a pair counts when the votes for it outweigh: right and a tie, or right and an answer that cannot be read, is
correct. ``both_orders`` wants both games right. ``average`` is the share of right games. ``stored`` is what upstream's
program prints for its own files: the released rule over the decisions as recorded, where a failed call is no vote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from rationale_rm.evals.files import choice_of, given, item_digest, name_of, refuse, same_texts, text_of, unique
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import Critique, GenrmStatus, Pair

SLICES: Final[Mapping[str, str]] = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "code",
}
"""How a source begins → slice."""
_LABELS: Final = {"A>B": 1, "B>A": -1}
_DECISIONS: Final = {"A>B": 1, "B>A": -1, "A=B": 0}
_UPSTREAMS: Final = frozenset("AB<>=")
"""Of these signs upstream's reader of double brackets takes anything, such as ``A<B``, which counts for neither."""
STORED: Final = "stored"
"""In `Answers.recorded`: id of the pair → whether upstream counts it."""
BRACKETS: Final = "arena_hard"
"""The judge of upstream whose verdicts stand in double brackets, and are read here from the text again."""


def items(records: Sequence[Row]) -> list[Pair]:
    """The pairs of data files or of judge outputs. Raises `DataError`."""
    return unique([_pair(row) for row in records])


def _pair(row: Row) -> Pair:
    return Pair(
        id=name_of(row, "pair_id"),
        domain=text_of(row, "source"),
        context=({"role": "user", "content": text_of(row, "question")},),
        response1=text_of(row, "response_A"),
        response2=text_of(row, "response_B"),
        references=(),
        label=choice_of(row, "label", row.value.get("label"), _LABELS),
        file=row.file,
        line=row.line,
    )


def read_recorded(records: Sequence[Row], pairs: Sequence[Pair] | None) -> Answers:
    """Outputs of upstream's ``run_judge.py``: each line a pair with its one or two ``judgments``.

    Verdicts of the `BRACKETS` judge are read from the text by JudgeBench's rule, that labels which differ within one
    answer are none; of other judges, whose texts have forms of their own, the recorded ``decision`` stands. A judgment
    that is null is a call that failed, and no answer. Raises `DataError`.
    """
    judged = items(records)
    wanted = judged if pairs is None else list(pairs)
    same_texts(wanted, judged)
    n_games = {len(_games(row)) for row in records}
    orders = ORDERS if max(n_games) == len(ORDERS) else (False,)
    texts: list[str] = []
    places: list[tuple[Pair, bool, int | None]] = []
    found: dict[Place, Critique] = {}
    models: set[str] = set()
    decided, differing = 0, 0
    for row, pair in zip(records, judged, strict=True):
        for swapped, game in zip(ORDERS, _games(row), strict=False):
            if game is None:
                continue
            if not isinstance(game, dict):
                refuse(row, "judgments must hold objects or null")
            said = game.get("judgment")
            said = said if isinstance(said, dict) else {}
            models.add(str(said.get("judge_model") or row.value.get("judge_name") or "recorded"))
            if row.value.get("judge_name") == BRACKETS and isinstance(said.get("response"), str):
                texts.append(said["response"])
                places.append((pair, swapped, _upstreams(row, game.get("decision"))))
            else:
                found[pair.id, swapped] = _decision(row, pair, swapped, game.get("decision"), said.get("response"))
                decided += 1
    parsed = core.parse_genrm(texts, format="bracket", policy="unanimous")
    for (pair, swapped, decision), text, verdict, status in zip(
        places, texts, parsed.verdict.tolist(), parsed.status.tolist(), strict=True
    ):
        level = None if status else (-verdict if swapped else verdict)
        found[pair.id, swapped] = recorded_answer(pair, swapped, level, GenrmStatus(status), text)
        shown = None if status else (verdict > 0) - (verdict < 0)
        differing += shown != decision
    known = {pair.id for pair in wanted}
    notes = passed_over((pair.id for pair in judged), known)
    if decided:
        notes.append(f"{decided} games of judges whose texts are of another form: the recorded decision stands")
    if differing:
        notes.append(f"{differing} of {len(places)} texts read otherwise than the decision recorded with them")
    if orders != ORDERS:
        notes.append("one game a pair was recorded: what needs both orders is not there")
    return Answers(
        pairs=tuple(wanted),
        found={place: answer for place, answer in found.items() if place[0] in known},
        model=", ".join(sorted(models)) or "recorded",
        orders=orders,
        recorded={STORED: {pair.id: _stored(row, pair) for row, pair in zip(records, judged, strict=True)}},
        notes=tuple(notes),
    )


def _games(row: Row) -> list[Any]:
    games = row.value.get("judgments")
    if not isinstance(games, list) or not 1 <= len(games) <= len(ORDERS):
        refuse(row, "judgments must be a list of one or two games")
    return games


def _upstreams(row: Row, decision: Any) -> int | None:
    """The side that upstream's reader took of a text in double brackets; None where it counts for neither."""
    if decision is None or (
        isinstance(decision, str) and decision not in _DECISIONS and _UPSTREAMS.issuperset(decision)
    ):
        return None
    return choice_of(row, "decision", decision, _DECISIONS)


def _stored(row: Row, pair: Pair) -> float:
    """Whether upstream counts a pair: 1 where the recorded decisions for the label outweigh."""
    decisions = [None if game is None else game.get("decision") for game in _games(row)]
    sides = [_DECISIONS.get(decision, 0) if isinstance(decision, str) else 0 for decision in decisions]
    return float((sides[0] - sum(sides[1:])) * (pair.label or 0) > 0)


def _decision(row: Row, pair: Pair, swapped: bool, decision: Any, text: Any) -> Critique:
    said = text if isinstance(text, str) else None
    if decision is None:
        return recorded_answer(pair, swapped, None, GenrmStatus.NO_VERDICT, said)
    side = choice_of(row, "decision", decision, _DECISIONS)
    return recorded_answer(pair, swapped, -side if swapped else side, GenrmStatus.OK, said)


def score(answers: Answers) -> list[ScoredItem]:
    """Each pair under every rule; `STORED` is there where upstream recorded the answers."""
    stored = answers.recorded.get(STORED)
    scored = []
    for pair in answers.pairs:
        games = answers.of(pair)
        hits = [right(pair, game) for game in games]
        values: dict[str, float | None] = {
            "released/accuracy": _released(pair, games),
            "average/accuracy": mean(hits),
        }
        if answers.orders == ORDERS:
            values["both_orders/accuracy"] = None if None in hits else float(hits == [1.0, 1.0])
        if stored is not None:
            values[f"{STORED}/accuracy"] = stored.get(pair.id)
        kind = next((name for start, name in SLICES.items() if pair.domain.startswith(start)), "other")
        scored.append(
            ScoredItem(
                id=pair.id,
                cluster=pair.id,
                slices=(kind,),
                values=values | about_answers(pair, games),
                digest=item_digest(pair),
            )
        )
    return scored


def _released(pair: Pair, games: Sequence[Critique | None]) -> float | None:
    """Whether votes for the label outweigh; an answer that cannot be read is no vote, one that never came makes the
    figure missing.
    """
    if not all(map(answered, games)):
        return None
    label = pair.label or 0
    votes = [(game.verdict or 0) * label if game is not None else 0 for game in games]
    return float(sum((vote > 0) - (vote < 0) for vote in votes) > 0)


BENCHMARK: Final = Benchmark(
    name="judgebench",
    title="JudgeBench",
    where="--data hub:ScalerLab/JudgeBench/data/gpt-00000-of-00001.jsonl (350 pairs) and "
    "hub:ScalerLab/JudgeBench/data/claude-00000-of-00001.jsonl (270 pairs), or data/*.jsonl of the GitHub repository "
    "ScalerLab/JudgeBench",
    items=items,
    is_recorded=lambda record: given(record, "pair_id", "judgments"),
    recorded="outputs of JudgeBench's run_judge.py (pair_id, judgments)",
    read_recorded=read_recorded,
    score=score,
    headline=("released/accuracy", "stored/accuracy", "both_orders/accuracy", "average/accuracy"),
)
