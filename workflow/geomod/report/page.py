"""One HTML page that says what was found, with every figure in it and nothing to load.

Its templates lie side by side in `workflow/report/`: `report.html.j2` is the page, the others are
parts of it (`PARTS`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from geomod.base.extras import extra
from geomod.report import explorer
from geomod.report.figures import seen
from geomod.report.findings import best_layers, told
from geomod.report.gallery import GALLERY, Plate, Tables, of_dataset
from geomod.report.series import all_series
from geomod.report.templates import fill_in, raw
from geomod.report.words import MEASURES

with extra("report"):
    from markupsafe import Markup

LIBRARIES = ("geomod", "torch", "transformers", "numpy", "pandas", "scikit-learn", "snakemake")


@dataclass(frozen=True)
class Part:
    """What the page says of one dataset.

    `figures` gives each as SVG text, `lacking` a sentence for each that is left out. Simulated
    datasets have `recovery`. `controls` has a line for each claim, by its number, of what the same
    test makes of responses with known answers.
    """

    notes: Sequence[str]
    figures: Mapping[str, str]
    lacking: Mapping[str, str]
    recovery: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    controls: Mapping[str, str] = field(default_factory=dict)


def render(
    template: Path,
    *,
    config: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    parts: Mapping[str, Part],
    tables: Tables,
    checkpoints: pd.DataFrame | None = None,
    took: pd.DataFrame | None = None,
) -> str:
    """The page. `claims` are those of every dataset and, where there are, the pooled ones; `notes`
    are about checkpoints, and so about every dataset. `tables` is what the explorer explores,
    `checkpoints` says which weights were measured, and `took` what each job of the run took (the
    columns of `base/benchmarks.py`)."""
    headline = next(iter(parts))
    series = all_series(tables, headline)
    best = best_layers(tables["encoding"], int(config["encoding"]["folds"]), headline)
    return fill_in(
        template,
        config=config,
        config_text=yaml.safe_dump(
            dict(config), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ),
        script=raw(template, "explorer.js"),
        explorer=Markup(explorer.payload(series, str(config["run"]))) if len(series) else None,
        libraries=Markup(explorer.libraries()) if len(series) else None,
        glossary={m.label: m.meaning for name, m in MEASURES.items() if name in _seen(series)},
        best=_records(best),
        pooled=told([claim for claim in claims if claim["dataset"] == "pooled"], None),
        notes=notes,
        parts=[_part(name, part, claims, of_dataset(tables, name)) for name, part in parts.items()],
        checkpoints=_records(checkpoints),
        device=devices(claims, config["device"]),
        stages=_stages(claims),
        took=None if took is None or took.empty else _records(by_stage(took)),
        versions={"Python": sys.version.split()[0], **dict(_versions())},
    )


def by_stage(took: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each stage took, and last, in the row `all`, those of all.

    Columns: stage, jobs, seconds (the sum), longest (s), peak_mb (of the largest job).
    """
    stages = pd.concat([took, took.assign(stage="all")])
    return (
        stages.groupby("stage", sort=False)
        .agg(
            jobs=("seconds", "size"),
            seconds=("seconds", "sum"),
            longest=("seconds", "max"),
            peak_mb=("peak_mb", "max"),
        )
        .reset_index()
    )


def _seen(series: pd.DataFrame) -> set[str]:
    return set(series["measure"])


def _versions() -> list[tuple[str, str]]:
    """Of the libraries that are installed where the page is written."""
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def _stages(claims: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The fingerprints of the code of all stages behind the claims."""
    stages: dict[str, list[str]] = {}
    for claim in claims:
        for stage, codes in claim.get("provenance", {}).get("stages", {}).items():
            stages[stage] = sorted({*stages.get(stage, []), *codes})
    return stages


COMPUTED = {"activations": "forward passes", "encoding": "encoding models"}


def devices(claims: Sequence[Mapping[str, Any]], asked: str) -> str:
    """Where the numbers behind the claims were computed, in words; what was `asked` for, where no
    file says."""
    stages: dict[str, set[str]] = {}
    for claim in claims:
        for stage, names in claim.get("provenance", {}).get("devices", {}).items():
            stages.setdefault(COMPUTED.get(stage, stage), set()).update(names)
    used = {", ".join(sorted(names)) for names in stages.values()}
    if len(used) < 2:
        return next(iter(used), asked)
    return "; ".join(f"{stage}: {', '.join(sorted(names))}" for stage, names in stages.items())


def _part(
    name: str, part: Part, claims: Sequence[Mapping[str, Any]], tables: Tables
) -> dict[str, Any]:
    """What the template is told of a dataset."""
    recovery, calibration = part.recovery, part.calibration
    if recovery is not None and recovery.empty:  # another dataset of the run is simulated
        recovery = None
    return {
        "name": name,
        "claims": [
            {**claim, "controls": part.controls.get(str(claim["claim"]))}
            for claim in told([each for each in claims if each["dataset"] == name], calibration)
        ],
        "notes": part.notes,
        "plates": [
            {
                "name": plate_name,
                "svg": part.figures[plate_name],
                "lacking": part.lacking.get(plate_name),
                "seen": seen(plate_name, tables),
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
