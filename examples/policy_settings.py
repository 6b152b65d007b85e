"""What the policies of align_policy.py are made with."""

from dataclasses import asdict, dataclass
from typing import Any

MODEL = {"hidden_size": 128, "layers": 2, "heads": 4, "intermediate_size": 256, "vocabulary": 640}
START = ("requests", "broken", "cue")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of a policy, from its start to its last evaluation."""

    requests: int = 1200
    """For training; those of the other splits are others."""
    broken: float = 0.5
    """Share of the constraints that demonstrations break."""
    cue: float = 0.5
    """Share of demonstrations with the surface cue."""
    start_steps: int = 400
    start_batch: int = 64
    start_lr: float = 3e-3
    longest: int = 20
    """Tokens of a response; one of the world has 10 to 18. What is cut is malformed."""
    steps: int = 24
    prompts: int = 8
    samples: int = 6
    lr: float = 4e-4
    schedule: str = "swiss"
    budget: float = 0.6
    """Comparisons, as a share of a round-robin's."""
    watched: int = 30
    """Validation requests that the policy answers once every `every` steps."""
    every: int = 6
    probed: int = 120
    """Validation requests about which the judge compares two demonstrations, before any policy is trained."""
    test_requests: int = 100
    test_answers: int = 4
    """Responses to each test request."""

    def of_start(self) -> dict[str, Any]:
        """What the start depends on, as plain JSON; with MODEL and the seed that is all."""
        return {name: value for name, value in asdict(self).items() if name in START or name.startswith("start_")}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "model": MODEL}
