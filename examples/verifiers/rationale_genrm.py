r"""A taskset of verifiers 0.4: judge a pair, rewarded for the verdict and its reasons.

    rationale-rm export --for verifiers pairs.jsonl pairs.verifiers.jsonl
    export RATIONALE_RM_REWARD='{"judge": "openai:Qwen3-30B-A3B-Instruct-2507@http://127.0.0.1:8000/v1",
        "time_budget": 300}'
    PYTHONPATH=examples/verifiers vf-eval rationale-genrm --env.taskset.data pairs.verifiers.jsonl \
        --env.agent.harness.id null --env.agent.runtime.type subprocess --no-push -m my-model \
        --client.base-url http://127.0.0.1:8000/v1

verifiers finds a taskset by the name of a module that lists one in ``__all__``; this is that module. The reward's
settings may also be given as ``--env.taskset.task.reward``, an object.
"""

from rationale_rm.integrations.verifiers_v1 import PairTaskset

__all__ = ["PairTaskset"]
