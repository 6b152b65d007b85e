"""Which files the pairs of a recipe lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe


def all_sources(recipe: Recipe) -> list[str]:
    """Every file that a recipe names, once."""
    data, warm = recipe.data, recipe.warm_start
    named = (data.train, data.validation, data.test, None if warm is None else warm.data)
    return list(dict.fromkeys(source for paths in named for source in paths or ()))
