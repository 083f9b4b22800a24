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
    steps_per_encoding_job: PositiveInt | Literal["auto"] = Field(
        "auto",
        description="checkpoints in one job of encoding models; `auto`: `steps_per_job`, and in a "
        "suite of 100 steps or more as many as in a job of geometry",
    )
    layers_per_job: PositiveInt | Literal["all"] = Field(
        "all", description="layers in one encoding job"
    )
    threads: PositiveInt = Field(1, description="threads of the heavy jobs")
