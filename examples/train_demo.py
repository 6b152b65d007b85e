"""make demo: a judge from nothing, trained on outcomes alone and with the hybrid reward, from one warm start.

    python examples/train_demo.py [--folder build/demo]

Both runs are the recipe tiny-cpu on the synthetic world. Prints OA and RC (by the world's exact oracle, on 1,000 test
pairs) before and after, and writes curves.png and curves.json.
"""

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from training_jobs import Job, goes_on, run_all, value, warm_start

ROOT = Path(__file__).parents[1]
RECIPE = str(ROOT / "recipes" / "tiny-cpu.yaml")
SMOOTHED = 15
"""Steps that a point of the training curves is the mean of."""


def main() -> None:
    """Trains, compares, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "demo", help="where the runs are kept")
    parser.add_argument("--fresh", action="store_true", help="throw away the runs of an earlier demo")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.fresh:
        for name in ("warm-start", "hybrid", "outcome-only"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / f"{name}.seconds").unlink(missing_ok=True)
    # By itself on all cores; the two runs that follow have one thread each, for threads beyond the cores wait in loops
    # and slow both down many times over.
    start = warm_start(RECIPE, folder / "warm-start", threads=os.cpu_count() or 1)
    hybrid = goes_on(start, folder / "hybrid")
    outcome = goes_on(start, folder / "outcome-only", {"reward.mode": "outcome"})
    print(
        "Training a judge of 1.5 million parameters twice (7 to 12 minutes on two cores): a warm start, then GRPO with"
    )
    print("the hybrid reward (Eq. 4) and, from the same start, with the outcome reward alone.", flush=True)
    run_all([start], 1)
    run_all([hybrid, outcome], 2)

    begin, ends = hybrid.evaluations()[0], {job.name: job.evaluations()[-1] for job in (hybrid, outcome)}
    print(f"\n{'1,000 test pairs':22}{'OA':>22}{'RC (oracle)':>24}{'format errors':>16}")
    for name, record in {"before": begin, **ends}.items():
        shown = [f"{_figure(record[key]):>{width}}" for key, width in (("oa", 22), ("rc", 24))]
        print(f"{name:22}{''.join(shown)}{value(record['format_errors']):>16.1%}")
    print("[..] are 95% bootstrap intervals over pairs.")
    for figure in ("oa", "rc"):
        print(_compared(figure, ends["hybrid"][figure], ends["outcome-only"][figure]))
    curves = {job.name: _curves(job) for job in (hybrid, outcome)}
    (folder / "curves.json").write_text(json.dumps(curves, indent=1) + "\n", "utf-8")
    _draw(curves, folder / "curves.png")
    print(f"Curves: {folder / 'curves.png'}, {folder / 'curves.json'}; the runs with their samples: {folder}")


def _compared(name: str, hybrid: dict[str, Any], outcome: dict[str, Any]) -> str:
    """How far the two runs are apart, and whether their intervals are."""
    apart = hybrid["low"] > outcome["high"] or outcome["low"] > hybrid["high"]
    gap = hybrid["value"] - outcome["value"]
    return f"{name.upper()}, hybrid less outcome-only: {gap:+.3f}; the intervals {'do not ' if apart else ''}overlap."


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _curves(job: Job) -> dict[str, list[Any]]:
    """What is drawn: held-out OA and RC by step, and the mean outcome and answer length of the training steps."""
    held_out = job.evaluations("validation")
    steps = [one for one in job.records() if one["phase"] == "grpo"]
    return {
        "evaluated": [one["step"] for one in held_out],
        "oa": [value(one["oa"]) for one in held_out],
        "rc": [value(one["rc"]) for one in held_out],
        "rc_by_reward_judge": [value(one["rc_by_reward_judge"]) for one in held_out],
        "step": [one["step"] for one in steps],
        "outcome": [one["outcome"] for one in steps],
        "answer_tokens": [one["tokens"]["mean"] for one in steps],
    }


def _draw(curves: dict[str, dict[str, list[Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for name, curve in curves.items():
        panels[0].plot(curve["evaluated"], curve["oa"], marker="o", label=name)
        panels[1].plot(curve["evaluated"], curve["rc"], marker="o", label=name)
        panels[2].plot(curve["step"], _smooth(curve["answer_tokens"]), label=name)
    for panel, title in zip(
        panels, ("outcome accuracy, held out", "Rationale Consistency, held out", "tokens of an answer"), strict=True
    ):
        panel.set_title(title)
        panel.set_xlabel("GRPO step")
        panel.grid(alpha=0.3)
    for panel in panels[:2]:
        panel.set_ylim(0, 1)
    panels[0].legend()
    figure.savefig(path, dpi=130)


def _smooth(values: list[float]) -> list[float]:
    return [float(np.mean(values[max(0, end - SMOOTHED) : end])) for end in range(1, len(values) + 1)]


if __name__ == "__main__":
    main()
