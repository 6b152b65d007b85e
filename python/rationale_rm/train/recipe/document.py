"""YAML into plain values, each with the line where it stands.

The scalars are those of YAML 1.2's core schema, which is what people expect: ``1e-4`` is a number, ``no`` and ``1:30``
are texts. Keys that stand twice, aliases and tags are refused; thousands may be parted (``1_000``).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any, Final

import yaml

from rationale_rm.train.recipe.faults import Path, Place, fault

Places = dict[Path, Place]
"""Setting → where its key stands, entry of a list → where it begins; the empty path is the whole document."""

DEEPEST: Final = 8
"""Levels of nesting; a recipe has four."""
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_WHOLE: Final = re.compile(r"[-+]?[0-9]+(_[0-9]{3})*")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OPEN: Final = ("while parsing a flow", "while scanning a quoted")
_LONGEST_NUMBER: Final = 40
_STANDARD: Final = "tag:yaml.org,2002:"
_TAGS: Final[dict[type[yaml.Node], frozenset[str]]] = {
    yaml.MappingNode: frozenset({"map"}),
    yaml.SequenceNode: frozenset({"seq"}),
    yaml.ScalarNode: frozenset({"str", "int", "float", "bool", "null", "timestamp", "value", "merge"}),
}
"""What the library gives values without a tag; it is for the text of a scalar to say what it is."""


def read_document(text: str, source: str) -> tuple[dict[str, Any], Places]:
    """A YAML mapping and where its keys stand. Raises `RecipeError`."""
    root = _compose(text, source)
    if root is None:
        return {}, {(): Place(source, 1)}
    places: Places = {(): Place(source, 1)}
    value = _value(root, (), source, places, seen=set())
    if not isinstance(value, dict):
        raise fault(source, _line(root), f"expected sections such as model: and train:, not {named(value)}")
    return value, places


def read_value(text: str, source: str) -> Any:
    """One YAML value, as an override has it. Raises `RecipeError`."""
    root = _compose(text, source)
    return None if root is None else _value(root, (), source, {}, seen=set(), one_line=True)


def named(value: Any) -> str:
    """A value in an error message."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r:.60}"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return str(value)[:60]


def _compose(text: str, source: str) -> yaml.Node | None:
    """The one document of `text`, not yet read."""
    at = 1 if source.startswith("--set") else None
    try:
        nodes = list(_nodes(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if (error.context or "").startswith(_OPEN):  # which is told where it begins, not where the file ends
            mark = error.context_mark
        raise fault(source, _where(mark, source), _explained(error, mark)) from None
    except yaml.YAMLError as error:  # characters that YAML does not have
        raise fault(source, at, str(error).splitlines()[0]) from None
    except RecursionError:
        raise fault(source, at, "nested too deeply") from None
    if len(nodes) > 1:
        raise fault(source, _line(nodes[1]), "a second document begins here: a recipe is one")
    return nodes[0] if nodes else None


def _nodes(text: str) -> Iterator[yaml.Node]:
    yield from yaml.compose_all(text, Loader=yaml.SafeLoader)


def _where(mark: yaml.Mark | None, source: str) -> int | None:
    return None if mark is None or source.startswith("--set") else mark.line + 1


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _explained(error: yaml.MarkedYAMLError, mark: yaml.Mark | None) -> str:
    """What the YAML library says, in the words of someone who writes a recipe."""
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        return "a tab: indent with spaces"
    if "mapping values are not allowed" in problem:
        return "a second colon, or a line that is indented too far: quote a text that holds ': '"
    if "could not find expected ':'" in problem:
        return "a key without a colon, before this line"
    if (error.context or "").startswith(_OPEN):
        return f"a bracket or quote that begins here is not closed: {problem}"
    column = "" if mark is None else f" (column {mark.column + 1})"
    return f"not YAML: {problem}{column}"


def _value(node: yaml.Node, path: Path, source: str, places: Places, seen: set[int], one_line: bool = False) -> Any:
    line = None if one_line else _line(node)
    if id(node) in seen:
        raise fault(source, line, "an alias (*name): write the value out, or use extends", ".".join(path))
    seen.add(id(node))
    if len(path) > DEEPEST:
        raise fault(source, line, "nested too deeply", ".".join(path))
    if _is_tagged(node):
        raise fault(source, line, f"a tag ({node.tag}): only plain values are read", ".".join(path))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, source, places, seen, one_line)
    if isinstance(node, yaml.SequenceNode):
        return _list(node, path, source, places, seen, one_line)
    return _scalar(node)


def _list(
    node: yaml.SequenceNode, path: Path, source: str, places: Places, seen: set[int], one_line: bool
) -> list[Any]:
    values = []
    for at, item in enumerate(node.value):
        below = (*path, str(at))
        places[below] = Place(source, None if one_line else _line(item))
        values.append(_value(item, below, source, places, seen, one_line))
    return values


def _is_tagged(node: yaml.Node) -> bool:
    """Whether a value says itself what it is to be; ``!!str`` before a plain one cannot be told from none."""
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    usual = frozenset({"str"}) if quoted else _TAGS[type(node)]
    return node.tag.removeprefix(_STANDARD) not in usual


def _mapping(
    node: yaml.MappingNode, path: Path, source: str, places: Places, seen: set[int], one_line: bool
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = None if one_line else _line(key_node)
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, Hashable) or not isinstance(key, str):
            raise fault(source, line, "a key must be a word, followed by a colon", ".".join(path))
        below = (*path, key)
        if key in values:
            first = "" if one_line else f": first in line {places[below].line}"
            raise fault(source, line, f"stands twice{first}", ".".join(below))
        places[below] = Place(source, line)
        values[key] = _value(value_node, below, source, places, seen, one_line)
    return values


def _scalar(node: yaml.ScalarNode) -> Any:
    return str(node.value) if node.style is not None else read_scalar(str(node.value))


def read_scalar(text: str) -> Any:
    """What a scalar without quotes is."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _LONGEST_NUMBER:
        if _WHOLE.fullmatch(text):
            return int(text.replace("_", ""))
        if _NUMBER.fullmatch(text):
            return float(text)
    return text
