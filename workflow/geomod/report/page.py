"""One HTML page that says what was found, with every figure in it and nothing to load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from geomod.base.extras import extra
from geomod.report.gallery import GALLERY, Plate

with extra("report"):
    import jinja2


@dataclass(frozen=True)
class Part:
    """What the page says of one dataset.

    `figures` gives each as SVG text, `lacking` a sentence for each that is left out. Simulated
    datasets have `recovery`.
    """

    notes: Sequence[str]
    figures: Mapping[str, str]
    lacking: Mapping[str, str]
    recovery: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None


def render(
    template: Path,
    *,
    config: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    parts: Mapping[str, Part],
) -> str:
    """The page. `claims` are those of every dataset and, where there are, the pooled ones; `notes`
    are about checkpoints, and so about every dataset."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": number, "percent": percent, "svg": svg_element}
    page = environment.from_string(template.read_text(encoding="utf-8"))
    return page.render(
        config=config,
        config_text=yaml.safe_dump(
            dict(config), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ),
        pooled=[claim for claim in claims if claim["dataset"] == "pooled"],
        notes=notes,
        parts=[_part(name, part, claims) for name, part in parts.items()],
    )


def _part(name: str, part: Part, claims: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the template is told of a dataset."""
    recovery, calibration = part.recovery, part.calibration
    if recovery is not None and recovery.empty:  # another dataset of the run is simulated
        recovery = None
    return {
        "name": name,
        "claims": [claim for claim in claims if claim["dataset"] == name],
        "notes": part.notes,
        "plates": [
            {
                "name": plate_name,
                "svg": part.figures[plate_name],
                "lacking": part.lacking.get(plate_name),
                **_words(plate),
            }
            for plate_name, plate in GALLERY.items()
            if plate_name in part.figures
        ],
        "recovery": _records(recovery),
        "tally": _records(None if recovery is None else tally(recovery)),
        "calibration": _records(calibration),
        "beyond": _beyond(calibration),
    }


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
