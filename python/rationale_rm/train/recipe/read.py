"""A recipe from YAML: inheritance, overrides, validation, and errors that say where to look."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rationale_rm.train.recipe.document import Places, named, read_document, read_scalar, read_value
from rationale_rm.train.recipe.faults import Fault, Place, RecipeError, fault
from rationale_rm.train.recipe.faults import Path as Keys
from rationale_rm.train.recipe.schema import CONTRADICTIONS, Recipe
from rationale_rm.train.recipe.setting import Section
from rationale_rm.train.recipe.shipped import find_recipe

EXTENDS: Final = "extends"
LARGEST: Final = 1_000_000
"""Bytes of a recipe; more is some other file."""


def read_recipe(source: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe.

    `source` is a file, or the name of a shipped recipe. The key ``extends`` names a recipe whose settings hold where
    this one is silent: a file relative to its own, or a shipped recipe. Each of `overrides` is ``KEY=VALUE``, such as
    ``reward.mode=outcome`` or ``data.train=[a.jsonl, b.jsonl]``; the value is read as YAML, and later ones win.

    Raises `RecipeError`, whose message has a line for each fault with file, line, key, and what was expected, and
    `FileNotFoundError` for a recipe that is not there.
    """
    path = find_recipe(os.fspath(source))
    values, places = _read_file(path, ())
    values.setdefault("name", _name(path.stem))
    for override in overrides:
        _override(values, places, override)
    return _validated(values, places)


def recipe_text(recipe: Recipe) -> str:
    """The whole recipe as YAML, defaults included; `read_recipe` of it gives an equal one."""
    plain = recipe.model_dump(mode="json")
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes the texts that would be read as something else, such as ``1e3``."""

    def text(self, value: str) -> yaml.Node:
        style = None if isinstance(read_scalar(value), str) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _Dumper.text)


def _name(stem: str) -> str:
    """A file's name as the name of a run."""
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in stem)
    return kept if kept[:1].isalnum() else f"run{kept}"


def _read_file(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], Places]:
    """The settings of a file over those it extends. `above`: the files that extend this one."""
    source = str(path)
    try:
        if path.stat().st_size > LARGEST:
            raise fault(source, None, "too large for a recipe")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(source, None, f"not UTF-8: byte {error.start}") from None
    except OSError as error:
        raise fault(source, None, f"cannot be read: {error.strerror or error}") from None
    values, places = read_document(text, source)
    base = values.pop(EXTENDS, None)
    if base is None:
        return values, places
    line = places[(EXTENDS,)].line
    if not isinstance(base, str):
        raise fault(source, line, f"expected the file or name of a recipe, not {named(base)}", EXTENDS)
    try:
        below = _base(base, path)
    except FileNotFoundError as error:
        raise fault(source, line, str(error), EXTENDS) from None
    if any(below.samefile(one) for one in (path, *above)):
        raise fault(source, line, f"{base} extends this recipe in turn", EXTENDS)
    under, under_places = _read_file(below, (*above, path))
    _merge(under, values, under_places, places, ())
    return under, under_places


def _base(name: str, path: Path) -> Path:
    beside = path.parent / name
    return beside if beside.is_file() else find_recipe(name)


def _merge(under: dict[str, Any], over: Mapping[str, Any], under_places: Places, places: Places, path: Keys) -> None:
    """Writes `over` into `under`: sections key by key, all else as a whole."""
    for key, value in over.items():
        here = (*path, key)
        old = under.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value, under_places, places, here)
        else:
            under[key] = value
            for stale in [known for known in under_places if known[: len(here)] == here]:
                del under_places[stale]
            under_places.update({known: place for known, place in places.items() if known[: len(here)] == here})
        if here in places:
            under_places[here] = places[here]


def _override(values: dict[str, Any], places: Places, override: str) -> None:
    """Applies ``KEY=VALUE``."""
    source = f"--set {override}"
    key, sign, text = override.partition("=")
    keys = tuple(key.strip().split("."))
    if not sign or not all(keys):
        raise fault(source, None, "expected KEY=VALUE, such as reward.mode=outcome")
    value = read_value(text, source)
    here = values
    for at, name in enumerate(keys[:-1], 1):
        below = here.get(name)
        if below is None:
            below = here[name] = {}
        if not isinstance(below, dict):
            raise fault(source, None, f"{'.'.join(keys[:at])} is {named(below)}, which has no key {keys[at]}")
        places.setdefault(keys[:at], Place(source))
        here = below
    here[keys[-1]] = value
    for stale in [known for known in places if known[: len(keys)] == keys]:
        del places[stale]
    places[keys] = Place(source)


