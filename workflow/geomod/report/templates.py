"""Pages from the templates in `workflow/report/`, and how they write numbers and figures."""

import base64
import re
from pathlib import Path
from typing import Any

from geomod.base.extras import extra
from geomod.report.words import duration

with extra("report"):
    import jinja2
    from markupsafe import Markup


def fill_in(template: Path, **values: Any) -> str:
    """A template and what is to stand in it; all text is escaped, but what is `Markup`."""
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(template.parent),
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "data_uri": data_uri,
        "three": three_decimals,
        "duration": duration,
        "width_on_screen": width_on_screen,
    }
    style = raw(template, "style.css")
    return environment.get_template(template.name).render(style=style, **values)


def raw(template: Path, name: str) -> Markup:
    """A file beside the template as it is."""
    return Markup((template.parent / name).read_text(encoding="utf-8"))


def number(value: Any) -> str:
    """Three significant digits, but all of a whole number and those before the point.

    A dash for what is not there; other things as they are.
    """
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    whole = isinstance(value, int) or 1000 <= abs(value) < 1e9
    return f"{value:{',.0f' if whole else '.3g'}}".replace("-", "−")


def three_decimals(value: float) -> str:
    """What stands below others of its kind, digit below digit."""
    return "–" if value != value else f"{value:.3f}".replace("-", "−")


def percent(share: float) -> str:
    """A share in whole percents; nothing where there is none."""
    return "" if share != share else f"{share:.0%}"


def data_uri(svg: str) -> str:
    """A figure as an image in the page: its thousands of paths are none of the page's own elements,
    and are drawn when they come into sight."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def width_on_screen(svg: str) -> int:
    """Pixels: what is printed at 7 points is read on a screen at 12 pixels."""
    found = re.search(r'<svg[^>]*?\bwidth="([\d.]+)pt"', svg)
    return round(float(found[1]) * 12 / 7) if found else 600
