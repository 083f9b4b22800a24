"""Section `features`: what is kept of a forward pass."""

from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from geomod.models.reading import load_readings
from geomod.plan.config.section import Section, checked


class Features(Section):
    """What is kept of a forward pass."""

    pooling: Literal["last", "mean"] = Field("last", description="a sentence's feature vector")
    bos: Literal["none", "add", "tokenizer"] = Field(
        "none",
        description="special tokens: none, a beginning-of-text token, what the tokenizer adds",
    )
    first_token: Literal["keep", "drop"] = Field("keep", description="first token in the geometry")
    last_layer: Literal["raw", "normed"] = Field(
        "raw", description="last block before (`raw`) or after the final norm"
    )
    lens: bool = Field(
        False, description="what every layer expects of the next token too (docs/lens.md)"
    )
    blocks: str | None = Field(
        None, description="name of the list of blocks in the model, where it is not plain to see"
    )
    match_width: PositiveInt | None = Field(
        None,
        description="principal components to encode from, at any width; `null`: all",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="precision of the model; docs/geometry.md says what it costs"
    )
    spread: bool = Field(
        False, description="lay a model that is too large for one GPU over all (needs accelerate)"
    )
    plugins: str | None = Field(
        None, description="Python file with readings of your own (docs/readings.md)"
    )
    max_disk_gb: float = Field(20, gt=0, description="room for checkpoints in flight, GB")
    downloads: PositiveInt = Field(2, description="downloads of checkpoints at once")

    @field_validator("plugins")
    @classmethod
    def _plugins_can_be_run(cls, path: str | None) -> str | None:
        return checked(load_readings, path)
