"""Whether a run that was stopped may go on under a recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rationale_rm.judge.spec import parse_spec
from rationale_rm.train.recipe.schema import Recipe
from rationale_rm.train.recipe.setting import Section, may_change


def fixed_settings(recipe: Recipe) -> dict[str, Any]:
    """Dotted key → value of every setting that a resumed run must share, as plain JSON.

    Not among them: how long to train, what to write and how often, how hard the judge is asked and where its server
    is, and what changes memory or speed alone.
    """
    return dict(_fixed(recipe, ""))


def resume_digest(recipe: Recipe) -> str:
    """A short name of `fixed_settings`: equal digests may resume each other."""
    text = json.dumps(fixed_settings(recipe), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def resume_conflicts(recipe: Recipe, saved: Mapping[str, Any]) -> list[str]:
    """What differs from the `fixed_settings` that a checkpoint holds, a line a setting; empty where it may go on.

    A setting that only one of the two knows, as after an upgrade, is a difference.
    """
    now = fixed_settings(recipe)
    missing = object()
    both = {key: (saved.get(key, missing), now.get(key, missing)) for key in sorted(now.keys() | saved.keys())}
    return [
        f"{key}: {_shown(old, missing)} in the checkpoint, {_shown(new, missing)} now"
        for key, (old, new) in both.items()
        if old != new
    ]


def _shown(value: Any, missing: object) -> str:
    return "not there" if value is missing else json.dumps(value, ensure_ascii=False)


def _fixed(section: Section, above: str) -> Iterator[tuple[str, Any]]:
    for key, field in type(section).model_fields.items():
        if may_change(field):
            continue
        value = getattr(section, key)
        name = f"{above}{key}"
        if isinstance(value, Section):
            yield from _fixed(value, f"{name}.")
        elif name.endswith(".judge") and value is not None:
            yield name, _judge(value)
        else:
            yield name, list(value) if isinstance(value, tuple) else value


def _judge(text: str) -> str:
    """A judge without the addresses of its servers."""
    try:
        spec = parse_spec(text, judge=True)
    except ValueError:  # the oracle
        return text
    return f"{spec.kind}:{spec.name}"
