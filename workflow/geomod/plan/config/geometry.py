"""Section `geometry`: the metrics and their variants."""

from importlib.util import find_spec
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from geomod.base.errors import InputError
from geomod.geometry.catalogue import load_plugins, select, without_first
from geomod.plan.config.section import Section, checked

Variants = Annotated[list[str], Field(min_length=1)]


class Geometry(Section):
    """Named variants of each metric; the first one is the headline.

    Any other metric of docs/geometry.md is a key too: `first_token_norm: [ratio]`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Variants]

    entropy: Variants = Field(["raw"], description="variants of entropy")
    curvature: Variants = Field(["hosseini"], description="variants of curvature")
    topology: bool = Field(
        False, description="loops among the sentences too, `persistence_h1` (needs ripser)"
    )
    plugins: str | None = Field(
        None, description="Python file with metrics of your own, which are measured too"
    )

    @field_validator("plugins")
    @classmethod
    def _plugins_can_be_run(cls, path: str | None) -> str | None:
        return checked(load_plugins, path)

    @field_validator("topology")
    @classmethod
    def _its_package_is_there(cls, asked: bool) -> bool:
        if asked and find_spec("ripser") is None:
            raise ValueError(
                'needs the package ripser: `pip install "geomod[topology]"`, or leave it out'
            )
        return asked

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        try:
            select(self.metrics())
        except InputError as error:
            raise ValueError(f"has {error}") from None
        for name, variants in self.metrics().items():
            if len(set(variants)) < len(variants):
                raise ValueError(f"names a variant of `{name}` twice; each belongs there once")
        return self

    def metrics(self) -> dict[str, list[str]]:
        """Every metric that is measured and its variants, with those of the plugins."""
        metrics = {
            "entropy": self.entropy,
            "curvature": self.curvature,
            **(self.__pydantic_extra__ or {}),
        }
        own = load_plugins(self.plugins) if self.plugins else {}
        for name, variants in own.items():
            given = metrics.get(name, [])
            metrics[name] = [*given, *(variant for variant in variants if variant not in given)]
        # The size of the activations is a control of the claims, whatever else is measured.
        return {**metrics, "norm": metrics.get("norm", ["log"])}

    def measured(self) -> dict[str, list[str]]:
        """`metrics`, and what tells whether the first token takes over: its share of the Gram's
        trace, and the headlines without it. These are no choices of their own."""
        measured = {name: list(variants) for name, variants in self.metrics().items()}
        beside = [("first_token_norm", "share")]
        for name in ("entropy", "curvature"):
            beside.append((name, without_first(name, measured[name][0]) or measured[name][0]))
        for name, variant in beside:
            if variant not in measured.setdefault(name, []):
                measured[name].append(variant)
        return measured
