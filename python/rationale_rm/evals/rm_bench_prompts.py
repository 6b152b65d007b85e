"""The prompts of RM-Bench, each nine pairs of a right and a wrong response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import PurePath
from typing import Final

from rationale_rm.data import Row
from rationale_rm.data.faults import short
from rationale_rm.evals.files import checked, given, name_of, refuse, text_of, unique
from rationale_rm.types import Pair

STYLES: Final = ("concise", "plain", "markdown")
CELLS: Final = tuple(product(range(3), range(3)))
"""(chosen, rejected), row by row."""
DOMAINS: Final = ("chat", "math", "code", "safety")


def items(records: Sequence[Row]) -> list[Pair]:
    """Nine pairs a prompt of ``total_dataset.json`` or ``DOMAIN_filtered.json``. Raises `DataError`."""
    return [pair for prompt in unique([_whole(row) for row in records]) for pair in _nine(prompt)]


def _whole(row: Row) -> Pair:
    """A prompt with what all its pairs share; its responses stand in ``extra``."""
    domain = _domain(row)
    texts = {}
    for name in ("chosen", "rejected"):
        found = row.value.get(name)
        if not isinstance(found, list) or len(found) != len(STYLES) or not all(isinstance(text, str) for text in found):
            refuse(row, f"{name} must be a list of {len(STYLES)} texts: {', '.join(STYLES)}")
        texts[name] = [checked(row, name, text) for text in found]
    return Pair(
        id=f"{domain}/{name_of(row, 'id')}",
        domain=domain,
        context=({"role": "user", "content": text_of(row, "prompt")},),
        response1="",
        response2="",
        references=(),
        label=1,
        extra=texts,
        file=row.file,
        line=row.line,
    )


def _nine(prompt: Pair) -> list[Pair]:
    """The chosen response is response 1 of every pair, and label A>B: both orders are shown."""
    return [
        replace(
            prompt,
            id=f"{prompt.id}/{STYLES[i]}-{STYLES[j]}",
            response1=prompt.extra["chosen"][i],
            response2=prompt.extra["rejected"][j],
            extra={},
        )
        for i, j in CELLS
    ]


def prompt_of(pair_id: str) -> str:
    """Id of the prompt that a pair belongs to."""
    return pair_id.rpartition("/")[0]


def prompt(row: Row) -> Pair:
    """The prompt of a record, with its texts where the record holds them. Raises `DataError`."""
    return _whole(row) if given(row.value, "chosen", "rejected", "prompt") else _bare(row)


def _bare(row: Row) -> Pair:
    """A prompt of which the file holds no texts."""
    domain = _domain(row)
    return Pair(
        id=f"{domain}/{name_of(row, 'id')}",
        domain=domain,
        context="",
        response1="",
        response2="",
        references=(),
        label=1,
    )


def pairs_of(prompt: Pair) -> list[Pair]:
    """The nine pairs of a prompt, row by row."""
    if "chosen" in prompt.extra:
        return _nine(prompt)
    return [replace(prompt, id=f"{prompt.id}/{STYLES[i]}-{STYLES[j]}") for i, j in CELLS]


def _domain(row: Row) -> str:
    """The record's domain, else that of the file's name."""
    domain = row.value.get("domain")
    if domain is None:
        domain = PurePath(row.file).name.partition("_")[0].partition(".")[0]
    if not isinstance(domain, str) or domain_of(domain) is None:
        refuse(row, f"domain is {short(str(domain))}: expected {', '.join(DOMAINS)} (or a file DOMAIN_filtered.json)")
    return domain


def domain_of(domain: str) -> str | None:
    """The domain that this one is or is a subset of, such as safety of ``safety-refuse``."""
    first = domain.partition("-")[0]
    return first if first in DOMAINS else None
