"""Section `encoding`: the ridge encoding models."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from geomod.encoding.alignment import load_measures
from geomod.plan.config.section import Once, Section, checked


class Alphas(Section):
    """Ridge penalties on a log grid: 10^low … 10^high."""

    low: float = Field(-2, ge=-300, le=300, description="log10 of the smallest penalty")
    high: float = Field(8, ge=-300, le=300, description="log10 of the largest penalty")
    count: PositiveInt = Field(21, description="number of penalties")

    @model_validator(mode="after")
    def _low_before_high(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) lies above `high` ({self.high:g})")
        return self


Baseline = Literal["length", "word_rate", "position", "smooth", "untrained", "nuisances"]


class Encoding(Section):
    """The ridge encoding models."""

    folds: int = Field(5, ge=2, description="outer folds")
    inner_folds: Annotated[int, Field(ge=2)] | Literal["loo"] = Field(
        5, description="inner folds that choose the penalty, or `loo`"
    )
    group_by: str | None = Field(
        None, description="column of the sentence table whose groups no fold may split"
    )
    alphas: Alphas = Field(Alphas(), description="ridge penalties")
    standardize: bool = Field(True, description="scale features by the training rows' SD")
    permutations: NonNegativeInt = Field(200, description="draws of the null distribution")
    baselines: Annotated[list[Baseline], Once] = Field(
        ["length", "word_rate", "position", "smooth", "untrained", "nuisances"],
        description="what a score is held against: `smooth` where sentences have groups, "
        "`nuisances` where a dataset has them; stories have a `word_rate` in place of a `length`",
    )
    trsa: tuple[float, float] = Field(
        (0.1, 0.9),
        description="quantiles of dissimilarity below and above which tRSA tells nothing apart",
    )

    @field_validator("trsa")
    @classmethod
    def _quantiles_in_order(cls, given: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= given[0] < given[1] <= 1:
            raise ValueError(f"needs two quantiles, 0 ≤ low < high ≤ 1; found {list(given)}")
        return given


class Alignment(Section):
    """Measures of likeness that fit nothing, in a job of their own."""

    patterns: bool = Field(
        True, description="also of the voxels of each participant's regions, where there are voxels"
    )
    plugins: str | None = Field(
        None, description="Python file with measures of your own (docs/adding.md)"
    )

    @field_validator("plugins")
    @classmethod
    def _plugins_can_be_run(cls, path: str | None) -> str | None:
        return checked(load_measures, path)
