"""One HTML page that says what was found, with every figure in it and nothing to load.

Its templates lie side by side: `report.html.j2` is the page, the others are parts of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from geomod.base.extras import extra
from geomod.report import explorer
from geomod.report.gallery import GALLERY, Plate, Tables
from geomod.report.series import all_series

with extra("report"):
    import jinja2


def render(
    template: Path,
    *,
    config: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    figures: Mapping[str, str],
    lacking: Mapping[str, str],
    tables: Tables,
    recovery: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
) -> str:
    """The page. `figures` gives each figure as SVG text; simulated runs have `recovery`.

    `lacking` has a sentence for each figure that is left out.
    """
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(template.parent),
    )
    environment.filters |= {"number": number, "percent": percent, "svg": svg_element}
    series = all_series(tables, str(config["dataset"]["name"]))
    return environment.get_template(template.name).render(
        explorer=explorer.payload(series, str(config["run"])) if len(series) else None,
        libraries=explorer.libraries(),
        script=template.with_name("explorer.js").read_text(encoding="utf-8"),
        config=config,
        config_text=yaml.safe_dump(
            dict(config), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ),
        claims=claims,
        notes=notes,
        plates=[
            {"name": name, "svg": figures[name], "lacking": lacking.get(name), **_words(plate)}
            for name, plate in GALLERY.items()
            if name in figures
        ],
        recovery=_records(recovery),
        tally=_records(None if recovery is None else tally(recovery)),
        calibration=_records(calibration),
        beyond=_beyond(calibration),
    )


def _words(plate: Plate) -> dict[str, str]:
    return {"title": plate.title, "caption": plate.caption}


def _beyond(calibration: pd.DataFrame | None) -> set[str]:
    """The tests that reject too often what is not there."""
    return set() if calibration is None else set(calibration.loc[~calibration["holds"], "test"])


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """The rows for the template; what is missing from a column that is not of floats is None."""
    if table is None:
        return None
    return [
        {k: None if v is pd.NA else v for k, v in row.items()} for row in table.to_dict("records")
    ]


def tally(recovery: pd.DataFrame) -> pd.DataFrame:
    """How many facts of a kind came back, by what they were judged.

    Columns: fact, criterion, agree, judged, facts, width (the median).
    """
    return (
        recovery.astype({"agrees": "boolean"})
        .groupby(["fact", "criterion"], sort=False)
        .agg(
            agree=("agrees", "sum"),
            judged=("agrees", "count"),
            facts=("agrees", "size"),
            width=("width", "median"),
        )
        .reset_index()
    )


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


def percent(share: float) -> str:
    """A share in whole percents; nothing where there is none."""
    return "" if share != share else f"{share:.0%}"


def svg_element(text: str) -> str:
    """The <svg> element alone, without what an XML file has before it; ready to stand in HTML."""
    from markupsafe import Markup

    return Markup(text[text.index("<svg") :])
