"""The words of the world: domains with tasks, constraints and the flaws that break them (``domains.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

DOMAINS: Final = ("code", "general", "multilingual", "stem")
"""The domains of the paper's benchmark."""

GENERIC: Final = (
    "is longer and more detailed",
    "reads better overall",
    "has a nicer tone",
    "looks more complete",
    "seems more helpful",
    "shows more effort",
    "feels more professional",
    "is easier to follow",
)
"""What shallow reasons say: true of any text, and of none in particular."""

OPENINGS: Final = (
    "**Certainly! A very thorough answer:**",
    "**Great question! All in depth:**",
    "**Of course! Prepared with care:**",
)
"""The surface cue: emphasis and length at the beginning of a response …"""
CLOSINGS: Final = ("", "**I truly hope that this long answer helps!**", "**Ask me for many more details!**")
"""… and, in most cases, at its end."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a request may ask for."""

    want: str
    """As the request states it."""
    good: str
    """What a response does that meets it."""
    bad: tuple[str, ...]
    """What one does that breaks it, each another flaw."""

    @property
    def phrases(self) -> tuple[str, ...]:
        """All that a response can say about it."""
        return (self.good, *self.bad)


@dataclass(frozen=True, slots=True)
class Choice:
    """A constraint that names one of several values; any other value breaks it."""

    what: str
    values: tuple[str, ...]

    def asked(self, value: str) -> Constraint:
        """The constraint to give `value`."""
        others = tuple(f"sets the {self.what} to {other}" for other in self.values if other != value)
        return Constraint(f"the {self.what} {value}", f"sets the {self.what} to {value}", others)


@dataclass(frozen=True, slots=True)
class Domain:
    """What is asked in one domain."""

    tasks: tuple[str, ...]
    traits: tuple[Constraint, ...]
    choices: tuple[Choice, ...]


@cache
def domains() -> Mapping[str, Domain]:
    """Name → domain."""
    data = json.loads(resources.files(__package__).joinpath("domains.json").read_text("utf-8"))
    return {
        name: Domain(
            tuple(data[name]["tasks"]),
            tuple(Constraint(one["want"], one["good"], tuple(one["bad"])) for one in data[name]["traits"]),
            tuple(Choice(one["what"], tuple(one["values"])) for one in data[name]["choices"]),
        )
        for name in DOMAINS
    }


@cache
def flaws() -> frozenset[str]:
    """What flawed responses do, in all domains."""
    found: set[str] = set()
    for domain in domains().values():
        for trait in domain.traits:
            found.update(trait.bad)
        for choice in domain.choices:
            found.update(f"sets the {choice.what} to {value}" for value in choice.values)
    return frozenset(found)
