"""Does outcome-only training unlearn to reason, and does the hybrid reward prevent it?

    python examples/degeneration.py [--seeds 0 1 2] [--jobs 2] [--folder build/degeneration]

Trains the recipe tiny-cpu with each reward from the same start, once a seed; a run takes some minutes on one core.
Whatever is finished is not done again, and a run that was interrupted goes on from its last checkpoint. The figures are
of 1,000 test pairs that no run has seen, answers drawn at temperature 1: OA, RC, precision and AP by the exact oracle,
RC by the judge that the reward used (`rc_judge`), and how often the verdict contradicts its own reasons
(`disagreement`). Writes docs/experiments/degeneration.json.
"""

import argparse
import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import rationale_rm
from rationale_rm.train import read_recipe
from scipy import stats
from training_jobs import Job, goes_on, positive, run_all, value, warm_start

ROOT = Path(__file__).parents[1]
RECIPE = str(ROOT / "recipes" / "tiny-cpu.yaml")
MODES = {"hybrid": "product", "outcome_only": "outcome", "rationale_only": "rationale", "sum": "sum"}
FIGURES = {
    "oa": "oa",
    "rc": "rc",
    "rc_judge": "rc_by_reward_judge",
    "precision": "precision",
    "ap": "ap",
    "disagreement": "disagreement",
    "format_errors": "format_errors",
    "reasons": "reasons",
}


def jobs_of(seed: int, folder: Path) -> dict[str, Job]:
    """The runs of a seed by name: the one that makes the start, and those that go on from it."""
    drawn = {"seed": seed, "data.world.seed": seed}
    start = warm_start(RECIPE, folder / f"start-{seed}", drawn)
    return {
        "start": start,
        **{
            name: goes_on(start, folder / f"{name}-{seed}", {**drawn, "reward.mode": mode})
            for name, mode in MODES.items()
        },
    }


def table(runs: dict[int, dict[str, Job]]) -> dict[str, dict[str, list[float]]]:
    """State → figure → one number a seed. The start is what the hybrid run had before its first step."""
    found: dict[str, dict[str, list[float]]] = {}
    for jobs in runs.values():
        before, *_ = jobs["hybrid"].evaluations()
        states = {"start": before, **{name: jobs[name].evaluations()[-1] for name in MODES}}
        for name, record in states.items():
            for figure, key in FIGURES.items():
                found.setdefault(name, {}).setdefault(figure, []).append(round(value(record[key]), 4))
    return found


def difference(a: list[float], b: list[float]) -> dict[str, float]:
    """Mean of a - b over seeds with its 95% interval (Student's t, seeds as the sample); NaN for one seed."""
    gaps = np.subtract(a, b)
    half = float(stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else np.nan
    return {"mean": float(gaps.mean()), "low": float(gaps.mean() - half), "high": float(gaps.mean() + half)}


def main() -> None:
    """Runs what is missing and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="a world, a model and draws each")
    parser.add_argument("--jobs", type=positive, default=2, help="runs side by side, one thread each")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "degeneration", help="where the runs are kept")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "experiments" / "degeneration.json", help="where the figures go"
    )
    options = parser.parse_args()
    runs = {seed: jobs_of(seed, options.folder.resolve()) for seed in options.seeds}
    run_all([jobs[name] for name in ("start", *MODES) for jobs in runs.values()], options.jobs)
    found = table(runs)
    differences = {
        "rc: hybrid - outcome_only": difference(found["hybrid"]["rc"], found["outcome_only"]["rc"]),
        "rc: hybrid - start": difference(found["hybrid"]["rc"], found["start"]["rc"]),
        "rc: outcome_only - start": difference(found["outcome_only"]["rc"], found["start"]["rc"]),
        "oa: hybrid - outcome_only": difference(found["hybrid"]["oa"], found["outcome_only"]["oa"]),
        "oa: hybrid - start": difference(found["hybrid"]["oa"], found["start"]["oa"]),
    }
    record = {
        **found,
        "differences": differences,
        "expected": expected(differences),
        "settings": {
            "seeds": options.seeds,
            "test_pairs": [jobs["hybrid"].evaluations()[-1]["n_pairs"] for jobs in runs.values()],
            "recipe": read_recipe(RECIPE).model_dump(mode="json"),
            "commit": commit(),
            "rationale_rm": rationale_rm.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {options.jobs} runs side by side, one thread each",
        },
        "seconds": {job.name: round(job.seconds()) for jobs in runs.values() for job in jobs.values()},
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    record = json.loads(json.dumps(record), parse_constant=lambda _: None)  # JSON has no NaN
    options.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    for name, figures in found.items():
        print(f"{name:15}" + "".join(f"  {figure} {np.mean(values):.3f}" for figure, values in figures.items()))
    for name, gap in differences.items():
        print(f"{name:28} {gap['mean']:+.3f}  [{gap['low']:+.3f}, {gap['high']:+.3f}]")
    for claim, holds in record["expected"].items():
        print(f"{'holds' if holds else 'FAILS'}: {claim}")
    print(f"written: {options.output}")


def expected(differences: dict[str, dict[str, float]]) -> dict[str, bool]:
    """What the experiment set out to show → whether it came out."""
    outcome, start = differences["rc: hybrid - outcome_only"], differences["rc: hybrid - start"]
    return {
        "RC, hybrid less outcome-only, is 0.15 or more": outcome["mean"] >= 0.15,
        "its 95% interval is above 0": outcome["low"] > 0,
        "RC, hybrid less start, is 0.15 or more": start["mean"] >= 0.15,
        "RC does not rise under the outcome reward": differences["rc: outcome_only - start"]["mean"] <= 0,
        "OA, hybrid, is at most 0.03 below outcome-only": differences["oa: hybrid - outcome_only"]["mean"] >= -0.03,
        "OA, hybrid, is not below the start": differences["oa: hybrid - start"]["mean"] >= 0,
    }


def commit() -> str | None:
    """Of the working tree, with ``-dirty`` where it has changes; None outside a repository."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


if __name__ == "__main__":
    main()
