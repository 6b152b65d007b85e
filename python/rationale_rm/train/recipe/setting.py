"""How the schema writes a setting down: its default, its bounds, what it is and in which unit."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

UNIT: Final = "unit"
MAY_CHANGE: Final = "may_change"


class Section(BaseModel):
    """A part of a recipe. Frozen; unknown keys, numbers as texts and infinite numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def setting(default: Any, text: str, *, unit: str = "", may_change: bool = False, **bounds: Any) -> Any:
    """A field with its description. `may_change`: a resumed run may have another value."""
    return Field(default, description=text, json_schema_extra={UNIT: unit, MAY_CHANGE: may_change}, **bounds)


def section(of: type[Section], text: str, *, may_change: bool = False) -> Any:
    """A field that is a section, with that section's defaults."""
    return Field(default_factory=of, description=text, json_schema_extra={MAY_CHANGE: may_change})


def unit_of(field: FieldInfo) -> str:
    """The unit of a setting; empty where it has none."""
    return str(_extra(field).get(UNIT, ""))


def may_change(field: FieldInfo) -> bool:
    """Whether a resumed run may have another value."""
    return bool(_extra(field).get(MAY_CHANGE, False))


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def as_tuple(value: Any) -> Any:
    """A list, or one text, as the tuple that a field holds."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
"""Several texts; one alone needs no list."""
Pair = Annotated[tuple[float, float], BeforeValidator(as_tuple)]
