"""OpenRLHF's queries, prompt and response as one text → the responses."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from rationale_rm._core import RationaleError

OVERLAP: Final = 16
"""Characters of a prompt that must be found at the start of a query whose prompt was cut."""
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


def responses(queries: Sequence[str], prompts: Sequence[str]) -> list[str]:
    """The response of each query, which is prompt and response as one text, without the tokens that end it.

    Raises `RationaleError` where a query does not begin with its prompt: scored whole, the form that a prompt shows
    could be taken for the answer.
    """
    found = []
    for at, response in enumerate(found_responses(queries, prompts)):
        if response is None:
            raise RationaleError(f"query {at} does not begin with its prompt, nor with an end of it")
        found.append(response)
    return found


def found_responses(queries: Sequence[str], prompts: Sequence[str]) -> list[str | None]:
    """`responses`, with None where a query does not begin with its prompt."""
    if len(queries) != len(prompts):
        raise RationaleError(f"there are {len(queries)} queries and {len(prompts)} prompts")
    found = (without_prompt(query, prompt) for query, prompt in zip(queries, prompts, strict=True))
    return [None if response is None else _without_end(response) for response in found]


def without_prompt(query: str, prompt: str) -> str | None:
    """What follows the prompt in a query; None where the query does not begin with it.

    A query is what a tokenizer makes of its tokens: some bring the text into Unicode's form NFC, some drop a leading
    space, and of a prompt that is too long OpenRLHF cuts the start, also within a character, of which U+FFFD is left.
    Of a cut prompt at least `OVERLAP` characters must be there; what is cut off is the longest end of it.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    composed = unicodedata.normalize("NFC", prompt)
    if query.startswith(composed):
        return query[len(composed) :]
    query = query.lstrip("\ufffd")
    for whole in dict.fromkeys((composed, prompt)):
        held = _overlap(whole, query)
        if held >= OVERLAP:
            return query[held:]
    return None


def _overlap(prompt: str, query: str) -> int:
    """Length of the longest end of a prompt that a query begins with, in linear time (Knuth, Morris and Pratt 1977)."""
    head = query[: len(prompt)]
    if head[:OVERLAP] not in prompt:
        return 0
    borders = [0] * len(head)  # of each start of the query: its longest end, short of itself, that is a start too
    held = 0
    for at in range(1, len(head)):
        while held and head[at] != head[held]:
            held = borders[held - 1]
        held += head[at] == head[held]
        borders[at] = held
    held = 0
    for sign in prompt[len(prompt) - len(head) :]:
        while held and sign != head[held]:
            held = borders[held - 1]
        held += sign == head[held]
    return held


def _without_end(text: str) -> str:
    while text.rstrip().endswith(_ENDS):
        text = text.rstrip()
        text = text.removesuffix(next(end for end in _ENDS if text.endswith(end)))
    return text
