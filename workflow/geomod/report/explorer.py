"""The explorer in the page: its numbers, its charts and the JavaScript that draws them.

Vega-Lite draws and `workflow/report/explorer.js` connects its charts with the controls. Everything
stands in the page itself: a reader needs no network and no Python.
"""

import base64
import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.charts import CHARTS
from geomod.report.drawing import ALIGNMENT_COLOURS, GEOMETRY_COLOURS, NETWORK
from geomod.report.series import BANDS, KEYS
from geomod.report.words import measure

with extra("report"):
    import vl_convert

VEGA_LITE = "6.4"
OF_BRAINS = ("encoding", "alignment")


def pack(rows: pd.DataFrame) -> dict[str, Any]:
    """All series (see `series.py`) as a small index and one stretch of float32 numbers.

    A series stands at its offset, steps × layers row by row: its values, then the half-widths of
    its band, where it has one, and then its n, where that is not the same everywhere.
    """
    axes: dict[str, int] = {}
    index, blocks, at = [], [], 0
    for key, own in rows.groupby(KEYS, sort=False):
        steps, step = np.unique(own["step"], return_inverse=True)
        layers, layer = np.unique(own["layer"], return_inverse=True)
        shape = json.dumps({"steps": steps.tolist(), "layers": layers.tolist()})
        entry: dict[str, Any] = {"key": list(key), "axes": axes.setdefault(shape, len(axes))}
        for name in ("value", "half", "n"):
            numbers = np.full((len(steps), len(layers)), np.nan, np.float32)
            numbers[step, layer] = own[name]
            known = np.unique(numbers[np.isfinite(numbers)])
            if name == "value" or len(known) > (name == "n"):
                entry[name] = at
                blocks.append(numbers.ravel())
                at += numbers.size
            elif name == "n" and len(known):
                entry["same_n"] = int(known[0])
        if own["chance"].notna().any():
            entry["chance"] = round(float(own["chance"].mean()), 6)
        index.append(entry)
    numbers = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    return {
        "series": index,
        "axes": [json.loads(text) for text in axes],
        "numbers": base64.b64encode(numbers.astype("<f4").tobytes()).decode(),
        "measures": _measures(rows),
    }


def _measures(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What the page says of each measure."""
    found = rows.drop_duplicates("measure")
    return {
        name: {
            "label": measure(name).label,
            "unit": measure(name).unit,
            "source": source,
            "band": BANDS.get(source, ""),
        }
        for name, source in zip(found["measure"], found["source"], strict=True)
    }


def payload(rows: pd.DataFrame, run: str) -> str:
    """All that the explorer's script reads, as JSON that can stand in a page."""
    content = {
        **pack(rows),
        "run": run,
        "network": NETWORK,
        "charts": {name: draw() for name, draw in CHARTS.items()},
        "scheme": {
            name: ALIGNMENT_COLOURS if source in OF_BRAINS else GEOMETRY_COLOURS
            for name, source in rows.drop_duplicates("measure")[["measure", "source"]].to_numpy()
        },
    }
    return in_script(json.dumps(content, separators=(",", ":"), allow_nan=False))


def in_script(text: str) -> str:
    """JSON that no browser takes for markup, whatever names are in it."""
    return text.replace("<", "\\u003c")


@cache
def libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed (BSD 3-clause) in one script."""
    snippet = "window.vegaEmbed = vegaEmbed;"
    script: str = vl_convert.javascript_bundle(snippet, vl_version=VEGA_LITE)
    return script.replace("</script", "<\\/script")
