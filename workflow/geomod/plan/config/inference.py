"""Section `inference`: intervals, nulls and verdicts."""

from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from geomod.curves.settings import Settings
from geomod.plan.config.section import Name, Once, Section

Regions = Annotated[list[Name], Once]
OfEach = Regions | dict[Name, Regions]  # the same for every dataset, or each its own


def regions_of(given: OfEach, dataset: str) -> Regions:
    """The regions of one dataset; none where others alone are told of."""
    return given.get(dataset, []) if isinstance(given, dict) else given


class Contrast(Section):
    """Two groups of regions, of which the first is expected to align earlier in training."""

    first: OfEach = Field(
        description="the early regions; with several datasets also a list of each, by name"
    )
    later: OfEach = Field(description="the late regions; likewise")

    @model_validator(mode="after")
    def _two_groups(self) -> Self:
        names = {n for given in (self.first, self.later) if isinstance(given, dict) for n in given}
        for name in names or {""}:
            first, later = regions_of(self.first, name), regions_of(self.later, name)
            of = f" of `{name}`" if name else ""
            if not first or not later:
                raise ValueError(f"needs regions{of} in `first` and in `later`")
            both = [region for region in first if region in later]
            if both:
                raise ValueError(f"has {both[0]!r}{of} in `first` and in `later`; keep one")
        return self


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
    contrasts: dict[Name, Contrast] = Field(
        default_factory=dict,
        description="further pairs of groups of regions, by a name of yours, judged as claim 3 is: "
        "`{sulci: {first: [A, B], later: [C]}}`",
    )
    calibration_draws: NonNegativeInt = Field(
        0,
        description="sweeps to simulate on this grid, so that every test in the report stands "
        "beside its own false-positive rate; 0: none, and `.venv/bin/snakemake calibration` takes "
        "200",
    )

    def told_of(self, dataset: str) -> dict[str, Any]:
        """What the tests are told of one dataset; how often they are calibrated is not theirs,
        nor are further contrasts."""
        told = self.model_dump(exclude={"calibration_draws", "contrasts"})
        usual = type(self)().model_dump()
        return {
            key: value.get(dataset, usual[key]) if isinstance(value, dict) else value
            for key, value in told.items()
        }
