"""Does a policy that a GenRM rewards get better, and is it better for a GenRM that learnt to reason?

    python examples/align_policy.py [--seeds 0 1 2] [--jobs 2] [--folder build/align]

A tiny policy of the synthetic world learns to respond, with about two flaws in four constraints and the surface cue in
half of its responses. From that start TRL's GRPO trains it once for each reward: the tournament of its responses as the
hybrid-trained GenRM and the outcome-only one of examples/degeneration.py judge it by their verdicts, and beside these
the hybrid one by its reasons, the oracle, which counts flaws, and a coin. The figures are true flaws of responses to
test requests that no policy was trained on. GenRMs that are not there are trained first, by the jobs of
degeneration.py. Whatever is finished is not done again. Writes docs/experiments/align_policy.json.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import degeneration
import numpy as np
import rationale_rm
from policy_settings import Settings
from training_jobs import positive, run_all

ROOT = Path(__file__).parents[1]
REWARDS = {
    "hybrid": ("hybrid", "verdict"),
    "outcome_only": ("outcome_only", "verdict"),
    "hybrid_reasons": ("hybrid", "reasons"),
    "oracle": (None, "flaws"),
    "coin": (None, "coin"),
}
"""Name → which GenRM judges, and what it is read for. The first two are the experiment, the others stand beside it."""
TRAINED = Path("checkpoints", "last", "model")
"""Where a GenRM is in the folder of its run."""
COMPARED = [
    ("hybrid", "outcome_only"),
    ("hybrid", "start"),
    ("outcome_only", "start"),
    ("hybrid_reasons", "outcome_only"),
    ("hybrid_reasons", "start"),
    ("oracle", "start"),
    ("coin", "start"),
    ("hybrid", "coin"),
    ("outcome_only", "coin"),
]


def start_of(seed: int, folder: Path, how: Settings) -> Path:
    """The start of a seed's policies, made where it is not there."""
    made = folder / f"start-{seed}"
    if _finished(made, how.of_start()) is None:
        import policy_runs  # here, in the process that trains: it loads TRL

        began = time.monotonic()
        policy_runs.make_start(made, seed, how)
        _write(made, how.of_start(), {"seconds": time.monotonic() - began})
    return made / "model"


def run_of(name: str, seed: int, folder: Path, genrms: Path, how: Settings) -> dict[str, Any]:
    """What came of a seed's policy under a reward; trained where it is not there."""
    made = folder / f"{name}-{seed}"
    genrm, reads = REWARDS[name]
    path = None if genrm is None else genrms / f"{genrm}-{seed}" / TRAINED
    settings = {**how.to_dict(), "genrm": None if path is None else _digest(path)}
    found = _finished(made, settings)
    if found is None:
        import policy_judges
        import policy_runs

        began = time.monotonic()
        judge = policy_judges.open_judge(reads, path)
        result = policy_runs.align(folder / f"start-{seed}" / "model", judge, seed, how, made)
        about = {"seconds": time.monotonic() - began, "commit": degeneration.commit()}
        found = _write(made, settings, {**result, **about})
    return found


