"""The figures' drawings: Vega-Lite specifications, rendered to SVG without a browser.

Colours are CSS variables, so a drawing follows the theme of the page; shapes and dashes repeat what colours say. No
drawing carries a style attribute or a script, which the page's content security policy would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rationale_rm.extras import needs
from rationale_rm.report.text import shown

SHAPES: Final = (
    "circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "triangle-right", "triangle-left",
)  # fmt: skip
DASHES: Final = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
N_COLOURS: Final = 7
WIDTH: Final = 300
MOST_TEXT: Final = 400
"""Characters of a label; a drawing has room for fewer."""
Row = Mapping[str, Any]

_CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)", "titleColor": "var(--muted)", "gridColor": "var(--line)",
        "domainColor": "var(--edge)", "tickColor": "var(--edge)", "labelFontSize": 11, "titleFontSize": 11,
        "titleFontWeight": "normal", "tickCount": 5, "labelLimit": 150, "titleLimit": 280, "titlePadding": 6,
    },
    "text": {"font": "system-ui, sans-serif", "fontSize": 11, "fill": "var(--ink)"},
}  # fmt: skip


def colour(place: int) -> str:
    """The colour of the series at `place` in its figure, as a CSS variable."""
    return f"var(--s{place % N_COLOURS + 1})"


def scatter(points: Sequence[Row], zone: tuple[float, float], *, x: tuple[float, float], y: float) -> str:
    """OA against RC. `points` have series (int), oa, rc, their low and high or None, start (bool) and text.

    `zone` is the corner of the trap: OA from its first, RC below its second number. `x` is the range of OA, `y` the
    end of that of RC.
    """
    scale_x = {"domain": list(x), "nice": False, "zero": False}
    oa = {"field": "oa", "type": "quantitative", "title": "Outcome accuracy", "scale": scale_x}
    rc = {
        "field": "rc", "type": "quantitative", "title": "Rationale Consistency",
        "scale": {"domain": [0, y], "nice": False},
    }  # fmt: skip
    trap = [{"x": max(zone[0], x[0]), "x2": x[1], "y": 0, "y2": min(zone[1], y)}]
    layers: list[dict[str, Any]] = []
    if zone[0] < x[1]:
        layers = [
            {
                "data": {"values": trap},
                "mark": {"type": "rect", "fill": "var(--trap)", "aria": False},
                "encoding": {
                    "x": {**oa, "field": "x"}, "x2": {"field": "x2"}, "y": {**rc, "field": "y"}, "y2": {"field": "y2"},
                },
            },
            {
                "data": {"values": trap},
                "mark": {
                    "type": "text", "text": "trap: right for other reasons", "align": "right", "baseline": "top",
                    "dx": -5, "dy": 5, "fill": "var(--muted)", "aria": False,
                },
                "encoding": {"x": {**oa, "field": "x2"}, "y": {**rc, "field": "y2"}},
            },
        ]  # fmt: skip
    bars: dict[str, Any] = {"type": "rule", "strokeWidth": 1.25, "aria": False}
    paint = _paint(points)
    layers += [
        {"mark": bars, "encoding": {"x": {**oa, "field": "oa_low"}, "x2": {"field": "oa_high"}, "y": rc, **paint}},
        {"mark": bars, "encoding": {"x": oa, "y": {**rc, "field": "rc_low"}, "y2": {"field": "rc_high"}, **paint}},
        {
            "mark": {"type": "point", "size": 70, "strokeWidth": 1.75, "opacity": 1},
            "encoding": {
                "x": oa, "y": rc, **paint, "shape": _shape(points), "description": {"field": "text"},
                "fill": {"condition": {"test": "datum.start", "value": "var(--surface)"}, **paint["color"]},
            },
        },
    ]  # fmt: skip
    return render({"height": 230, "data": {"values": list(points)}, "layer": layers})


def curves(lines: Sequence[Row], marks: Sequence[Row], *, y_title: str) -> str:
    """Values over training steps.

    `lines` have series, step, value and, for a band, low and high; `marks` likewise, drawn as points with a line
    between them and text.
    """
    x = {"field": "step", "type": "quantitative", "title": "Step"}
    every = [*lines, *marks]
    values = [row[name] for row in every for name in ("value", "low", "high") if row.get(name) is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    scale = {"domain": [low, high if high > low else 1.0], "nice": True}
    y = {"field": "value", "type": "quantitative", "title": y_title, "scale": scale}
    paint = _paint(every)
    dash = {
        "strokeDash": {
            "field": "series", "type": "nominal", "legend": None,
            "scale": {"domain": _series(every), "range": [list(DASHES[one % len(DASHES)]) for one in _series(every)]},
        }
    }  # fmt: skip
    band = {
        "mark": {"type": "area", "opacity": 0.16, "aria": False},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "fill": paint["color"]},
    }
    line = {"mark": {"type": "line", "strokeWidth": 1.75, "aria": False}, "encoding": {"x": x, "y": y, **paint, **dash}}
    layers: list[dict[str, Any]] = []
    if lines:
        layers.append({"data": {"values": list(lines)}, "layer": [band, line]})
    if marks:
        point = {
            "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
            "encoding": {"x": x, "y": y, **paint, "shape": _shape(every), "description": {"field": "text"}},
        }
        whisker = {
            "mark": {"type": "rule", "aria": False},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, **paint},
        }
        layers.append({"data": {"values": list(marks)}, "layer": [whisker, line, point]})
    return render({"height": 200, "layer": layers})


def dots(rows: Sequence[Row], *, order: Sequence[str], title: str, domain: tuple[float, float] | None = None) -> str:
    """Values with intervals, a line for each label: rows have label, series, value, low, high and text."""
    n_series = max(1, len(_series(rows)))
    x: dict[str, Any] = {"field": "value", "type": "quantitative", "title": title}
    if domain:
        x["scale"] = {"domain": list(domain), "nice": False, "zero": False}
    y = {
        "field": "label",
        "type": "nominal",
        "sort": list(order),
        "title": None,
        "axis": {"ticks": False, "grid": True, "labelPadding": 8},
    }
    offset = {"yOffset": {"field": "series", "type": "nominal", "sort": _series(rows)}} if n_series > 1 else {}
    paint = _paint(rows)
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "aria": False},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, **offset, **paint},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
            "encoding": {
                "x": x, "y": y, **offset, **paint, "shape": _shape(rows), "description": {"field": "text"},
            },
        },
    ]  # fmt: skip
    if domain and domain[0] < 0 < domain[1]:
        zero = {"data": {"values": [{"value": 0}]}, "mark": {"type": "rule", "stroke": "var(--ink)", "aria": False}}
        layers.insert(0, {**zero, "encoding": {"x": x}})
    step = {"step": max(20, 9 * n_series + 8), "for": "position"}
    return render({"height": step, "data": {"values": list(rows)}, "layer": layers})


def stacked(rows: Sequence[Row], *, order: Sequence[str], parts: Sequence[str], title: str) -> str:
    """Shares of a whole, a bar for each label: rows have label, part, share (0 to 1) and text."""
    fills = [colour(place) for place in range(len(parts))]
    placed = [{**row, "place": parts.index(row["part"])} for row in rows]
    y = {"field": "label", "type": "nominal", "sort": list(order), "title": None, "axis": {"ticks": False}}
    x = {
        "field": "share", "type": "quantitative", "stack": "zero", "title": title, "axis": {"format": "%"},
        "scale": {"domain": [0, 1], "nice": False},
    }  # fmt: skip
    bar = {
        "mark": {"type": "bar", "stroke": "var(--surface)", "strokeWidth": 1, "height": 18},
        "encoding": {
            "x": x, "y": y, "order": {"field": "place"}, "description": {"field": "text"},
            "fill": {"field": "part", "legend": None, "scale": {"domain": list(parts), "range": fills}},
        },
    }  # fmt: skip
    return render({"height": {"step": 30}, "data": {"values": placed}, "layer": [bar]})


def agreement(
    points: Sequence[Row], *, titles: tuple[str, str], fit: tuple[float, float] | None, equality: bool = True
) -> str:
    """One evaluator against another: points have x, y and text; `fit` is slope and intercept.

    `equality` draws the line on which both agree, where they are on one scale.
    """
    ends = [float(value) for one in points for value in (one["x"], one["y"])]
    low, high = min(ends), max(ends)
    pad = 0.06 * (high - low) or 0.05
    domain = [low - pad, high + pad]
    scale = {"domain": domain, "nice": False, "zero": False}
    x = {"field": "x", "type": "quantitative", "title": titles[0], "scale": scale}
    y = {"field": "y", "type": "quantitative", "title": titles[1], "scale": scale}

    def line(slope: float, intercept: float, **look: Any) -> dict[str, Any]:
        ends = [{"x": one, "y": slope * one + intercept} for one in domain]
        mark = {"type": "line", "clip": True, "aria": False, **look}
        return {"data": {"values": ends}, "mark": mark, "encoding": {"x": x, "y": y}}

    layers = [line(1.0, 0.0, stroke="var(--edge)", strokeDash=[4, 3])] if equality else []
    if fit:
        layers.append(line(*fit, stroke="var(--s2)", strokeWidth=1.75))
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "fill": "var(--s1)", "size": 36, "opacity": 0.75},
            "encoding": {"x": x, "y": y, "description": {"field": "text"}},
        }
    )
    return render({"height": 260, "data": {"values": list(points)}, "layer": layers})


def render(specification: Mapping[str, Any]) -> str:
    """The SVG of a specification, without the width and height that would keep it from fitting its place."""
    with needs("report", "vl_convert"):
        import vl_convert
    whole = {"width": WIDTH, "config": _CONFIG, **specification}
    svg: str = vl_convert.vegalite_to_svg(_shown(whole), allowed_base_urls=[])
    head, rest = svg.split(">", 1)
    kept = [part for part in head.split(" ") if not part.startswith(("width=", "height="))]
    return " ".join(kept) + ">" + rest


def _series(rows: Sequence[Row]) -> list[int]:
    return sorted({row["series"] for row in rows})


def _paint(rows: Sequence[Row]) -> dict[str, Any]:
    domain = _series(rows)
    scale = {"domain": domain, "range": [colour(one) for one in domain]}
    return {"color": {"field": "series", "type": "nominal", "legend": None, "scale": scale}}


def _shape(rows: Sequence[Row]) -> dict[str, Any]:
    domain = _series(rows)
    scale = {"domain": domain, "range": [SHAPES[one % len(SHAPES)] for one in domain]}
    return {"field": "series", "type": "nominal", "legend": None, "scale": scale}


def _shown(value: Any) -> Any:
    """The specification with the hidden characters of its texts shown, some of which no XML can hold."""
    if isinstance(value, str):
        return shown(value, MOST_TEXT)
    if isinstance(value, Mapping):
        return {name: _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value
