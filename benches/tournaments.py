"""How much of a round-robin's ranking do schedules with fewer comparisons keep? Simulated judges of known strength.

python -m benches.tournaments [--groups N] [--seed N]

Each group has n responses with qualities drawn from a standard normal distribution. In each order the judge prefers i
to j with probability 1 / (1 + exp(-slope (q_i - q_j))), drawn once for a group, so that all schedules of a group hear
the same verdicts. A comparison is a pair in both orders. Scores are Bradley-Terry strengths, and what is measured is
the mean rank correlation of scores and qualities over groups; a ranking that says nothing counts 0. `by_wins` is the
usual Swiss pairing, for comparison.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rationale_rm as rm
from numpy.typing import NDArray

OUTPUT = Path("docs/experiments/tournaments.json")
SLOPES = {"sharp": 20.0, "good": 5.0, "fair": 2.0, "noisy": 1.0}
"""What a unit of quality, which is a standard deviation of the responses', is in log-odds."""
SHARES = {8: (0.3, 0.4, 0.5, 0.6), 16: (0.2, 0.3, 1 / 3, 0.4, 0.5)}
TARGET = 0.93
N_RESAMPLES = 2000

Array = NDArray[np.float64]


def judged_groups(n: int, slope: float, groups: int, seed: int) -> tuple[Array, Array]:
    """Qualities (groups, n), and what each response wins of each other one (groups, n, n): the mean of both orders."""
    random = np.random.default_rng([seed, n, int(slope * 1000)])
    quality = random.normal(size=(groups, n))
    p = 1 / (1 + np.exp(-slope * (quality[:, :, None] - quality[:, None, :])))
    upper = np.triu((random.random((2, groups, n, n)) < p).mean(0), 1)
    return quality, upper + np.tril(1 - upper.transpose(0, 2, 1), -1)


def play(won: Array, schedule: Any, budget: int | None) -> tuple[Array, int, int]:
    """Strengths (groups, n) after the tournaments; comparisons a group, and the most rounds."""
    groups, n = won.shape[:2]
    rows = np.zeros((0, 3), dtype=np.int64)  # group, first, second
    rounds = 0
    while True:
        group, first, second = rows.T
        offsets = np.searchsorted(group, np.arange(groups + 1))
        columns = offsets, first, second, won[group, first, second], n
        found = rm.next_pairs(*columns, schedule=schedule, seeds=np.arange(groups), budgets=budget)
        if not len(found[1]):
            return rm.bradley_terry(*columns).reshape(groups, n), len(rows) // groups, rounds
        owner = np.repeat(np.arange(groups), np.diff(found[0]))
        rows = np.concatenate([rows, np.stack([owner, *found[1:]], axis=1)])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        rounds += 1


def play_by_wins(won: Array, budget: int, seed: int = 0) -> tuple[Array, int, int]:
    """The usual Swiss pairing, as a peer: in the order of wins, each with the next one that it has not met."""
    groups, n = won.shape[:2]
    strengths, most = [], 0
    for group in range(groups):
        drawn = np.random.default_rng([seed, group]).permutation(n).tolist()
        met: list[tuple[int, int]] = []
        wins = [0.0] * n
        rounds = 0
        while len(met) < budget:
            left = sorted(drawn, key=lambda item: -wins[item])
            pairs = []
            while left:
                first = left.pop(0)
                second = next((item for item in left if not {(first, item), (item, first)} & set(met)), None)
                if second is not None:
                    left.remove(second)
                    pairs.append((first, second))
            if not pairs:
                break
            for first, second in pairs[: budget - len(met)]:
                met.append((first, second))
                wins[first] += won[group, first, second]
                wins[second] += won[group, second, first]
            rounds += 1
        first, second = np.array(met).T
        strengths.append(rm.bradley_terry([0, len(met)], first, second, won[group, first, second], [n]))
        most = max(most, rounds)
    return np.array(strengths), budget, most


