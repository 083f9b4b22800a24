"""A config: its sections, and what they must be together."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from geomod.plan.config.dataset import Dataset
from geomod.plan.config.encoding import Encoding
from geomod.plan.config.features import Features
from geomod.plan.config.geometry import Geometry
from geomod.plan.config.inference import Inference
from geomod.plan.config.jobs import Jobs
from geomod.plan.config.maps import Maps
from geomod.plan.config.modules import Modules
from geomod.plan.config.section import Name, Section
from geomod.plan.config.suites import AnySuite


class Config(Section):
    """A run of geomod."""

    run: Name = Field(description="outputs go to `results/{run}/`")
    seed: NonNegativeInt = Field(0, description="the seed that everything random derives from")
    suites: dict[Name, AnySuite] = Field(min_length=1, description="where checkpoints come from")
    dataset: Dataset = Field(description="sentences and responses")
    features: Features = Field(Features(), description="what is kept of a forward pass")
    geometry: Geometry = Field(
        Geometry(), description="variants of metrics; any metric of docs/geometry.md is a key"
    )
    encoding: Encoding = Field(Encoding(), description="the ridge encoding models")
    jobs: Jobs = Field(Jobs(), description="the grain of the work")
    modules: Modules = Field(Modules(), description="modules that layers form")
    inference: Inference = Field(Inference(), description="intervals, nulls and verdicts")
    maps: Maps | None = Field(
        None, description="maps of voxels, for `.venv/bin/snakemake voxel_maps`"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="`auto`: cuda where there is one"
    )

    @model_validator(mode="after")
    def _model_names_differ(self) -> Self:
        owner: dict[str, str] = {}
        for suite_name, suite in self.suites.items():
            for model in suite.models(suite_name):
                if model in owner:
                    raise ValueError(
                        f"suites `{owner[model]}` and `{suite_name}` both make a model `{model}`; "
                        "rename one of them"
                    )
                owner[model] = suite_name
        return self
