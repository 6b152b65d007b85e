"""Runs the benchmarks, prints a table and writes build/bench.json.

python -m benches.run [--only NAME] [--quick]

Each case runs in a process of its own, so that none warms the caches of another: on one thread, or on the
default threads when its name ends in ``_mt``.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benches.timing import ROUNDS

OUTPUT = Path("build/bench.json")
CASES = (
    "parse_metajudge",
    "parse_genrm_48kb",
    "parse_genrm_48kb_non_ascii",
    "parse_genrm_48kb_mt",
    "match_dense",
    "match_dense_rubric",
    "similarity_token_set",
    "reward_step",
    "reward_step_mt",
    "bootstrap_ci",
    "judge_client_throughput",
    "vllm_judging",
    "rollout_vllm",
    "logprob_peak_memory",
    "grpo_step_vs_trl",
    "reward_overhead",
    "ray_score",
    "server_rewards",
    "report_10k_samples",
    "import_time",
)
COLUMNS = "{:<29} {:>10} {:>10}  {:<21} {:>8} {:>7}  {}"


def run_case(name: str, rounds: int) -> list[dict[str, Any]]:
    """Runs a case in this process; the core reads its number of threads when it is first used."""
    from benches import cases

    return [{**entry.as_json(), "target": entry.target} for entry in cases.CASES[name](rounds)]


def run_apart(name: str, rounds: int) -> list[dict[str, Any]]:
    environment = {key: value for key, value in os.environ.items() if key != "RAYON_NUM_THREADS"}
    if not name.endswith("_mt"):
        environment["RAYON_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "benches.run", "--child", name, "--rounds", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    entries: list[dict[str, Any]] = json.loads(done.stdout)
    return entries


def line(entry: dict[str, Any]) -> str:
    ratio, target = entry["ratio"], entry["target"]
    verdict = "" if target is None else "met" if ratio >= target else "missed"
    return COLUMNS.format(
        entry["name"],
        f"{entry['ours']:.3f}",
        "" if entry["peer"] is None else f"{entry['peer']:.3f}",
        entry["unit"],
        "" if ratio is None else f"{ratio:.1f}x",
        "" if target is None else f"≥{target:g}x",
        verdict,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", action="append", choices=CASES, help="run this case (repeatable)")
    parser.add_argument("--quick", action="store_true", help="3 rounds: does everything run and agree?")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds a case ({ROUNDS})")
    parser.add_argument("--child", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_case(options.child, options.rounds)))
        return
    print(COLUMNS.format("name", "ours", "peer", "unit", "ratio", "target", ""))
    entries = []
    for name in options.only or CASES:
        for entry in run_apart(name, 3 if options.quick else options.rounds):
            print(line(entry), flush=True)
            del entry["target"]
            entries.append(entry)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nMedians; the notes on sizes and peers stand in {OUTPUT}")


if __name__ == "__main__":
    main()
