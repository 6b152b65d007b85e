"""Recipes: what a training run does, as YAML checked by a schema.

>>> from rationale_rm.train.recipe import read_recipe
>>> recipe = read_recipe("tiny-cpu", ["train.steps=20"])
>>> recipe.train.steps
20

`Recipe` and its sections (`schema`) hold every setting with its bounds; `read_recipe` takes a file or the name of a
shipped recipe, follows ``extends``, applies overrides, and says what is wrong with file, line and key.
"""

from rationale_rm.extras import needs

with needs("train", "pydantic", "yaml"):
    import pydantic  # noqa: F401
    import yaml  # noqa: F401

from rationale_rm.train.recipe.checks import remarks
from rationale_rm.train.recipe.faults import RecipeError
from rationale_rm.train.recipe.read import read_recipe, recipe_text
from rationale_rm.train.recipe.resume import fixed_settings, resume_conflicts, resume_digest
from rationale_rm.train.recipe.schema import Recipe
from rationale_rm.train.recipe.shipped import shipped_recipes

__all__ = [
    "Recipe",
    "RecipeError",
    "fixed_settings",
    "read_recipe",
    "recipe_text",
    "remarks",
    "resume_conflicts",
    "resume_digest",
    "shipped_recipes",
]