def make_all(
    seeds: list[int], names: list[str], folder: Path, genrms: Path, jobs: int, how: Settings
) -> dict[str, dict[int, dict[str, Any]]]:
    """All runs by reward and seed, `jobs` side by side in processes of one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are spawned
    found: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in names}
    running: dict[Future[Any], tuple[str, int]] = {}
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for start, seed in [(pool.submit(start_of, seed, folder, how), seed) for seed in seeds]:
            start.result()
            for name in names:
                running[pool.submit(run_of, name, seed, folder, genrms, how)] = (name, seed)
        for done in as_completed(running):
            name, seed = running[done]
            found[name][seed] = done.result()
    return found


def table(found: dict[str, dict[int, dict[str, Any]]], seeds: list[int]) -> dict[str, dict[str, list[float]]]:
    """State → figure of the test requests → one number a seed. The start is that of any reward: it is the same."""
    first = next(iter(found.values()))
    states = {"start": [first[seed]["start"] for seed in seeds]}
    for name, runs in found.items():
        states[name] = [{**runs[seed]["end"], **_wins(runs[seed])} for seed in seeds]
    return {
        name: {figure: [round(one[figure], 4) for one in rows] for figure in rows[0]} for name, rows in states.items()
    }


def within_seeds(
    found: dict[str, dict[int, dict[str, Any]]], figure: str, a: str, b: str, seed: int
) -> dict[str, float]:
    """A figure of `a` less that of `b` on one seed, with the bootstrap interval over test requests."""
    columns = []
    for name in (a, b):
        run = next(iter(found.values())) if name == "start" else found[name]
        columns.append(run[seed]["by_request"][figure]["start" if name == "start" else "end"])
    gap = rationale_rm.bootstrap_ci(np.subtract(*columns), seed=seed)
    return {"mean": gap.mean, "low": gap.low, "high": gap.high}


def main() -> None:
    """Runs what is missing and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="a world, GenRMs and policies each")
    parser.add_argument("--rewards", nargs="+", choices=list(REWARDS), default=list(REWARDS))
    parser.add_argument("--jobs", type=positive, default=2, help="runs side by side, one thread each")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "align", help="where the policies are kept")
    parser.add_argument("--genrms", type=Path, default=ROOT / "build" / "degeneration", help="runs of degeneration.py")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "experiments" / "align_policy.json", help="where the figures go"
    )
    parser.add_argument("--start-steps", type=positive, help="fewer than the experiment has, to try it")
    parser.add_argument("--steps", type=positive, help="the same of GRPO")
    parser.add_argument("--test-requests", type=positive, help="the same of test requests")
    parser.add_argument("--lr", type=float, help="another learning rate of GRPO")
    options = parser.parse_args()
    chosen = {name: getattr(options, name) for name in ("start_steps", "steps", "test_requests", "lr")}
    how = replace(Settings(), **{name: value for name, value in chosen.items() if value is not None})
    folder, genrms = options.folder.resolve(), options.genrms.resolve()
    wanted = dict.fromkeys(name for name in (REWARDS[one][0] for one in options.rewards) if name is not None)
    for seed in options.seeds:
        jobs = degeneration.jobs_of(seed, genrms)
        missing = [jobs[name] for name in wanted if not jobs[name].finished()]
        run_all([jobs["start"], *missing] if missing else [], options.jobs)
    found = make_all(options.seeds, options.rewards, folder, genrms, options.jobs, how)
    states = table(found, options.seeds)
    compared = [pair for pair in COMPARED if all(name in states for name in pair)]
    record = {
        "figures": states,
        "differences": {
            f"{figure}: {a} - {b}": degeneration.difference(states[a][figure], states[b][figure])
            for a, b in compared
            for figure in ("flaws", "unmet", "cue")
        },
        "within_seeds": {
            f"{figure}: {a} - {b}": [within_seeds(found, figure, a, b, seed) for seed in options.seeds]
            for a, b in compared
            for figure in ("flaws", "unmet")
        },
        "curves": {f"{name}-{seed}": run["curve"] for name, runs in found.items() for seed, run in runs.items()},
        "judges": {f"{name}-{seed}": run["judge"] for name, runs in found.items() for seed, run in runs.items()},
        "comparisons": {
            f"{name}-{seed}": run["comparisons"] for name, runs in found.items() for seed, run in runs.items()
        },
        "examples": {name: runs[options.seeds[0]]["responses"]["end"][0][0] for name, runs in found.items()},
        "settings": {
            "seeds": options.seeds,
            **how.to_dict(),
            "commits": sorted({str(run["commit"]) for runs in found.values() for run in runs.values()}),
            "rationale_rm": rationale_rm.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {options.jobs} runs side by side, one thread each",
        },
        "seconds": {
            f"{name}-{seed}": round(run["seconds"]) for name, runs in found.items() for seed, run in runs.items()
        },
    }
    record = json.loads(json.dumps(record), parse_constant=lambda _: None)  # JSON has no NaN
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    for name, figures in states.items():
        print(f"{name:15}" + "".join(f"  {figure} {np.mean(values):.2f}" for figure, values in figures.items()))
    for name, gap in record["differences"].items():
        interval = "" if gap["low"] is None else f"  [{gap['low']:+.2f}, {gap['high']:+.2f}]"
        print(f"{name:38} {gap['mean']:+.2f}{interval}")
    print(f"written: {options.output}")


def _digest(genrm: Path) -> str:
    """Of the weights that judge."""
    return hashlib.sha256((genrm / "model.safetensors").read_bytes()).hexdigest()[:16]


def _wins(run: dict[str, Any]) -> dict[str, float]:
    return {f"wins_{how}": share for how, share in run["wins"].items()}


def _finished(made: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What a run left that was made with the same settings."""
    path = made / "result.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found if found.get("settings") == settings else None


def _write(made: Path, settings: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Written last: a run without it is begun anew."""
    found = {**result, "settings": settings}
    made.mkdir(parents=True, exist_ok=True)
    (made / "result.json").write_text(json.dumps(found) + "\n", "utf-8")
    return found


if __name__ == "__main__":
    main()
