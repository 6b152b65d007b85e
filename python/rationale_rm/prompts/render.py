"""Templates: where they lie, what identifies them, and how they are rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.extras import MissingExtraError
from rationale_rm.prompts.markup import REVISION

if TYPE_CHECKING:
    from jinja2 import Template

VERSIONS: Final[Mapping[str, int]] = {"genrm": 1, "genrm_brief": 1, "metajudge": 1, "decomposition": 1, "taxonomy": 2}
"""Prompt → version for people; the hash behind it in `template_id` tells versions apart for caches."""

_PATHS: Final = (
    "_conversation.j2",
    "_marked.j2",
    "decomposition/call.j2",
    "decomposition/rules.j2",
    "decomposition/shared.j2",
    "genrm/call.j2",
    "genrm/rules.j2",
    "genrm_brief/call.j2",
    "metajudge/call.j2",
    "metajudge/rules.j2",
    "metajudge/shared.j2",
    "taxonomy/call.j2",
    "taxonomy/rules.j2",
    "taxonomy/shared.j2",
)
"""`rules` is the system message, equal for all calls; `shared` holds the texts that a group shares, `call` what is of
one call. Partials start with an underscore."""


@cache
def template_id(name: str) -> str:
    """Name, version and content hash of a prompt, such as ``metajudge/1:3f2a9c1b``: part of every cache key.

    The hash covers the templates of the prompt, the partials that prompts share, and the revision of the
    neutralisation, so any change of a prompt changes it. Needs no jinja2. Raises `RationaleError` for another name.
    """
    if name not in VERSIONS:
        raise RationaleError(f"there is no prompt {name!r}: expected one of {', '.join(VERSIONS)}")
    digest = hashlib.sha256(f"{name}/{VERSIONS[name]}/{REVISION}".encode())
    for path, source in _sources().items():
        if path.startswith((f"{name}/", "_")):
            digest.update(f"\0{path}\0{source}".encode())
    return f"{name}/{VERSIONS[name]}:{digest.hexdigest()[:8]}"


def render(path: str, **values: Any) -> str:
    """One template. Values are inserted as they are: the caller has neutralised them."""
    return _template(path).render(values)


@cache
def _sources() -> dict[str, str]:
    """Path → text of all templates."""
    folder = files("rationale_rm.prompts")
    # The hash must not depend on how a checkout ends its lines.
    return {path: folder.joinpath(path).read_text("utf-8").replace("\r\n", "\n") for path in _PATHS}


@cache
def _template(path: str) -> Template:
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("jinja2", "judge") from None
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(_sources()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # prompts are no HTML; see markup.py for what is made harmless
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template(path)
