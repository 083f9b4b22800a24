"""Section `modules`: how layers are put together."""

from typing import Literal

from pydantic import Field, PositiveInt

from geomod.plan.config.section import Section


class Modules(Section):
    """Modules that layers form."""

    k: PositiveInt | Literal["auto"] = Field(2, description="number of modules, or `auto`")
    method: Literal["kmeans", "gaussian_mixture", "ward", "contiguous"] = Field(
        "kmeans", description="how layers are clustered; `modules/clusters.py` describes each"
    )
