"""What tokens cost: a table in a JSON file, for prices change and code should not."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rationale_rm.judge.wire import same_model


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens."""

    input: float
    output: float
    cached_input: float
    as_of: str
    """The day on which the price was looked up."""

    def cost(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """US dollars; `cached_tokens` are those of `prompt_tokens` that a prefix cache served."""
        fresh = prompt_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * self.cached_input + completion_tokens * self.output) / 1e6


def find_price(model: str, path: str | os.PathLike[str] | None = None) -> Price | None:
    """The price of `model` in the table at `path`, else in the table that comes with the package.

    A table is ``{"as_of": DAY, "models": {NAME: {"input": 2.0, "output": 8.0, "cached_input": 0.5}}}``, in US
    dollars a million tokens; ``cached_input`` may be left out and is ``input`` then. Raises `ValueError` that
    names the file and the entry at fault, and `OSError` for a file that cannot be read.
    """
    if path is not None:
        with open(path, "rb") as stream:
            found = _find(model, stream.read(), os.fspath(path))
        if found is not None:
            return found
    table = resources.files("rationale_rm.judge").joinpath("prices.json")
    return _find(model, table.read_text("utf-8"), "prices.json")


def _find(model: str, text: str | bytes, name: str) -> Price | None:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    models = table.get("models") if isinstance(table, dict) else None
    if not isinstance(models, dict):
        raise ValueError(f'{name}: expected {{"as_of": DAY, "models": {{NAME: {{"input": …, "output": …}}}}}}')
    entry = models.get(model)
    if entry is None:
        entry = next((value for key, value in models.items() if same_model(key, model)), None)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ValueError(f"{name}: the entry of {model} must be an object")
    dollars = _dollars(entry, "input", name, model)
    cached = _dollars(entry, "cached_input", name, model) if "cached_input" in entry else dollars
    day = str(entry.get("as_of", table.get("as_of", "an unknown day")))
    return Price(dollars, _dollars(entry, "output", name, model), cached, day)


def _dollars(entry: dict[str, Any], field: str, name: str, model: str) -> float:
    value = entry.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e6:
        raise ValueError(f"{name}: {field} of {model} must be US dollars a million tokens, not {value!r}")
    return float(value)
