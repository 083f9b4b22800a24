"""Section `controls`: responses with known answers beside the real ones."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from geomod.plan.config.section import Once, Section

# fmt: off
Kind = Literal[
    "smooth", "rough", "straight", "early", "late", "temporal_first", "length", "null",
    "stepped", "graded", "own",
]
# fmt: on


class Controls(Section):
    """Responses with known answers, made from the run's own features; `docs/controls.md`."""

    kinds: Annotated[list[Kind], Once] = Field(
        ["smooth", "rough", "length", "null"],
        min_length=1,
        description="what the brain of a control answers to",
    )
    draws: PositiveInt = Field(20, description="draws of signal and noise of each kind")
    ceiling: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="noise ceiling of the average, where none can be estimated from the responses",
    )
    responses: str | None = Field(
        None,
        description="for the kind `own`: a table of noise-free responses with a column `item_id`, "
        "and a column a region or one for all",
    )


class Power(Section):
    """What is assumed before there are data, for `.venv/bin/snakemake power`."""

    participants: PositiveInt = Field(5, description="how many people answer")
    sentences: PositiveInt = Field(1000, description="how many sentences they read")
    ceiling: float = Field(0.4, gt=0, lt=1, description="noise ceiling of one participant")
    explained: float = Field(
        0.5, gt=0, le=1, description="share of the ceiling that scores reach at the end of training"
    )
    draws: PositiveInt = Field(100, description="sweeps to simulate for each size of effect")
