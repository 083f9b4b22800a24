"""Section `inference`: intervals, nulls and verdicts."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from geomod.curves.settings import Settings
from geomod.plan.config.section import Name, Once, Section


class Inference(Section):
    """Intervals, nulls and verdicts; `docs/statistics.md` says why these defaults."""

    alpha: float = Field(
        Settings.alpha, gt=0, lt=1, description="level of tests; intervals cover 1 − alpha"
    )
    permutations: PositiveInt = Field(
        Settings.permutations, description="draws of a null over whole curves"
    )
    bootstrap: PositiveInt = Field(Settings.bootstrap, description="bootstrap draws of an interval")
    null_draws: PositiveInt = Field(
        Settings.null_draws, description="draws of a null of the modules, each step"
    )
    temporal: Annotated[list[Name], Once] = Field(
        list(Settings.temporal), description="early regions of claim 3"
    )
    frontal: Annotated[list[Name], Once] = Field(
        list(Settings.frontal), description="late regions of claim 3"
    )
    network: Annotated[list[Name], Once] = Field(
        list(Settings.network), description="regions that claims 2, 4 and 5 are about"
    )
    calibration_draws: NonNegativeInt = Field(
        0,
        description="sweeps to simulate on this grid, so that every test in the report stands "
        "beside its own false-positive rate; 0: none, and `.venv/bin/snakemake calibration` takes "
        "200",
    )
