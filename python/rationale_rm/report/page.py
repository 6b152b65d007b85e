"""The page: template, styles and scripts in one file, closed to everything from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from rationale_rm.extras import needs
from rationale_rm.report import names
from rationale_rm.report.charts import DASHES, N_COLOURS, SHAPES
from rationale_rm.report.chunks import pack
from rationale_rm.report.inputs import Inputs
from rationale_rm.report.palette import Palette
from rationale_rm.report.sections import analyses, benchmarks, dynamics, manifests, outcome, reasons
from rationale_rm.report.text import shown

FOLDER: Final = Path(__file__).parent
STYLES: Final = ("base.css", "figures.css", "browser.css", "sample.css", "print.css")
SCRIPTS: Final = (
    "dom.js", "text.js", "store.js", "filters.js", "search.js", "route.js", "list.js", "matches.js", "highlight.js",
    "sample.js", "figures.js", "keys.js", "main.js",
)  # fmt: skip
"""In this order: what a file uses of another stands in an earlier one."""


@dataclass(frozen=True)
class Settings:
    """What a report may differ in."""

    title: str = "Rationale report"
    version: str = ""
    """Of this package; the page says it."""
    trap: tuple[float, float] = (0.7, 0.25)
    """The corner of the trap in the figure OA against RC: OA from the first, RC below the second number."""


@dataclass(frozen=True)
class Page:
    """What was written."""

    n_bytes: int
    n_samples: int
    n_sections: int


def write(
    inputs: Inputs, stream: BinaryIO, settings: Settings | None = None, progress: Callable[[str], None] = lambda _: None
) -> Page:
    """Writes the page to `stream`. Raises `MissingExtraError` without the extra ``report``."""
    settings = settings or Settings()
    progress("drawing figures")
    palette = Palette()
    sections = [
        one
        for one in (
            outcome.section(inputs, settings.trap, palette),
            dynamics.section(inputs, palette),
            reasons.section(inputs, palette),
            analyses.section(inputs, palette),
            benchmarks.section(inputs, palette),
            manifests.section(inputs),
        )
        if one is not None
    ]
    progress(f"packing {sum(len(one.samples) for one in inputs.samples):,} samples")
    packed = pack(inputs.samples)
    style = "\n".join(_file("css", name) for name in STYLES)
    script = "'use strict';(() => {\n" + "\n".join(_file("js", name) for name in SCRIPTS) + "\n})();"
    head = _template().render(
        title=settings.title,
        policy=_policy(style, script),
        style=_raw(style),
        script=_raw(script),
        sections=sections,
        packed=packed,
        trap=settings.trap,
        version=settings.version,
        flaws=names.FLAWS,
        classes=names.CLASSES,
        shapes=SHAPES,
        dashes=DASHES,
        n_colours=N_COLOURS,
    )
    n_bytes = stream.write(head.encode("utf-8"))
    for number, chunk in enumerate(packed.chunks):
        n_bytes += stream.write(f'<script type="text/plain" id="chunk-{number}">{chunk}</script>\n'.encode("ascii"))
    n_bytes += stream.write(b"</body>\n</html>\n")
    return Page(n_bytes, packed.n_samples, len(sections))


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, nothing sent, one script and one style run, and no text becomes markup."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


def _file(folder: str, name: str) -> str:
    return (FOLDER / folder / name).read_text("utf-8")


def _raw(content: str) -> Any:
    """Our own markup, which the template is not to escape."""
    with needs("report", "jinja2"):
        from markupsafe import Markup
    return Markup(content)


def _template() -> Any:
    with needs("report", "jinja2"):
        import jinja2
        from markupsafe import Markup

    def finalized(value: Any) -> Any:
        """Every text on the page passes here: hidden characters are shown; autoescape follows."""
        return value if isinstance(value, Markup) else shown(value)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    return environment.get_template("page.html.j2")
