r"""Trains a GenRM with TRL's `GRPOTrainer` to be right for the right reasons. Copy this page and change it.

    rationale-rm export --for trl pairs.jsonl train.jsonl
    python examples/trl_genrm.py --model Qwen/Qwen3-1.7B --data train.jsonl \
        --judge openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1

Several devices: accelerate launch examples/trl_genrm.py … Without a judge, words are compared in this process, which is
for trying things out (docs/local-judges.md).
"""

import argparse

from rationale_rm.integrations.trl import trl_reward
from rationale_rm.rewards import RewardSettings


def main() -> None:
    """Reads the options and trains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a chat model: a name on the hub, or a folder")
    parser.add_argument("--data", required=True, help="what rationale-rm export --for trl wrote")
    parser.add_argument("--judge", default="lexical", help="see rationale-rm match --help")
    parser.add_argument("--output", default="runs/trl")
    parser.add_argument("--steps", type=int, default=-1, help="default: once through the data")
    parser.add_argument("--answers", type=int, default=8, help="answers to each prompt")
    parser.add_argument("--max-tokens", type=int, default=2048)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()

    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer

    kind = "parquet" if options.data.endswith(".parquet") else "json"
    trainer = GRPOTrainer(
        model=options.model,
        reward_funcs=trl_reward(
            RewardSettings(
                judge=options.judge,
                cache=f"{options.output}-judge.sqlite",
                time_budget=300,  # seconds a step: other processes wait (docs/trainers.md, "No answer")
            )
        ),
        args=GRPOConfig(
            output_dir=options.output,
            max_steps=options.steps,
            num_generations=options.answers,
            per_device_train_batch_size=options.answers,  # a prompt's answers lie in one process, and share judge calls
            gradient_accumulation_steps=4,
            max_completion_length=options.max_tokens,
            learning_rate=1e-6,
            beta=0.0,
            mask_truncated_completions=True,
            logging_steps=1,
            use_cpu=options.cpu,
            bf16=not options.cpu,
            report_to="none",
        ),
        train_dataset=load_dataset(kind, data_files=options.data, split="train"),
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
