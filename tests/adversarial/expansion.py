"""Texts of the adversarial cases: huge ones are stored as recipes and built when a test needs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("cases.jsonl")


def expand(recipe: Any) -> str:
    """A recipe is a string, `{"repeat": [recipe, times]}` or `{"concat": [recipe, …]}`."""
    if isinstance(recipe, str):
        return recipe
    ((kind, body),) = recipe.items()
    if kind == "repeat":
        part, times = body
        return expand(part) * int(times)
    if kind == "concat":
        return "".join(expand(part) for part in body)
    raise ValueError(f"unknown recipe {kind!r}")


def load() -> list[dict[str, Any]]:
    with CASES.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
