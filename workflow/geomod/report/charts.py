"""The explorer's charts as Vega-Lite specifications. Their data come from the page, in the browser.

Each has a data set `rows` with the values and one or two of what is under the cursor; parameters
(`params`) carry what changes with the choice of a measure: colours, limits, ticks, the heading.
"""

from collections.abc import Sequence
from typing import Any

from geomod.report.drawing import SIDE_COLOURS

Spec = dict[str, Any]

SHORT = (
    "datum.value >= 1000 && datum.value % 1000 == 0 ? datum.value / 1000 + 'k' : datum.value + ''"
)
LAYER = "datum.value < 0 ? 'model' : datum.value + ''"
TOOLTIP = [
    {"field": name, "type": "nominal"}
    for name in ("model", "measure", "step", "layer", "value", "band", "n")
]
SPARSE = {"labelOverlap": "greedy", "labelSeparation": 4, "ticks": False}
SIDES = {
    "field": "side",
    "type": "nominal",
    "scale": {"domain": list(SIDE_COLOURS), "range": list(SIDE_COLOURS.values())},
    "legend": None,
}

# Sides are told apart without colour too.
DASHES = {**SIDES, "scale": {"domain": list(SIDE_COLOURS), "range": [[1, 0], [6, 3]]}}


def _chart(layers: Sequence[Spec], params: Sequence[str], height: int, **more: Any) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": name, "value": None} for name in params],
        "title": {
            "text": {"expr": "heading ? split(heading, '\\n') : ''"},
            "anchor": "start",
            "fontSize": 12,
            "offset": 8,
        },
        "data": {"name": "rows"},
        "layer": list(layers),
        "background": "transparent",  # light or dark, as the page is
        "config": {
            "font": "system-ui, sans-serif",
            "axis": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
            "legend": {"labelFontSize": 11},
            "view": {"stroke": None},
            "scale": {"invalid": {"color": {"value": "#88888840"}}},  # a cell without a value
        },
        **more,
    }


def heat_map() -> Spec:
    """Layers × steps, the embedding at the bottom; a ring marks the cursor."""
    x: Spec = {"field": "step", "type": "ordinal", "title": "training step"}
    y: Spec = {"field": "layer", "type": "ordinal", "title": "layer", "sort": "descending"}
    x["axis"] = {"labelExpr": SHORT, "labelAngle": 0, **SPARSE}
    y["axis"] = {"labelExpr": LAYER, **SPARSE}
    colour = {
        "field": "raw",
        "type": "quantitative",
        "scale": {
            "scheme": {"expr": "scheme"},
            "domainMin": {"expr": "low"},
            "domainMax": {"expr": "high"},
            "clamp": True,
        },
        "legend": {"title": None, "orient": "right", "gradientLength": 160},
    }
    cells = {
        "mark": {"type": "rect", "invalid": None},
        "encoding": {"x": x, "y": y, "color": colour, "tooltip": TOOLTIP},
    }
    ring: Spec = {
        "data": {"name": "cursor"},
        "mark": {"type": "rect", "fill": None, "stroke": "#fff", "strokeWidth": 4},
        "encoding": {"x": x, "y": y},
    }
    inner = {**ring, "mark": {**ring["mark"], "stroke": "#000", "strokeWidth": 1.5}}
    return _chart([cells, ring, inner], ["heading", "scheme", "low", "high"], 230)


def _curve(field: str, x: Spec, *more: Spec) -> Spec:
    """Values of one or two series along a field, with their bands and a line at the cursor."""
    y = {
        "field": "raw",
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False},
        "axis": {"tickCount": 5},
    }
    along = {"x": x, "color": SIDES}
    band = {
        "mark": {"type": "area", "opacity": 0.15},
        "encoding": {**along, "y": {**y, "field": "low"}, "y2": {"field": "top"}},
    }
    line = {
        "mark": {"type": "line", "point": {"size": 25}, "strokeWidth": 1.8},
        "encoding": {
            **along,
            "y": y,
            "strokeDash": DASHES,
            "tooltip": TOOLTIP,
        },
    }
    rule = {
        "data": {"name": "cursor"},
        "mark": {"type": "rule", "strokeWidth": 1, "strokeDash": [2, 3]},
        "encoding": {"x": {"field": field, "type": "quantitative"}},
    }
    return _chart([band, line, rule, *more], ["heading", "ticks"], 170)


def course() -> Spec:
    """One layer over training, on the axis log(step + 1), and what guessing gives."""
    chance: Spec = {
        "data": {"name": "chance"},
        "mark": {"type": "rule", "strokeWidth": 1.2, "strokeDash": [1, 3]},
        "encoding": {"y": {"field": "chance", "type": "quantitative"}, "color": SIDES},
    }
    axis = {"values": {"expr": "ticks"}, "labelExpr": SHORT, "labelOverlap": "greedy"}
    x: Spec = {"field": "step", "type": "quantitative", "title": "training step"}
    x = {**x, "scale": {"type": "symlog", "constant": 1}, "axis": axis}
    return _curve("step", x, chance)


def profile() -> Spec:
    """One step over depth."""
    axis = {"format": "d", "tickMinStep": 1, "tickCount": 8}
    x = {"field": "layer", "type": "quantitative", "title": "layer", "axis": axis}
    return _curve("layer", {**x, "scale": {"zero": False, "nice": False, "padding": 8}})


def plane() -> Spec:
    """Layers in the plane of entropy and curvature: of one step in order, of all steps faintly."""
    x: Spec = {"field": "curvature", "type": "quantitative", "title": "curvature (°)"}
    y: Spec = {"field": "entropy", "type": "quantitative", "title": "entropy (nats)"}
    x["scale"] = y["scale"] = {"zero": False}
    x["axis"] = y["axis"] = {"tickCount": 8}
    places = {"x": x, "y": y, "color": SIDES}
    read = ("model", "step", "layer", "curvature", "entropy")
    tooltip = [{"field": name, "type": "nominal"} for name in read]
    trail = {"mark": {"type": "circle", "size": 14, "opacity": 0.3}, "encoding": places}
    now = {"name": "now"}
    path = {
        "data": now,
        "mark": {"type": "line", "strokeWidth": 1.5},
        "encoding": {**places, "order": {"field": "layer", "type": "quantitative"}},
    }
    points = {
        "data": now,
        "mark": {"type": "circle", "size": 70, "opacity": 1},
        "encoding": {**places, "tooltip": tooltip},
    }
    names = {
        "data": now,
        "mark": {"type": "text", "dx": 9, "dy": -7, "fontSize": 10},
        "encoding": {"x": x, "y": y, "text": {"field": "name"}},
    }
    return _chart([trail, path, points, names], ["heading"], 320)


CHARTS = {"map": heat_map, "course": course, "profile": profile, "plane": plane}
