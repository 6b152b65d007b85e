"""Every setting with its values, default and meaning, for ``rationale-rm train --explain`` and docs/recipes.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rationale_rm.train.recipe.schema import Recipe
from rationale_rm.train.recipe.setting import Section, may_change, unit_of

_WORDS: Final = {int: "whole number", float: "number", bool: "true, false", str: "text"}
_BOUNDS: Final = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a recipe."""

    key: str
    """Dotted."""
    values: str
    """What it may be."""
    default: str
    unit: str
    text: str
    may_change: bool
    """Whether a resumed run may have another value."""


@dataclass(frozen=True, slots=True)
class SectionText:
    """One section of a recipe."""

    key: str
    """Dotted; empty for the recipe itself."""
    text: str
    default: str
    """``null`` where there is none unless it is written; empty where it holds its own defaults."""
    settings: tuple[Setting, ...]


def sections() -> list[SectionText]:
    """All sections, in the order of the schema."""
    return list(_sections(Recipe, "", ""))


def _sections(model: type[Section], key: str, default: str) -> Iterator[SectionText]:
    settings = []
    below: list[tuple[type[Section], str, str]] = []
    for name, field in model.model_fields.items():
        dotted = f"{key}.{name}" if key else name
        inner = next(
            (part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, Section)), None
        )
        if inner is None:
            settings.append(_setting(dotted, field))
        else:
            below.append((inner, dotted, "null" if field.default is None else ""))
    text = " ".join((model.__doc__ or "").split())
    yield SectionText(key, text, default, tuple(settings))
    for inner, dotted, nothing in below:
        yield from _sections(inner, dotted, nothing)


def _setting(key: str, field: FieldInfo) -> Setting:
    default = field.get_default(call_default_factory=True)
    shown = "" if default is PydanticUndefined else json.dumps(default, ensure_ascii=False)
    return Setting(key, _values(field), shown, unit_of(field), field.description or "", may_change(field))


def _values(field: FieldInfo) -> str:
    parts = [part for part in _parts(field.annotation) if part is not NoneType]
    words = ", ".join(dict.fromkeys(_word(part) for part in parts))
    bounds = [
        f"{sign} {getattr(one, name):,}" for one in field.metadata for name, sign in _BOUNDS if hasattr(one, name)
    ]
    null = " or null" if NoneType in _parts(field.annotation) else ""
    return " ".join([words, *bounds]) + null


def _parts(annotation: Any) -> list[Any]:
    """The alternatives of a type."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for one in get_args(annotation) for part in _parts(one)]
    return [annotation]


def _word(part: Any) -> str:
    origin = get_origin(part)
    if origin is Literal:
        return ", ".join(map(str, get_args(part)))
    if origin is tuple:
        inner = get_args(part)
        of = "two numbers" if inner == (float, float) else f"list of {_word(inner[0])}s"
        return "list of trackers" if get_origin(inner[0]) is Literal else of
    if origin is dict:
        return "keys and values"
    return _WORDS.get(part, getattr(part, "__name__", str(part)))


def as_markdown() -> str:
    """The tables of docs/recipes.md."""
    lines = []
    for section in sections():
        lines += [f"### `{section.key}`" if section.key else "### At the top", "", _said(section), ""]
        lines += ["| key | is | default | |", "|---|---|---|---|"]
        for one in section.settings:
            name = f"`{one.key.rpartition('.')[2]}`{' ↻' if one.may_change else ''}"
            lines.append(f"| {name} | {_cell(one.values)}{_unit(one)} | `{one.default}` | {_cell(one.text)} |")
        lines.append("")
    return "\n".join(lines)


def _said(section: SectionText) -> str:
    return f"{section.text} Not there unless written (null)." if section.default else section.text


def _unit(one: Setting) -> str:
    return f" ({one.unit})" if one.unit else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def as_text(wanted: tuple[str, ...] = ()) -> Iterator[str]:
    """The same for a terminal; `wanted` keeps the sections and settings whose key begins like one of them."""
    for section in sections():
        own = [one for one in section.settings if not wanted or one.key.startswith(wanted)]
        if not own:
            continue
        yield f"{section.key or 'recipe'}: {_said(section)}"
        for one in own:
            change = "; may change on --resume" if one.may_change else ""
            yield f"  {one.key}: {one.values}{_unit(one)}, default {one.default}{change}"
            yield f"      {one.text}"
        yield ""
