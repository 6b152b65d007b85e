"""RM-Bench: three styles of a right response against three of a wrong one (Liu et al., arXiv 2410.16184).

Each prompt has 3 x 3 comparisons, rows the style of the chosen response and columns that of the rejected one, in the
order concise, plain (detailed), markdown (detailed). ``hard`` is the mean above the diagonal, where the wrong response
has the fancier style, ``normal`` the diagonal, ``easy`` the mean below it, ``accuracy`` the mean of all nine. A domain
is the mean of its prompts, overall the mean of the domains, as in upstream's ``compute_accuracy``: safety holds the
prompts of both of its subsets, which are shown apart as well.

Rules: ``scores`` compares the scores of a scalar reward model, and ties lose. For a pairwise GenRM, which sees all
nine pairs in both orders: ``average`` is the share of right answers, ``both_orders`` wants both orders right.
``pairwise`` takes the results as upstream's users recorded them, one random order a pair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import PurePath
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import Row
from rationale_rm.data.faults import kind, short
from rationale_rm.evals.answers import Answers, about_orders, malformed, mean, mean_of_known, of_readable, right
from rationale_rm.evals.benchmark import Benchmark
from rationale_rm.evals.files import checked, given, item_digest, name_of, refuse, same_texts, text_of, unique
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import Pair

STYLES: Final = ("concise", "plain", "markdown")
CELLS: Final = tuple(product(range(3), range(3)))
"""(chosen, rejected), row by row."""
DOMAINS: Final = ("chat", "math", "code", "safety")
_SUFFIXES: Final = frozenset({".json", ".jsonl", ".parquet", ".gz"})
_LARGEST: Final = 1 << 1000
TABLES: Final = "tables"
"""In `Answers.recorded`: rule → id of the prompt → (3, 3) values, None where there is none."""
Table = list[list[float | None]]


def items(records: Sequence[Row]) -> list[Pair]:
    """Nine pairs a prompt of ``total_dataset.json`` or ``DOMAIN_filtered.json``. Raises `DataError`."""
    return [pair for prompt in unique([_prompt(row) for row in records]) for pair in _nine(prompt)]


def _prompt(row: Row) -> Pair:
    """A prompt with what all its pairs share; its responses stand in ``extra``."""
    domain = _domain(row)
    texts = {}
    for name in ("chosen", "rejected"):
        found = row.value.get(name)
        if not isinstance(found, list) or len(found) != len(STYLES) or not all(isinstance(text, str) for text in found):
            refuse(row, f"{name} must be a list of {len(STYLES)} texts: {', '.join(STYLES)}")
        texts[name] = [checked(row, name, text) for text in found]
    return Pair(
        id=f"{domain}/{name_of(row, 'id')}",
        domain=domain,
        context=({"role": "user", "content": text_of(row, "prompt")},),
        response1="",
        response2="",
        references=(),
        label=1,
        extra=texts,
        file=row.file,
        line=row.line,
    )


def _nine(prompt: Pair) -> list[Pair]:
    """The chosen response is response 1 of every pair, and label A>B: both orders are shown."""
    return [
        replace(
            prompt,
            id=f"{prompt.id}/{STYLES[i]}-{STYLES[j]}",
            response1=prompt.extra["chosen"][i],
            response2=prompt.extra["rejected"][j],
            extra={},
        )
        for i, j in CELLS
    ]


def prompt_of(pair_id: str) -> str:
    """Id of the prompt that a pair belongs to."""
    return pair_id.rpartition("/")[0]


def read_recorded(records: Sequence[Row], pairs: Sequence[Pair] | None) -> Answers:
    """Scores or pairwise results in the files of upstream and of those who use it.

    ``score_chosen`` and ``score_rejected``, three numbers each, are what upstream's scripts write. ``result``, three
    numbers a record in three files, is what RM-R1's script leaves of a GenRM: in file r the right response of style k
    meets the wrong one of style (k + r) mod 3, so the files must be given in their order. Raises `DataError`.
    """
    files = list(dict.fromkeys(row.file for row in records))
    scalar = given(records[0].value, "score_chosen", "score_rejected")
    rule = "scores" if scalar else "pairwise"
    if not scalar and len(files) != len(STYLES):
        refuse(records[0], f"pairwise results stand in three files, one a rotation, in order; there are {len(files)}")
    tables: dict[str, Table] = {}
    shown: dict[str, Pair] = {}
    seen: set[tuple[str, str]] = set()
    for row in records:
        prompt = _prompt(row) if given(row.value, "chosen", "rejected", "prompt") else _bare(row)
        where = "" if scalar else row.file  # pairwise results of one prompt stand once in each file
        if (prompt.id, where) in seen:
            refuse(row, f"the prompt {prompt.id} has {'scores' if scalar else 'results of this rotation'} already")
        seen.add((prompt.id, where))
        same_texts(_pairs_of(shown.setdefault(prompt.id, prompt)), _pairs_of(prompt))
        table = tables.setdefault(prompt.id, [[None] * 3 for _ in STYLES])
        if scalar:
            chosen, rejected = (_numbers(row, name) for name in ("score_chosen", "score_rejected"))
            for i, j in CELLS:
                a, b = chosen[i], rejected[j]
                table[i][j] = None if math.isnan(a) or math.isnan(b) else float(a > b)
        else:
            rotation = files.index(row.file)
            for k, value in enumerate(_numbers(row, "result")):
                if not (math.isnan(value) or 0 <= value <= 1):
                    refuse(row, f"result holds {value:g}: expected what the right response won, 0 to 1")
                table[k][(k + rotation) % 3] = None if math.isnan(value) else value
    wanted = pairs if pairs is not None else [pair for prompt in shown.values() for pair in _pairs_of(prompt)]
    same_texts(wanted, [pair for prompt in shown.values() for pair in _pairs_of(prompt)])
    notes = ["recorded scores hold no answers: parse failures and order figures are not there"]
    if rule == "pairwise":
        notes.append("pairwise results count as recorded: a tie may stand as 0.5, and one order a pair was drawn")
    return Answers(
        pairs=tuple(wanted),
        found={},
        model=_model_of(files[0]),
        orders=(),
        recorded={TABLES: {rule: tables}},
        notes=tuple(notes),
    )


def _model_of(file: str) -> str:
    """The file's name without its suffixes; a model's own name may hold dots."""
    path = PurePath(file)
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def _domain(row: Row) -> str:
    """The record's domain, else that of the file's name."""
    domain = row.value.get("domain")
    if domain is None:
        domain = PurePath(row.file).name.partition("_")[0].partition(".")[0]
    if not isinstance(domain, str) or _slice_of(domain) is None:
        refuse(row, f"domain is {short(str(domain))}: expected {', '.join(DOMAINS)} (or a file DOMAIN_filtered.json)")
    return domain


def _slice_of(domain: str) -> str | None:
    """The domain that this one is or is a subset of, such as safety of ``safety-refuse``."""
    first = domain.partition("-")[0]
    return first if first in DOMAINS else None


def _bare(row: Row) -> Pair:
    """A prompt of which the file holds no texts."""
    domain = _domain(row)
    return Pair(
        id=f"{domain}/{name_of(row, 'id')}",
        domain=domain,
        context="",
        response1="",
        response2="",
        references=(),
        label=1,
    )


def _pairs_of(prompt: Pair) -> list[Pair]:
    if "chosen" in prompt.extra:
        return _nine(prompt)
    return [replace(prompt, id=f"{prompt.id}/{STYLES[i]}-{STYLES[j]}") for i, j in CELLS]


def _numbers(row: Row, name: str) -> list[float]:
    found = row.value.get(name)
    if not isinstance(found, list) or len(found) != len(STYLES):
        refuse(row, f"{name} must be a list of {len(STYLES)} numbers")
    for value in found:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            refuse(row, f"{name} must hold numbers, not {kind(value)}")
        if isinstance(value, int) and abs(value) > _LARGEST:
            refuse(row, f"{name} holds a number of too many digits")
    return [math.nan if value is None else float(value) for value in found]


def score(answers: Answers) -> list[ScoredItem]:
    """Each prompt under the rules that there are."""
    prompts: dict[str, dict[str, Pair]] = {}
    for pair in answers.pairs:
        prompts.setdefault(prompt_of(pair.id), {})[pair.id] = pair
    recorded = answers.recorded.get(TABLES)
    scored = []
    for name, pairs in prompts.items():
        if recorded is not None:
            values = {
                key: value
                for rule, tables in recorded.items()
                for key, value in _figures(rule, tables.get(name, [[None] * 3 for _ in STYLES])).items()
            }
        else:
            values = _answered(name, pairs, answers)
        first = next(iter(pairs.values()))
        domain = _slice_of(first.domain)
        if domain is None or not name:
            raise RationaleError(f"{first.id} is no pair of RM-Bench: its domain is {short(first.domain)}")
        digests = [item_digest(pair) for pair in pairs.values()]
        scored.append(
            ScoredItem(
                id=name,
                cluster=name,
                slices=(domain,) if first.domain == domain else (domain, first.domain),
                values=values,
                digest=None if None in digests else "".join(str(digest)[:4] for digest in digests),
            )
        )
    return scored


def _answered(name: str, pairs: Mapping[str, Pair], answers: Answers) -> dict[str, float | None]:
    average: Table = [[None] * 3 for _ in STYLES]
    both: Table = [[None] * 3 for _ in STYLES]
    games: list[Any] = []
    orders: list[dict[str, float | None]] = []
    for i, j in CELLS:
        pair = pairs.get(f"{name}/{STYLES[i]}-{STYLES[j]}")
        if pair is None:
            continue
        found = answers.of(pair)
        hits = [right(pair, answer) for answer in found]
        average[i][j] = mean(hits)
        both[i][j] = None if None in hits else float(all(hit == 1.0 for hit in hits))
        games += found
        orders.append(about_orders(*found))
    beside = {"/malformed": mean_of_known(map(malformed, games)), **of_readable(next(iter(pairs.values())), games)} | {
        f"/{metric}": mean_of_known(one[metric] for one in orders) for metric in ("order_consistency", "position_bias")
    }
    return _figures("average", average) | _figures("both_orders", both) | beside


def _figures(rule: str, table: Table) -> dict[str, float | None]:
    """Of one prompt: the nine cells and their means."""
    parts = {
        "accuracy": CELLS,
        "easy": [(i, j) for i, j in CELLS if i > j],
        "normal": [(i, j) for i, j in CELLS if i == j],
        "hard": [(i, j) for i, j in CELLS if i < j],
    }
    found = {f"{rule}/{metric}": mean(table[i][j] for i, j in cells) for metric, cells in parts.items()}
    return found | {f"{rule}/{STYLES[i]}_over_{STYLES[j]}": table[i][j] for i, j in CELLS}


BENCHMARK: Final = Benchmark(
    name="rm_bench",
    title="RM-Bench",
    where="--data hub:THU-KEG/RM-Bench/total_dataset.json, or data/DOMAIN_filtered.json of the GitHub "
    "repository THU-KEG/RM-Bench",
    items=items,
    is_recorded=lambda record: given(record, "score_chosen", "score_rejected") or given(record, "id", "result"),
    recorded="RM-Bench scores (id, score_chosen, score_rejected) or three files of pairwise results (id, result)",
    read_recorded=read_recorded,
    score=score,
    strata={"overall": DOMAINS},
    headline=(
        *("scores/easy", "scores/normal", "scores/hard", "scores/accuracy", "pairwise/accuracy"),
        *("average/easy", "average/normal", "average/hard", "average/accuracy", "both_orders/accuracy"),
    ),
)
