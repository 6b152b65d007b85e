"""What a policy of the synthetic world is: how often its careful and its shallow answers are right.

    python examples/start_styles.py build/degeneration/start-0 [--pairs 1500]

Draws one answer each to validation pairs of the run's world at temperature 1. An answer that names any flaw of the
world is a careful one.
"""

import argparse
from pathlib import Path

import numpy as np
import transformers
from rationale_rm import parse_genrm, prompts
from rationale_rm.rewards import RationaleReward
from rationale_rm.rollout import HfRollouts
from rationale_rm.train.recipe import read_recipe
from rationale_rm.world import OracleJudge, pairs
from rationale_rm.world.oracle import read
from training_jobs import positive


def main() -> None:
    """Prints OA and RC of both kinds of answers, and how often the cue is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run on the world")
    parser.add_argument("--model", default="start", help="within it, such as checkpoints/last/model; default: start")
    parser.add_argument("--pairs", type=positive, default=1500)
    options = parser.parse_args()
    if not (options.run / "recipe.yaml").exists() or not (options.run / options.model).is_dir():
        parser.error(f"{options.run} is no run with a model {options.model}")
    recipe = read_recipe(options.run / "recipe.yaml")
    if recipe.data.world is None:
        parser.error(f"{options.run} was not trained on the world")
    model = transformers.AutoModelForCausalLM.from_pretrained(options.run / options.model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.run / options.model)
    held_out = pairs(recipe.data.world.settings(), "validation", options.pairs)
    groups = HfRollouts(model, tokenizer).sample(
        [prompts.genrm_brief(pair).messages for pair in held_out],
        1,
        max_tokens=recipe.rollout.max_tokens,
        temperature=1.0,
        seeds=range(len(held_out)),
    )
    texts = [completion.text for (completion,) in groups]
    scored = RationaleReward(OracleJudge(), mode="sum")(
        texts, references=[pair.references for pair in held_out], labels=[pair.label for pair in held_out]
    )
    careful = np.array([any(map(read, reasons)) for reasons in parse_genrm(texts).reasons])
    for name, rows in (("name flaws", careful), ("shallow", ~careful)):
        oa, rc = np.nanmean(scored.outcome[rows]), np.nanmean(scored.rc[rows])
        print(f"{name:12}{rows.sum():>6} answers   OA {oa:.3f}   RC {rc:.3f}")
    right = np.mean([(pair.extra["cue"] == 1) == (pair.label > 0) for pair in held_out])
    print(f"{'the cue':12}{len(held_out):>6} pairs     OA {right:.3f}")


if __name__ == "__main__":
    main()
