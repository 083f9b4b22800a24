"""A config: its sections, and what they must be together."""

import re
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from geomod.plan.config.competence import Reader, TaskSet
from geomod.plan.config.controls import Controls, Power
from geomod.plan.config.dataset import Dataset, Download
from geomod.plan.config.encoding import Alignment, Encoding
from geomod.plan.config.features import Features
from geomod.plan.config.geometry import Geometry
from geomod.plan.config.inference import Inference, OfEach, regions_of
from geomod.plan.config.jobs import Jobs
from geomod.plan.config.maps import Maps
from geomod.plan.config.modules import Modules
from geomod.plan.config.section import Name, Section
from geomod.plan.config.suites import AnySuite, ModelPair, TrainSuite

# What stands beside datasets in the folder of a checkpoint, or in their column of a table.
TAKEN = re.compile(r"competence|layers|pooled|steps?\d+")


class Config(Section):
    """A run of geomod."""

    run: Name = Field(description="outputs go to `results/{run}/`")
    seed: NonNegativeInt = Field(0, description="the seed that everything random derives from")
    suites: dict[Name, AnySuite] = Field(min_length=1, description="where checkpoints come from")
    dataset: Dataset | None = Field(
        None, description="sentences and responses: one dataset, which its key `name` names"
    )
    datasets: dict[Name, Dataset] | None = Field(
        None,
        min_length=1,
        description="in place of `dataset`: several by their names, measured from the same load of "
        "each checkpoint; the first is the headline",
    )
    competence: dict[Name, TaskSet] = Field(
        default_factory=dict,
        description="sets of tasks by their names, scored from the same load of each checkpoint",
    )
    pairs_of_models: list[ModelPair] = Field(
        [], description="models to hold against their tuned versions (docs/tuned.md)"
    )
    features: Features = Field(Features(), description="what is kept of a forward pass")
    geometry: Geometry = Field(
        Geometry(), description="variants of metrics; any metric of docs/geometry.md is a key"
    )
    encoding: Encoding = Field(Encoding(), description="the ridge encoding models")
    alignment: Alignment | None = Field(
        None, description="measures of likeness in a job of their own; `{}` has them as they are"
    )
    jobs: Jobs = Field(Jobs(), description="the grain of the work")
    modules: Modules = Field(Modules(), description="modules that layers form")
    inference: Inference = Field(Inference(), description="intervals, nulls and verdicts")
    controls: Controls | None = Field(
        None, description="responses with known answers, beside those of every dataset"
    )
    power: Power = Field(
        Power(),
        description="what is assumed before there are data, for `.venv/bin/snakemake power`",
    )
    maps: Maps | None = Field(
        None, description="maps of voxels, for `.venv/bin/snakemake voxel_maps`"
    )
    runs: list[Name] = Field(
        [], description="runs that `.venv/bin/snakemake compare` sets side by side"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="`auto`: cuda where there is one"
    )

    @field_validator("datasets", mode="before")
    @classmethod
    def _named_by_their_keys(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for key, entry in given.items():
            if isinstance(entry, dict) and entry.get("name", key) != key:
                raise ValueError(
                    f"has an entry `{key}` with the `name` {entry['name']!r}; leave `name` out"
                )
        return {k: {**e, "name": k} if isinstance(e, dict) else e for k, e in given.items()}

    @model_validator(mode="after")
    def _dataset_or_datasets(self) -> Self:
        if (self.dataset is None) == (self.datasets is None):
            found = "neither" if self.dataset is None else "both"
            raise ValueError(f"needs `dataset`, or `datasets` in its place; found {found}")
        taken = [name for name in self.each_dataset if TAKEN.fullmatch(name)]
        if taken:
            raise ValueError(f"no dataset can be called `{taken[0]}`, which means something else")
        return self

    @model_validator(mode="after")
    def _task_sets_have_names_of_their_own(self) -> Self:
        taken = [name for name in self.competence if name in ("items", *self.each_dataset)]
        if taken:
            raise ValueError(f"no task set can be called `{taken[0]}`, which means something else")
        return self

    @model_validator(mode="after")
    def _made_up_tasks_can_be_made(self) -> Self:
        made = {name: each for name, each in self.competence.items() if each.simulate}
        kinds = [each.simulate for each in made.values()]
        for name, each in made.items():
            if kinds.count(each.simulate) > 1:
                raise ValueError(
                    f"`competence` has `simulate: {each.simulate}` twice; once is enough"
                )
            if each.reader:
                self._check_reader(f"competence.{name}.reader", each.reader)
        return self

    def _check_reader(self, key: str, reader: Reader) -> None:
        """Refuse a reader that is not trained in this run."""
        steps = {
            model: suite.steps
            for name, suite in self.suites.items()
            if isinstance(suite, TrainSuite)
            for model in suite.models(name)
        }
        if reader.model not in steps:
            raise ValueError(
                f"`{key}.model`: no model {reader.model!r} is trained in this run; "
                f"there are {', '.join(steps) or 'none'}"
            )
        if reader.step not in steps[reader.model]:
            raise ValueError(
                f"`{key}.step`: {reader.model} has no step {reader.step}; "
                f"it has {', '.join(map(str, steps[reader.model]))}"
            )

    @property
    def each_dataset(self) -> dict[str, Dataset]:
        """The datasets by their names, the headline first."""
        if self.dataset is not None:
            return {self.dataset.name: self.dataset}
        return self.datasets or {}

    def key_of(self, dataset: str) -> str:
        """What the section of a dataset is called in this config."""
        return "dataset" if self.datasets is None else f"datasets.{dataset}"

    def downloads(self) -> dict[str, Download]:
        """What is to be downloaded; datasets of one archive share it."""
        found: dict[str, Download] = {}
        for name, section in self.each_dataset.items():
            if section.download and section.download not in found.values():
                found[name] = section.download
        return found

    def grouped_by(self, dataset: str) -> str | None:
        """The column whose groups no fold of a dataset may split."""
        return self.each_dataset[dataset].group_by or self.encoding.group_by

    @model_validator(mode="after")
    def _controls_are_of_sentences(self) -> Self:
        stories = [name for name, section in self.each_dataset.items() if section.story]
        if self.controls and stories:
            raise ValueError(
                f"`controls` are made for sentences, and dataset `{stories[0]}` has stories; leave "
                "`controls` out, or give the sentences a run of their own. Noise in a scanner goes "
                "on from TR to TR, and no ceiling says how: noise that is new in each TR would "
                "promise more than the claims can find"
            )
        return self

    @model_validator(mode="after")
    def _own_controls_have_a_file(self) -> Self:
        if self.controls and ("own" in self.controls.kinds) != (
            self.controls.responses is not None
        ):
            raise ValueError(
                "`controls.responses` names the file of the kind `own`; give both or neither"
            )
        return self

    def regions_told(self) -> dict[str, OfEach]:
        """The keys of `inference` that name regions, and the regions."""
        told = {key: getattr(self.inference, key) for key in ("temporal", "frontal", "network")}
        for name, contrast in self.inference.contrasts.items():
            told[f"contrasts.{name}.first"] = contrast.first
            told[f"contrasts.{name}.later"] = contrast.later
        return told

    def contrasts_of(self, dataset: str) -> dict[str, tuple[list[str], list[str]]]:
        """Name → early and late regions of a dataset, of the contrasts that it has regions for."""
        has = self.each_dataset[dataset].regions
        found = {
            name: (
                [region for region in regions_of(contrast.first, dataset) if region in has],
                [region for region in regions_of(contrast.later, dataset) if region in has],
            )
            for name, contrast in self.inference.contrasts.items()
        }
        return {name: groups for name, groups in found.items() if all(groups)}

    @property
    def mapped(self) -> str:
        """The dataset whose voxels are mapped."""
        asked = self.maps.dataset if self.maps else None
        return asked or next(iter(self.each_dataset))

    @model_validator(mode="after")
    def _regions_of_known_datasets(self) -> Self:
        for key, given in self.regions_told().items():
            unknown = [n for n in given if n not in self.each_dataset]
            if isinstance(given, dict) and unknown:
                raise ValueError(
                    f"`inference.{key}` is told of a dataset {unknown[0]!r}; "
                    f"there are {', '.join(self.each_dataset)}"
                )
        return self

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

    @model_validator(mode="after")
    def _a_chat_template_stands_alone(self) -> Self:
        for name, suite in self.suites.items():
            if not getattr(suite, "chat_template", False):
                continue
            for key, plain in (("bos", "none"), ("first_token", "keep")):
                if getattr(self.features, key) != plain:
                    raise ValueError(
                        f"`suites.{name}.chat_template` says what texts begin with, and so does "
                        f"`features.{key}`; set that to {plain}"
                    )
        return self

    @model_validator(mode="after")
    def _pairs_are_of_two_models_each(self) -> Self:
        known = [model for name, suite in self.suites.items() for model in suite.models(name)]
        for pair in self.pairs_of_models:
            for model in (pair.base, pair.tuned):
                if model not in known:
                    raise ValueError(
                        f"`pairs_of_models` names a model {model!r}; there are {', '.join(known)}"
                    )
            if pair.base == pair.tuned:
                raise ValueError(f"`pairs_of_models` holds {pair.base} against itself")
            if self.pairs_of_models.count(pair) > 1:
                raise ValueError(f"`pairs_of_models` has {pair.base} and {pair.tuned} twice")
        return self
