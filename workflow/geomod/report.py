"""One HTML page that says what was found, with every figure in it and nothing to load."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from geomod.gallery import GALLERY


def render(
    template: Path,
    *,
    config: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    figures: Mapping[str, str],
    recovery: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
) -> str:
    """The page. `figures` gives each figure as SVG text; simulated runs have `recovery`."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": number, "svg": svg_element}
    page = environment.from_string(template.read_text(encoding="utf-8"))
    return page.render(
        config=config,
        config_text=yaml.safe_dump(
            dict(config), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ),
        claims=claims,
        notes=notes,
        plates=[
            {"name": name, "svg": figures[name], **asdict(plate)}
            for name, plate in GALLERY.items()
            if name in figures
        ],
        recovery=_records(recovery),
        calibration=_records(calibration),
        beyond=_beyond(calibration),
    )


def _beyond(calibration: pd.DataFrame | None) -> set[str]:
    """The tests that reject too often what is not there."""
    return set() if calibration is None else set(calibration.loc[~calibration["holds"], "test"])


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    return None if table is None else [dict(row) for row in table.to_dict("records")]


def number(value: Any) -> str:
    """Three significant digits; a dash for what is not there; other things as they are."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.3g}".replace("-", "−")


def svg_element(text: str) -> str:
    """The <svg> element alone, without what an XML file has before it; ready to stand in HTML."""
    from markupsafe import Markup

    return Markup(text[text.index("<svg") :])
