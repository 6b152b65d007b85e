"""What a world is made with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from rationale_rm._core import RationaleError

Split = Literal["train", "validation", "test"]
SPLITS: Final = get_args(Split)
MOST_TASKS: Final = 6
MOST_TRAITS: Final = 8
MOST_CHOICES: Final = 4


def check_split(split: str) -> None:
    """Raises `RationaleError` for a split that there is not."""
    if split not in SPLITS:
        raise RationaleError(f"there is no split {split!r}: expected one of {', '.join(SPLITS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """The parameters of a synthetic judging world; the defaults suit a model of 1 to 3 million parameters."""

    seed: int = 0
    difficulty: float = 0.0
    """Share of the constraints that name a value, so that a flaw shows only against the request (``budget 300`` asked,
    ``budget 400`` given); the flaws of the others show by themselves (``invents prices``). 0 to 1, rounded to whole
    constraints: at four of them to quarters."""
    vocabulary: float = 1.0
    """Share of the tasks and constraints of each domain that are used, rounded to whole ones, 0 to 1; one that leaves
    too few for a request is refused."""
    cue_strength: float = 0.85
    """How often the response with the surface cue (length, emphasis) is the better one, 0 to 1."""
    constraints: int = 4
    """Constraints a request states, 4 to 8."""

    def __post_init__(self) -> None:
        """Raises `RationaleError` for a value out of range."""
        for name, value, low in (
            ("difficulty", self.difficulty, 0.0),
            ("vocabulary", self.vocabulary, 0.0),
            ("cue_strength", self.cue_strength, 0.0),
        ):
            if not low <= value <= 1:
                raise RationaleError(f"world.{name} is {value}: expected 0 to 1")
        if not 4 <= self.constraints <= MOST_TRAITS:
            raise RationaleError(f"world.constraints is {self.constraints}: expected 4 to {MOST_TRAITS}")
        if self.used(MOST_TRAITS) < self.traits_drawn or self.used(MOST_CHOICES) < self.choices_drawn:
            raise RationaleError(
                f"world.vocabulary {self.vocabulary:g} leaves {self.used(MOST_TRAITS)} plain constraints and "
                f"{self.used(MOST_CHOICES)} with values a domain, too few for requests of {self.constraints} at "
                f"difficulty {self.difficulty:g}: raise vocabulary or change difficulty"
            )

    @property
    def choices_drawn(self) -> int:
        """Constraints of a request that name a value."""
        return round(self.difficulty * self.constraints)

    @property
    def traits_drawn(self) -> int:
        """Constraints of a request whose flaws show by themselves."""
        return self.constraints - self.choices_drawn

    def used(self, most: int) -> int:
        """How many of `most` tasks or constraints a domain has."""
        return max(1, round(self.vocabulary * most))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)