def _validated(values: dict[str, Any], places: Places) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = [found for one in error.errors(include_url=False) for found in _faults(one, places)]
        raise RecipeError(faults) from None


def _faults(error: ErrorDetails, places: Places) -> Iterator[Fault]:
    if error["type"] == CONTRADICTIONS:
        for path, text in error["ctx"]["found"]:
            yield Fault(_place(path, places), ".".join(path), text)
        return
    path = tuple(str(part) for part in error["loc"])
    yield Fault(_place(path, places), ".".join(path), _explained(error, path))


def _place(path: Keys, places: Places) -> Place:
    """Where a key stands, or else the section that it belongs to, or the whole file."""
    return next(places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places)


_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a section (keys and values)",
    "model_type": "a section (keys and values)",
    "model_attributes_type": "a section (keys and values)",
    "string_too_short": "a text that is not empty",
    "too_short": "at least one entry",
}


def _explained(error: ErrorDetails, path: Keys) -> str:
    """What was expected, and what was found."""
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "literal_error":
        choices = _choices(path)
        near = difflib.get_close_matches(str(found), choices, 1) if isinstance(found, str) else []
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"expected {_listed(choices)}, not {named(found)}{hint}" if choices else error["msg"]
    bounds = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than"}
    bounds["less_than_equal"] = "at most"
    if kind in bounds:
        return f"expected {bounds[kind]} {next(iter(context.values())):g}, not {found}"
    if kind == "string_pattern_mismatch":
        return f"expected letters, digits, '.', '-' and '_', not {named(found)}"
    if kind in ("missing", "too_long"):
        return f"expected {context.get('max_length', 'more')} entries"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {named(found)}"
    return error["msg"]


def _listed(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _unknown_key(path: Keys) -> str:
    """The nearest valid key: of the same section, or of another one."""
    *above, key = path
    if path == (EXTENDS,):  # taken out of files before
        return "belongs into a recipe file"
    own = keys_of(above)
    near = difflib.get_close_matches(key, own, 1, 0.6)
    if near:
        return f"unknown key; did you mean {'.'.join([*above, near[0]])}?"
    everywhere = all_keys()
    same = [known for known in everywhere if known.rpartition(".")[2] == key]
    if not same:
        same = [
            known
            for known in everywhere
            if known.rpartition(".")[2]
            in difflib.get_close_matches(key, [one.rpartition(".")[2] for one in everywhere], 1, 0.8)
        ]
    if same:
        return f"unknown key; did you mean {_listed(same[:3])}?"
    where = f"{'.'.join(above)} has" if above else "a recipe has"
    return f"unknown key; {where} {', '.join(own)}"


def section_at(path: Sequence[str]) -> type[Section] | None:
    """The model of the section at `path`; None where there is none."""
    here: type[Section] = Recipe
    for key in path:
        field = here.model_fields.get(key)
        below = None if field is None else _section_in(field.annotation)
        if below is None:
            return None
        here = below
    return here


def _section_in(annotation: Any) -> type[Section] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def keys_of(path: Sequence[str]) -> list[str]:
    """The keys of a section."""
    found = section_at(path)
    own = [] if found is None else list(found.model_fields)
    return own if path else [*own, EXTENDS]


def all_keys(path: tuple[str, ...] = ()) -> list[str]:
    """Every setting, dotted."""
    here = section_at(path)
    keys = []
    for key, field in ({} if here is None else here.model_fields).items():
        if _section_in(field.annotation) is None:
            keys.append(".".join((*path, key)))
        else:
            keys.extend(all_keys((*path, key)))
    return keys


def _choices(path: Keys) -> list[str]:
    """The words that a setting may be."""
    while path and not path[-1].isidentifier():  # an entry of a list
        path = path[:-1]
    here = section_at(path[:-1])
    field = None if here is None else here.model_fields.get(path[-1])
    return [] if field is None else list(_words(field.annotation))


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for part in get_args(annotation):
            yield from _words(part)
