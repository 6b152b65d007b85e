"""An environment of verifiers up to 0.3: judge a pair, rewarded for the verdict and its reasons.

rationale-rm export --for verifiers pairs.jsonl pairs.verifiers.jsonl
export RATIONALE_RM_REWARD='{"judge": "openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1",
    "time_budget": 300}'
PYTHONPATH=examples/verifiers vf-eval rationale_genrm_legacy -a '{"data": "pairs.verifiers.jsonl"}'
"""

import verifiers.legacy as vf
from datasets import load_dataset
from rationale_rm.integrations.verifiers_legacy import RationaleRubric
from rationale_rm.rewards import RewardSettings


def load_environment(data: str = "pairs.verifiers.jsonl", reward: dict | None = None) -> vf.Environment:
    """The environment over a file of ``rationale-rm export --for verifiers``; `reward` are `RewardSettings` by name, by
    default those of the environment variable.
    """
    pairs = load_dataset("json", data_files=data, split="train")
    settings = None if reward is None else RewardSettings.from_mapping(reward)
    return vf.SingleTurnEnv(dataset=pairs, eval_dataset=pairs, rubric=RationaleRubric(settings))
