"""RM-Bench: three styles of a right response against three of a wrong one (Liu et al., arXiv 2410.16184).

Each prompt has 3 x 3 comparisons, rows the style of the chosen response and columns that of the rejected one, in the
order concise, plain (detailed), markdown (detailed). ``hard`` is the mean above the diagonal, where the wrong response
has the fancier style, ``normal`` the diagonal, ``easy`` the mean below it, ``accuracy`` the mean of all nine. A domain
is the mean of its prompts, overall the mean of the domains: upstream's ``compute_accuracy`` after its
``split_dataset_by_domain``, which takes a prompt into the domain that its own begins with. Safety therefore holds the
prompts of both of its subsets, each prompt counting the same; the subsets are shown apart as well.

Rules: ``scores`` compares the scores of a scalar reward model, and ties lose. For a pairwise GenRM, which sees all
nine pairs in both orders: ``average`` is the share of right answers, ``both_orders`` wants both orders right.
``pairwise`` takes the results as upstream's users recorded them, one random order a pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data.faults import short
from rationale_rm.evals.answers import Answers, about_orders, malformed, mean, mean_of_known, of_readable, right
from rationale_rm.evals.benchmark import Benchmark
from rationale_rm.evals.files import given, item_digest
from rationale_rm.evals.rm_bench_prompts import CELLS, DOMAINS, STYLES, domain_of, items, prompt_of
from rationale_rm.evals.rm_bench_scores import TABLES, Table, read_recorded
from rationale_rm.evals.table import ScoredItem
from rationale_rm.types import Pair


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
        domain = domain_of(first.domain)
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