def kendall(scores: Array, quality: Array) -> Array:
    """Kendall's tau-b of each row; strengths that differ by rounding alone are tied."""
    i, j = np.triu_indices(scores.shape[1], 1)
    signs = [np.sign((x[:, i] - x[:, j]).round(9)) for x in (scores, quality)]
    both = np.sqrt(np.prod([np.abs(sign).sum(1) for sign in signs], axis=0))
    return np.where(both > 0, (signs[0] * signs[1]).sum(1) / np.maximum(both, 1e-9), 0.0)


def spearman(scores: Array, quality: Array) -> Array:
    """Spearman's rank correlation of each row."""
    rows = zip(scores.round(9), quality, strict=True)
    return np.nan_to_num([rm.spearman(x, y) for x, y in rows])


CORRELATIONS: dict[str, Callable[[Array, Array], Array]] = {"kendall": kendall, "spearman": spearman}


def share_of(values: Array, whole: Array, seed: int) -> dict[str, float]:
    """The ratio of the means, with a 95% bootstrap interval over groups."""
    draws = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1) / whole[draws].mean(1), [0.025, 0.975])
    return {"ratio": round(float(values.mean() / whole.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def measure(n: int, judge: str, groups: int, seed: int) -> list[dict[str, Any]]:
    """Each schedule against the round-robin of the same groups."""
    quality, won = judged_groups(n, SLOPES[judge], groups, seed)
    pairs = n * (n - 1) // 2
    better = quality[:, :, None] > quality[:, None, :]
    played = [("round_robin", None), ("knockout", None), ("anchor", None)]
    names = ("swiss", "by_wins", "round_robin")
    played += [(name, int(share * pairs + 1e-9)) for share in SHARES[n] for name in names]
    whole: dict[str, Array] = {}
    entries = []
    for schedule, budget in played:
        by_wins = schedule == "by_wins" and budget is not None
        scores, comparisons, rounds = play_by_wins(won, budget) if by_wins else play(won, schedule, budget)
        entry: dict[str, Any] = {
            "n": n,
            "judge": judge,
            "slope": SLOPES[judge],
            "right": round(float(won[better].mean()), 4),
            "schedule": schedule,
            "comparisons": comparisons,
            "share": round(comparisons / pairs, 4),
            "rounds": rounds,
        }
        for name, correlation in CORRELATIONS.items():
            values = correlation(scores, quality)
            whole.setdefault(name, values)  # the first schedule is the whole round-robin
            entry[name] = {"mean": round(float(values.mean()), 4), **share_of(values, whole[name], seed)}
        entries.append(entry)
    return entries


def line(entry: dict[str, Any]) -> str:
    figures = [f"{entry[name]['mean']:.3f} {entry[name]['ratio']:7.1%}" for name in CORRELATIONS]
    wanted = (
        entry["judge"] == "sharp" and entry["schedule"] == "swiss" and entry["share"] > SHARES[entry["n"]][-1] - 0.05
    )
    met = min(entry[name]["low"] for name in CORRELATIONS) >= TARGET
    verdict = "" if not wanted else "target met" if met else "target missed"
    return (
        f"{entry['n']:>3}  {entry['judge']:<6} {entry['right']:.3f}  {entry['schedule']:<12} {entry['comparisons']:>4} "
        f"{entry['share']:>7.1%} {entry['rounds']:>3}   {figures[0]}   {figures[1]}  {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.tournaments", description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=2000, help="groups a judge and size (2000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("  n  judge  right  schedule     asked   share  rounds  Kendall, of whole  Spearman, of whole")
    entries = []
    for n in SHARES:
        for judge in SLOPES:
            for entry in measure(n, judge, options.groups, options.seed):
                print(line(entry), flush=True)
                entries.append(entry)
    settings = {
        "groups": options.groups,
        "seed": options.seed,
        "target": TARGET,
        "slopes": SLOPES,
        "n_resamples": N_RESAMPLES,
    }
    head = json.dumps({"command": "make tournaments", "settings": settings})[:-1]
    rows = ",\n  ".join(map(json.dumps, entries))  # an entry a line
    OUTPUT.write_text(f'{head},\n "entries": [\n  {rows}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
