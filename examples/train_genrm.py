r"""Trains a GenRM to be right for the right reasons. Copy this page and change it for your model and data.

    python examples/train_genrm.py                                     the tiny recipe, from nothing, in minutes
    python examples/train_genrm.py --mode outcome --output runs/outcome      its outcome-only twin, to compare with
    python examples/train_genrm.py --model Qwen/Qwen3-1.7B --data pairs.jsonl --data labels.jsonl \
        --judge openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1 --rollout vllm

Pairs are JSON Lines in the public RationaleRM schema (domain, context, response1, response2, human-checklist, and a
label: docs/recipes.md, `data`). For several devices: accelerate launch examples/train_genrm.py ... Any setting of a
recipe can be changed with --set, as on the command line.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from rationale_rm import RationaleError
from rationale_rm.train import Recipe, read_recipe, train


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe tiny-cpu, with your model, data and judge in place of the synthetic ones."""
    overrides = [f"output.folder={json.dumps(options.output)}", f"reward.mode={options.mode}"]
    overrides.append(f"rollout.engine={options.rollout}")
    if options.steps is not None:
        overrides += [f"train.steps={options.steps}", f"optimiser.warmup_steps={min(10, options.steps // 2)}"]
    if options.judge:
        overrides.append(f"reward.judge={json.dumps(options.judge)}")
    if options.model:  # one that can chat already: no warm start, the paper's prompt, room to write, little memory
        overrides += [
            "model.scratch=null",
            f"model.path={json.dumps(options.model)}",
            "model.dtype=bfloat16",
            "model.gradient_checkpointing=true",
            "warm_start=null",
            "prompt.style=full",
            "prompt.max_tokens=4096",
            "rollout.max_tokens=2048",
            "optimiser.lr=1e-6",
            "optimiser.micro_batch_tokens=8192",
            "loss.mask_truncated=true",
            "evaluation.temperature=0",
            "evaluation.both_orders=true",
        ]
    if options.data:  # real pairs: some are held out, and judged by the judge of the reward
        overrides += ["data.world=null", f"data.train={json.dumps(options.data)}", "evaluation.judge=null"]
        overrides += [f"data.hold_out={options.hold_out}", "evaluation.pairs=null"]
        if not options.hold_out:
            overrides.append("evaluation.every=null")
        if options.label_scale:
            overrides.append(f"data.label_scale={options.label_scale}")
    return read_recipe("tiny-cpu", [*overrides, *options.set])


def before_and_after(folder: Path) -> list[str]:
    """OA and RC of the first and the last evaluation on the pairs that were evaluated last."""
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    evaluations = [record for record in map(json.loads, lines) if record["phase"] == "evaluation"]
    same = [record for record in evaluations if record["split"] == evaluations[-1]["split"]]
    shown = []
    for record in (same[0], same[-1]) if len(same) > 1 else same:
        figures = ", ".join(
            f"{name.upper()} {record[name]['value']:.3f} [{record[name]['low']:.3f}, {record[name]['high']:.3f}]"
            for name in ("oa", "rc")
            if record[name]["value"] is not None and record[name]["low"] is not None
        )
        shown.append(f"step {record['step']:>4}, {record['n_pairs']:,} {record['split']} pairs: {figures}")
    return shown


def main() -> None:
    """Trains, then shows what became of the held-out pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or hub name of a chat model; default: a tiny one from nothing")
    parser.add_argument("--data", action="append", help="file of pairs; several times for several")
    parser.add_argument("--judge", help="MetaJudge: openai:NAME@URL, vllm:PATH, hf:PATH, embedding, lexical")
    parser.add_argument("--rollout", choices=["transformers", "vllm"], default="transformers", help="what samples")
    parser.add_argument("--mode", default="product", help="product (hybrid, Eq. 4), outcome, rationale, sum ...")
    parser.add_argument("--hold-out", type=int, default=200, help="pairs of --data to evaluate on")
    parser.add_argument("--label-scale", choices=["helpsteer3", "verdict", "index"], help="what numbers as labels mean")
    parser.add_argument("--steps", type=int, help="rollouts; default: the recipe's")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the recipe")
    parser.add_argument("--output", default="runs/genrm", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    options = parser.parse_args()
    if options.data and not (options.model and options.judge):
        parser.error("--data needs --model, for the tiny one can read the synthetic world alone, and --judge")

    try:
        finished = train(recipe_of(options), resume=options.resume)
    except (RationaleError, OSError) as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))

    if os.environ.get("RANK", "0") == "0":  # of several processes the first speaks
        print("\n".join(before_and_after(finished.folder)))


if __name__ == "__main__":
    main()
