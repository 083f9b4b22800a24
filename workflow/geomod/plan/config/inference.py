"""Section `inference`: intervals, nulls and verdicts."""

from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt

from geomod.curves.settings import Settings
from geomod.plan.config.section import Name, Once, Section

Regions = Annotated[list[Name], Once]
OfEach = Regions | dict[Name, Regions]  # the same for every dataset, or each its own


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
    temporal: OfEach = Field(
        list(Settings.temporal),
        description="early regions of claim 3; with several datasets also a list of each, by name",
    )
    frontal: OfEach = Field(list(Settings.frontal), description="late regions of claim 3; likewise")
    network: OfEach = Field(
        list(Settings.network), description="regions that claims 2, 4 and 5 are about; likewise"
    )
    calibration_draws: NonNegativeInt = Field(
        0,
        description="sweeps to simulate on this grid, so that every test in the report stands "
        "beside its own false-positive rate; 0: none, and `.venv/bin/snakemake calibration` takes "
        "200",
    )

    def told_of(self, dataset: str) -> dict[str, Any]:
        """What the tests are told of one dataset; how often they are calibrated is not theirs."""
        told = self.model_dump(exclude={"calibration_draws"})
        usual = type(self)().model_dump()
        return {
            key: value.get(dataset, usual[key]) if isinstance(value, dict) else value
            for key, value in told.items()
        }
