"""Section `maps`: scores of single voxels."""

from itertools import product
from typing import Annotated

from pydantic import Field, NonNegativeInt

from geomod.plan.config.section import Name, Once, Section


class Maps(Section):
    """Scores of single voxels, in the space of the images: what the rule `voxel_maps` draws."""

    models: Annotated[list[Name], Once] = Field(
        min_length=1, description="models, such as `pythia-70m`"
    )
    steps: Annotated[list[NonNegativeInt], Once] = Field(min_length=1, description="training steps")
    layers: Annotated[list[NonNegativeInt], Once] = Field(
        min_length=1, description="layers, 0 the embedding output"
    )
    dataset: Name | None = Field(None, description="whose; the first dataset if left out")
    participants: Annotated[list[Name], Once] = Field(
        min_length=1, description="participants, one map each"
    )

    def kept(self, kind: str) -> list[tuple[int, int]]:
        """The steps and layers of maps of a kind: `change` needs step 0, and has none there,
        `selectivity` needs more layers than one; any other has all."""
        if kind == "selectivity" and len(self.layers) < 2:
            return []
        if kind == "change":
            steps = [step for step in self.steps if step != 0 and 0 in self.steps]
        else:
            steps = self.steps
        return list(product(steps, self.layers))
