"""OpenRLHF: the function that a file named by ``--reward.remote_url`` offers (docs/trainers/openrlhf.md).

OpenRLHF calls it in threads, one answer a call, and swallows what it raises. An answer can be without a reward in two
ways: None, on which its trainer stops, and NaN, which its dynamic filtering drops with the whole group and replaces by
the next prompt. Without dynamic filtering NaN would reach the weights, which is why stopping is the default.
"""

from __future__ import annotations

import json
import logging
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from rationale_rm._core import RationaleError
from rationale_rm.integrations.rows import read_row, row_fields
from rationale_rm.integrations.scoring import FIGURES, Scoring, answer_figures
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import Pair, RewardBatch

Unanswered = Literal["stop", "drop"]
OVERLAP: Final = 16
"""Characters of a prompt that must be found at the start of a query whose prompt was cut."""
_TRIES: Final = 64
_ENDS: Final = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<|return|>",
    "<|pad|>",
    "</s>",
    "<eos>",
    "<pad>",
    "<end_of_turn>",
)
"""What tokenizers spell the end of an answer by."""
_log = logging.getLogger(__name__)


def openrlhf_reward(
    settings: RewardSettings | None = None, *, unanswered: Unanswered = "stop"
) -> Callable[[Sequence[str], Sequence[str], Sequence[Any]], dict[str, Any]]:
    """The function ``reward_func(queries, prompts, labels)`` that OpenRLHF looks for in a file.

    Args:
        settings: The reward; by default what the environment says (`RewardSettings.from_environment`).
        unanswered: What an answer gets whose judge failed: ``stop`` None, on which the trainer stops; ``drop`` NaN,
            only for ``--algo.dynamic_filtering_enable``, which then leaves out its group. Once more than
            ``settings.max_failure_rate`` of the last 1,000 judged answers failed, it is None in either case.

    Returns:
        A function that never raises. It gives ``rewards`` and ``scores``, float32 tensors (n,) or None, and
        ``extra_logs``, a tensor (n,) for each of `FIGURES`; what went wrong is logged as an error.

    Raises `RationaleError` for settings that OpenRLHF cannot serve.
    """
    settings = RewardSettings.from_environment() if settings is None else settings
    if settings.max_length is not None:
        raise RationaleError(
            "OpenRLHF does not say how long an answer is: leave max_length out and use --reward.overlong_buffer_len"
        )
    if unanswered not in ("stop", "drop"):
        raise RationaleError(f"unanswered must be stop or drop, not {unanswered!r}")
    scoring = Scoring(settings)

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
        try:
            texts = responses(queries, prompts)
            answer = answer_of(scoring.score_now(texts, [read_row(label) for label in labels]))
        except Exception as error:  # OpenRLHF would drop the message and go on without a reward
            _log.exception("no reward, on which OpenRLHF stops: %s", error)
            return _tensors(no_answer(len(queries)))
        failed = answer.pop("error")
        if failed is not None:
            _log.error("the judge gave no answer: %s", failed)
            if unanswered == "stop":
                return _tensors(no_answer(len(queries)))
        return _tensors(answer)

    return reward_func


def responses(queries: Sequence[str], prompts: Sequence[str]) -> list[str]:
    """The response of each query, which is prompt and response as one text, without the tokens that end it.

    Raises `RationaleError` where a query does not begin with its prompt: scored whole, the form that a prompt shows
    could be taken for the answer.
    """
    if len(queries) != len(prompts):
        raise RationaleError(f"there are {len(queries)} queries and {len(prompts)} prompts")
    found = []
    for at, (query, prompt) in enumerate(zip(queries, prompts, strict=True)):
        response = without_prompt(query, prompt)
        if response is None:
            raise RationaleError(f"query {at} does not begin with its prompt, nor with an end of it")
        found.append(_without_end(response))
    return found


def without_prompt(query: str, prompt: str) -> str | None:
    """What follows the prompt in a query; None where the query does not begin with it.

    A query is what a tokenizer makes of its tokens: some bring the text into Unicode's form NFC, some drop a leading
    space, and of a prompt that is too long OpenRLHF cuts the start. Of a cut prompt at least `OVERLAP` characters must
    be there.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    prompt = unicodedata.normalize("NFC", prompt)
    if query.startswith(prompt):
        return query[len(prompt) :]
    head = query[:OVERLAP]
    at = prompt.find(head) if len(head) == OVERLAP else -1
    for _ in range(_TRIES):
        if at < 0:
            return None
        if query.startswith(prompt[at:]):
            return query[len(prompt) - at :]
        at = prompt.find(head, at + 1)
    return None


def _without_end(text: str) -> str:
    while text.rstrip().endswith(_ENDS):
        text = text.rstrip()
        text = text.removesuffix(next(end for end in _ENDS if text.endswith(end)))
    return text


def answer_of(batch: RewardBatch) -> dict[str, Any]:
    """``rewards``, ``scores`` and ``extra_logs`` as lists, and ``error``: why a reward is NaN, None where none is.

    OpenRLHF takes the mean of the logs.
    """
    rewards = batch.reward.tolist()
    missing = [row for row, reward in enumerate(rewards) if math.isnan(reward)]
    return {
        "rewards": rewards,
        "scores": rewards,
        "extra_logs": {name: values.tolist() for name, values in answer_figures(batch).items()},
        "error": (batch.errors[missing[0]] or "the data hold no label") if missing else None,
    }


def no_answer(n: int) -> dict[str, Any]:
    """The answer without rewards to n queries."""
    return {"rewards": None, "scores": None, "extra_logs": {name: [math.nan] * n for name in FIGURES}}


def export_row(pair: Pair, *, swapped: bool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """One row of OpenRLHF's data, for ``--data.input_key input --data.label_key label --data.apply_chat_template``.

    A label is one field there, hence JSON.
    """
    return {
        "input": [dict(message) for message in messages],
        "label": json.dumps(row_fields(pair, swapped), ensure_ascii=False),
    }


def _tensors(answer: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    def tensor(values: list[float] | None) -> Any:
        return None if values is None else torch.tensor(values, dtype=torch.float32)

    return {
        "rewards": tensor(answer["rewards"]),
        "scores": tensor(answer["scores"]),
        "extra_logs": {name: tensor(values) for name, values in answer["extra_logs"].items()},
    }
