"""Text of unknown origin for the static parts of the page; js/text.js does the same for samples."""

from __future__ import annotations

import unicodedata
from typing import Final

_KEPT: Final = frozenset("\n\t\u00ad\u200c\u200d")
"""Line ends, and the marks that scripts and emoji are joined or parted by."""
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0")
"""Fillers and joiners of other categories that show nothing; so do U+E0100 to U+E01EF."""


def shown(text: object, limit: int = 20_000) -> str:
    """The text with every control, bidi and other invisible character as its code point, such as ``⟦U+202E⟧``.

    At most `limit` characters of it are kept. Escaping for HTML is the template's.
    """
    plain = str(text)
    cut = plain[:limit].replace("\r\n", "\n")
    marked = "".join(f"⟦U+{ord(one):04X}⟧" if _is_hidden(one) else one for one in cut)
    return marked + ("…" if len(plain) > limit else "")


def _is_hidden(character: str) -> bool:
    if character in _KEPT:
        return False
    blank = character in _BLANK or "\U000e0100" <= character <= "\U000e01ef"
    return blank or unicodedata.category(character) in _HIDDEN


def number(value: float | None, digits: int = 3) -> str:
    """``.842``, ``1.000``, ``-.021`` as papers print them; an en dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    text = text if float(text) else text.lstrip("-")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def percent(value: float | None) -> str:
    """``87.5%``; an en dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f}%"
