"""Section `jobs`: the grain of the work."""

from typing import Literal

from pydantic import Field, PositiveInt

from geomod.plan.config.section import Section


class Jobs(Section):
    """How big a job is. The numbers are the same."""

    steps_per_job: PositiveInt = Field(1, description="checkpoints in one job")
    steps_per_geometry_job: PositiveInt = Field(
        8, description="checkpoints in one job of geometry; `steps_per_job` where that is more"
    )
    layers_per_job: PositiveInt | Literal["all"] = Field(
        "all", description="layers in one encoding job"
    )
    threads: PositiveInt = Field(1, description="threads of the heavy jobs")
