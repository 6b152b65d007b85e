"""The recipes that come with the package.

In a checkout they are the folder ``recipes`` at its root; a wheel holds the same files in ``rationale_rm/recipes``.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

SUFFIX: Final = ".yaml"


def recipes_folder() -> Path:
    """Where the shipped recipes lie. Raises `FileNotFoundError` for an installation without them."""
    package = Path(__file__).parents[2]
    checkout = package.parents[1]
    places = [checkout / "recipes"] if (checkout / "pyproject.toml").is_file() else []
    for folder in (*places, package / "recipes"):  # an editable build leaves a copy in the package, which ages
        if (folder / f"tiny-cpu{SUFFIX}").is_file():
            return folder
    raise FileNotFoundError("this installation holds no recipes: name a file")


def shipped_recipes() -> dict[str, Path]:
    """Name → file of every shipped recipe, sorted."""
    found = {path.stem: path for path in recipes_folder().glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def find_recipe(source: str) -> Path:
    """The file that `source`, a path or the name of a shipped recipe, means. A file that is there goes first.

    Raises `FileNotFoundError` that says what there is.
    """
    path = Path(source)
    if path.is_file():
        return path
    try:
        shipped = shipped_recipes()
    except FileNotFoundError:
        shipped = {}
    if source in shipped:
        return shipped[source]
    if path.is_dir():
        raise FileNotFoundError(f"{source} is a folder: name a recipe in it")
    near = difflib.get_close_matches(source, shipped, 1)
    hint = f"did you mean {near[0]}?" if near else f"a file, or one of {', '.join(shipped)}"
    raise FileNotFoundError(f"no such recipe: {source} ({hint})")
