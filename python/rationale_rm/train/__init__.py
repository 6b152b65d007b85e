"""Training a GenRM with GRPO: recipes, plans, and the loop.

`recipe` says what to train and needs pydantic and PyYAML; `plan` reckons what a recipe will take without training;
`loop` trains, and needs torch. What is named here is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rationale_rm.train.loop import Finished, TrainingError, train
    from rationale_rm.train.recipe import Recipe, RecipeError, read_recipe

_HOMES: Final = {
    **dict.fromkeys(("Finished", "TrainingError", "train"), "rationale_rm.train.loop"),
    **dict.fromkeys(("Recipe", "RecipeError", "read_recipe"), "rationale_rm.train.recipe"),
}
__all__ = ["Finished", "Recipe", "RecipeError", "TrainingError", "read_recipe", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
