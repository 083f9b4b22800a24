"""Section `encoding`: the ridge encoding models."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from geomod.plan.config.section import Once, Section


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
