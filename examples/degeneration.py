"""Does outcome-only training unlearn to reason, and does the hybrid reward prevent it?

    python -m examples.degeneration [--seeds 0 1 2] [--jobs 2] [--folder build/degeneration]

Trains the recipe tiny-cpu with each reward from the same start, once a seed; a run takes some minutes on one core.
Whatever is finished is not done again, and a run that was interrupted goes on from its last checkpoint. The figures are
of 1,000 test pairs that no run has seen, answers drawn at temperature 1: OA, RC by the exact oracle (`rc`) and by
the judge that the reward used (`rc_judge`), and how often the verdict contradicts its own reasons (`disagreement`).
Writes docs/experiments/degeneration.json.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import rationale_rm
from scipy import stats

from examples.runs import Job, run_all, value

ROOT = Path(__file__).parents[1]
RECIPE = str(ROOT / "recipes" / "tiny-cpu.yaml")
MODES = {"hybrid": "product", "outcome_only": "outcome", "rationale_only": "rationale", "sum": "sum"}
FIGURES = {
    "oa": "oa",
    "rc": "rc",
    "rc_judge": "rc_by_reward_judge",
    "disagreement": "disagreement",
    "format_errors": "format_errors",
    "reasons": "reasons",
}


def jobs_of(seed: int, folder: Path) -> list[Job]:
    """The runs of a seed; the first one makes the start that all of them share."""
    first = Job(RECIPE, folder / f"hybrid-{seed}", {"seed": seed, "data.world.seed": seed})
    from_start = {
        "seed": seed,
        "data.world.seed": seed,
        "warm_start": None,
        "model.scratch": None,
        "model.path": str(first.folder / "start"),
    }
    others = [
        Job(RECIPE, folder / f"{name}-{seed}", {**from_start, "reward.mode": mode}, after=first.folder / "start")
        for name, mode in MODES.items()
        if name != "hybrid"
    ]
    return [first, *others]


def table(runs: dict[int, list[Job]]) -> dict[str, dict[str, list[float]]]:
    """State → figure → one number a seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for first, *others in runs.values():
        for name, job, which in [
            ("start", first, 0),
            *((job.name.rpartition("-")[0], job, -1) for job in (first, *others)),
        ]:
            record = job.evaluations()[which]
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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "degeneration", help="where the runs are kept")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "experiments" / "degeneration.json")
    options = parser.parse_args()
    runs = {seed: jobs_of(seed, options.folder.resolve()) for seed in options.seeds}
    firsts = [first for first, *_ in runs.values()]
    run_all([*firsts, *(job for _, *others in runs.values() for job in others)], options.jobs)
    found = table(runs)
    differences = {
        "rc: hybrid - outcome_only": difference(found["hybrid"]["rc"], found["outcome_only"]["rc"]),
        "rc: hybrid - start": difference(found["hybrid"]["rc"], found["start"]["rc"]),
        "rc: outcome_only - start": difference(found["outcome_only"]["rc"], found["start"]["rc"]),
        "oa: hybrid - outcome_only": difference(found["hybrid"]["oa"], found["outcome_only"]["oa"]),
        "oa: hybrid - start": difference(found["hybrid"]["oa"], found["start"]["oa"]),
    }
    seconds = {job.name: round(job.seconds()) for jobs in runs.values() for job in jobs}
    record = {
        **found,
        "differences": differences,
        "settings": {
            "recipe": "recipes/tiny-cpu.yaml",
            "seeds": options.seeds,
            "test_pairs": 1000,
            "rationale_rm": rationale_rm.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {options.jobs} runs side by side, one thread each",
        },
        "seconds": seconds,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    record = json.loads(json.dumps(record), parse_constant=lambda _: None)  # JSON has no NaN
    options.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    for name, figures in found.items():
        print(f"{name:15}" + "".join(f"  {figure} {np.mean(values):.3f}" for figure, values in figures.items()))
    for name, gap in differences.items():
        print(f"{name:28} {gap['mean']:+.3f}  [{gap['low']:+.3f}, {gap['high']:+.3f}]")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
