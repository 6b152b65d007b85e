"""Requests of the world: drawn, split and read back."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from rationale_rm._core import RationaleError
from rationale_rm.world.settings import MOST_CHOICES, MOST_TASKS, MOST_TRAITS, Split, WorldSettings, check_split
from rationale_rm.world.vocabulary import DOMAINS, Constraint, domains

T = TypeVar("T")
_MISSES: Final = 10_000
"""Draws in a row without anything new, after which a split is taken to be exhausted."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for."""

    domain: str
    task: str
    constraints: tuple[Constraint, ...]
    """In the order in which the text states them; all different."""

    @property
    def text(self) -> str:
        """As the user writes it."""
        return f"{self.task}: {', '.join(one.want for one in self.constraints)}."


def requests(settings: WorldSettings, split: Split, n: int) -> list[Request]:
    """`n` different requests of a split, the same for the same settings; the first m of them for a smaller m.

    Splits hold 8, 1 and 1 tenths of all possible requests, by a hash of domain, task and constraints in any order, so
    none shares a request with another one, whatever the seed, the size or the settings. They are apart from the
    splits of `pairs`, whose test pairs ask what training pairs ask as well. Raises `RationaleError` when the world
    has fewer.
    """
    check_split(split)
    return distinct(_draws(settings, split), split, n, "requests")


def _draws(settings: WorldSettings, split: Split) -> Iterator[tuple[Request, str]]:
    rng = random.Random(f"{settings.seed}/requests/{split}")
    while True:
        request = draw_request(rng, settings)
        wants = sorted(one.want for one in request.constraints)
        yield request, f"request|{request.domain}|{request.task}|{wants}"


def distinct(draws: Iterator[tuple[T, str]], split: Split, n: int, what: str) -> list[T]:
    """The first `n` of what is drawn that differ in their content and belong to a split by it.

    Raises `RationaleError` where they run out.
    """
    found: list[T] = []
    seen: set[bytes] = set()
    misses = 0
    while len(found) < n:
        drawn, content = next(draws)
        digest = hashlib.sha256(content.encode()).digest()
        if digest in seen or split_of(digest) != split:
            misses += 1
            if misses > _MISSES:
                raise RationaleError(f"this world has about {len(found)} {what} for {split}, {n} are asked for")
            continue
        misses = 0
        seen.add(digest)
        found.append(drawn)
    return found


def draw_request(rng: random.Random, settings: WorldSettings) -> Request:
    """Any request of the world."""
    name = rng.choice(DOMAINS)
    domain = domains()[name]
    task = rng.choice(domain.tasks[: settings.used(MOST_TASKS)])
    asked = rng.sample(domain.traits[: settings.used(MOST_TRAITS)], settings.traits_drawn)
    chosen = rng.sample(domain.choices[: settings.used(MOST_CHOICES)], settings.choices_drawn)
    asked += [choice.asked(rng.choice(choice.values)) for choice in chosen]
    rng.shuffle(asked)
    return Request(name, task, tuple(asked))


def read_request(text: str) -> Request:
    """The request that a text is. Raises `RationaleError` for a text that no world draws."""
    task, colon, rest = text.partition(": ")
    domain = _domain_of().get(task)
    known = _constraints(domain) if domain is not None and colon and rest.endswith(".") else {}
    asked = tuple(known.get(want) for want in rest[:-1].split(", "))
    found = tuple(one for one in asked if one is not None)
    phrases = [phrase for one in found for phrase in one.phrases]
    # Two values of one choice share their phrases, and so does a constraint that is stated twice.
    if domain is None or len(found) < len(asked) or len(set(phrases)) < len(phrases):
        raise RationaleError(f"{text[:80]!r} is no request of the world")
    return Request(domain, task, found)


def split_of(digest: bytes) -> Split:
    """Eight tenths are for training, one each for validation and test."""
    tenth = digest[0] * 10 // 256
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


@cache
def _domain_of() -> Mapping[str, str]:
    """Task → domain."""
    return {task: name for name, domain in domains().items() for task in domain.tasks}


@cache
def _constraints(domain: str) -> Mapping[str, Constraint]:
    """What a request of the domain may ask for, by the words it asks in."""
    words = domains()[domain]
    values = [choice.asked(value) for choice in words.choices for value in choice.values]
    return {one.want: one for one in (*words.traits, *values)}
