"""Sections `suites.*`: where checkpoints come from."""

import re
import string
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from geomod.plan.config.section import Name, Once, Section


class Suite(Section):
    """What the checkpoint suites of every provider have in common."""

    sizes: Annotated[list[Name], Once] = Field(min_length=1, description="model sizes of the suite")
    steps: Annotated[list[NonNegativeInt], Once] = Field(
        min_length=1, description="training steps to measure"
    )

    def models(self, suite: str) -> dict[str, tuple[str, int | None]]:
        """Name → size and seed of every model, where `suite` is the name of the suite."""
        return {f"{suite}-{size}": (size, None) for size in self.sizes}


# As the hub allows them once `{size}` is filled in: with an owner, or (a few old ones) without.
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)


def _check_braces(key: str, pattern: str, known: set[str]) -> None:
    """Refuse what stands in braces and is none of the `known` names."""
    allowed = " or ".join(f"`{{{name}}}`" for name in sorted(known))
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError:
        raise ValueError(f"`{key}` has half a pair of braces; it may hold {allowed}") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in known or form or conversion):
            inside = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise ValueError(f"`{key}` has `{{{inside}}}`; what stands in braces may be {allowed}")


CHAT_TEMPLATE = Field(
    False, description="whether every text is read as a user's of the tokenizer's chat template"
)


class TrainSuite(Suite):
    """Small models that geomod trains itself, on a language it makes up."""

    provider: Literal["train"] = Field(description="models trained here, for the demo and tests")


class HubSuite(Suite):
    """Checkpoints in repositories of a hub, one revision a step."""

    provider: Literal["hub"] = Field(description="repositories of a hub, one revision a step")
    repo: str = Field(description="repository, with `{size}` (and `{seed}`) where it goes")
    revision: str = Field("step{step}", description="revision, with `{step}` where it goes")
    bos: str | None = Field(
        None,
        description="token that stands before every text that is scored; left out, "
        "the one that joins documents for Pythia's own repositories, none for others",
    )
    seeds: Annotated[list[NonNegativeInt], Once] | None = Field(
        None, min_length=1, description="seeds of `{seed}`, each a model of every size"
    )
    tokenizer: str | None = Field(
        None, description="repository or folder of the tokenizer; left out, the first model's own"
    )
    chat_template: bool = CHAT_TEMPLATE
    layers: dict[Name, PositiveInt] = Field(
        default_factory=dict,
        description="number of blocks by size, where `resources/suites.tsv` does not know them",
    )

    @model_validator(mode="after")
    def _every_model_has_its_place(self) -> Self:
        place = self.repo + self.revision
        _check_braces("repo", self.repo, {"size", "seed"})
        _check_braces("revision", self.revision, {"size", "seed", "step"})
        if not REPOSITORY.fullmatch(re.sub(r"\{.*?\}", "0", self.repo)) or ".." in self.repo:
            raise ValueError(
                f"`repo` is {self.repo!r}, which is no name of a repository; it must look like "
                "owner/name, such as EleutherAI/pythia-{size}"
            )
        if len(self.steps) > 1 and "{step}" not in self.revision:
            raise ValueError("two steps need a `{step}` in `revision`")
        if self.seeds and "{seed}" not in place:
            raise ValueError("`seeds` are given, but neither `repo` nor `revision` has a `{seed}`")
        if not self.seeds and "{seed}" in place:
            raise ValueError("`seeds` is missing: the numbers that `{seed}` stands for")
        if len(self.sizes) > 1 and "{size}" not in place:
            raise ValueError("two sizes need a `{size}` in `repo` or `revision`")
        return self

    def models(self, suite: str) -> dict[str, tuple[str, int | None]]:
        if self.seeds is None:
            return super().models(suite)
        pairs = [(size, seed) for size in self.sizes for seed in self.seeds]
        return {f"{suite}-{size}-seed{seed}": (size, seed) for size, seed in pairs}


class FolderSuite(Suite):
    """Checkpoints that lie in folders, in the Hugging Face layout."""

    provider: Literal["folder"] = Field(description="folders in the Hugging Face layout")
    path: str = Field(description="folder, with `{size}` and `{step}` where they go")
    bos: str | None = Field(
        None, description="token that stands before every text that is scored; left out, none"
    )
    tokenizer: str | None = Field(
        None, description="folder of the tokenizer; left out, each checkpoint's own"
    )
    chat_template: bool = CHAT_TEMPLATE
    layers: dict[Name, PositiveInt] = Field(
        default_factory=dict, description="number of blocks by size; read from config.json if left"
    )

    @model_validator(mode="after")
    def _every_checkpoint_has_its_folder(self) -> Self:
        _check_braces("path", self.path, {"size", "step"})
        for key, values in (("size", self.sizes), ("step", self.steps)):
            if len(values) > 1 and f"{{{key}}}" not in self.path:
                raise ValueError(f"two {key}s need a `{{{key}}}` in `path`")
        return self


AnySuite = Annotated[TrainSuite | HubSuite | FolderSuite, Field(discriminator="provider")]
SUITES: tuple[type[Suite], ...] = (TrainSuite, HubSuite, FolderSuite)
PROVIDERS = {get_args(suite.model_fields["provider"].annotation)[0]: suite for suite in SUITES}


class ModelPair(Section):
    """A model, and a version of it that was tuned."""

    base: Name = Field(description="name of the model, `{suite}-{size}`, read at its last step")
    tuned: Name = Field(description="name of its tuned version, read at its last step")
