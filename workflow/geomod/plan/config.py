"""What a config may say.

These models are the only place where a key, its type, its default and its meaning are written:
the JSON schema in `workflow/schemas/` and the tables in `config/README.md` are made from them
(`geomod/plan/documents.py`), and a test holds the three together.
"""

import re
import string
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_serializer,
    field_validator,
    model_validator,
)

from geomod.base.errors import InputError
from geomod.brain.download import file_name, public
from geomod.curves.settings import Settings
from geomod.geometry.catalogue import load_plugins, select

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _each_once(values: list[Any]) -> list[Any]:
    twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
    if twice:
        raise ValueError(f"names {twice[0]!r} twice; each belongs there once")
    return values


# A list in which nothing stands twice.
Once = AfterValidator(_each_once)


class Section(BaseModel):
    """A part of the config: unknown keys are errors, numbers in quotes too, nan and infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


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


class TrainSuite(Suite):
    """Small models that geomod trains itself, on a language it makes up."""

    provider: Literal["train"] = Field(description="models trained here, for the demo and tests")


class HubSuite(Suite):
    """Checkpoints in repositories of a hub, one revision a step."""

    provider: Literal["hub"] = Field(description="repositories of a hub, one revision a step")
    repo: str = Field(description="repository, with `{size}` (and `{seed}`) where it goes")
    revision: str = Field("step{step}", description="revision, with `{step}` where it goes")
    seeds: Annotated[list[NonNegativeInt], Once] | None = Field(
        None, min_length=1, description="seeds of `{seed}`, each a model of every size"
    )
    tokenizer: str | None = Field(
        None, description="repository or folder of the tokenizer; left out, the first model's own"
    )
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
    tokenizer: str | None = Field(
        None, description="folder of the tokenizer; left out, each checkpoint's own"
    )
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


class Simulation(Section):
    """A simulated experiment on the made-up language, with planted answers."""

    sentences: int = Field(
        1000, ge=20, le=10_000, description="sentences that the participants read, at most 10,000"
    )
    participants: int = Field(5, ge=2, le=1000, description="simulated participants")


class Nifti(Section):
    """Response volumes, one a sentence, and where the regions lie in them."""

    betas: str = Field(description="4-D images, with `{participant}` where it goes")
    parcels: str | None = Field(
        None, description="image of whole numbers, a region each; `{participant}` may stand in it"
    )
    labels: str | None = Field(
        None, description="table with columns `index`, `region`; a region may have many"
    )
    mask: str | None = Field(
        None, description="in place of both: the one region; `{participant}` may stand in it"
    )

    @model_validator(mode="after")
    def _parcels_or_mask(self) -> Self:
        if "{participant}" not in self.betas:
            raise ValueError("`betas` needs `{participant}` in the place of the participant's name")
        if bool(self.mask) == bool(self.parcels or self.labels):
            raise ValueError("needs `parcels` and `labels`, or `mask` in place of both")
        if not self.mask and not (self.parcels and self.labels):
            raise ValueError("needs `parcels` and `labels` together")
        return self


class Download(Section):
    """Files on the web, in an archive or alone; the workflow brings them."""

    url: str = Field(description="a tar archive, or the file itself")
    folder: str = Field(description="where the archive and the files go")
    files: Annotated[list[Name], Once] = Field(
        min_length=1, description="names of files in the archive, or of the file itself"
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="checksum of the archive; left out, that of the first download holds",
    )

    @field_validator("url")
    @classmethod
    def _on_the_web(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no address on the web; it must begin with https:// or http://")
        if not file_name(url):
            raise ValueError("names no file: it must go on to the file, not end with a folder")
        return url

    @field_serializer("url", when_used="json")
    def _without_secrets(self, url: str) -> str:
        return public(url)  # the report shows the config


class Dataset(Section):
    """Who read what, and what their brains did: exactly one kind of responses."""

    name: Name = Field(description="name of the dataset")
    sentences: str | None = Field(
        None, description="CSV with columns `item_id`, `sentence` (and `group`)"
    )
    responses: str | None = Field(
        None,
        description="CSV: `item_id`, `region`, `participant`, `response`; or a column a region",
    )
    nifti: Nifti | None = Field(None, description="in place of `responses`: images")
    assembly: str | None = Field(
        None, description="in place of `responses` and `sentences`: a netCDF assembly with both"
    )
    simulate: Simulation | None = Field(None, description="in place of all: a simulated brain")
    regions: Annotated[list[Name], Once] = Field(
        min_length=1, description="regions to encode, by their names"
    )
    region_prefix: str | None = Field(
        None, description="what stands before every region's name in the data, such as `lang_LH_`"
    )
    participants: Annotated[list[str], Once] | None = Field(
        None, min_length=1, description="participants to keep; all that are found if left out"
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="the file's names of columns: `{region: roi}`"
    )
    where: dict[str, str | list[str]] = Field(
        default_factory=dict, description="rows to keep, by the values of a column: `{cond: B}`"
    )
    join: str | None = Field(
        None, description="coordinate of an assembly whose words make one sentence: `sentence_id`"
    )
    ceiling: str = Field(
        "participants",
        description="noise ceiling: from `participants`, from `split_half`, or a table's path",
    )
    download: Download | None = Field(
        None, description="where the files come from, if from the web"
    )

    @model_validator(mode="after")
    def _one_kind_of_responses(self) -> Self:
        kinds = ("responses", "nifti", "assembly", "simulate")
        given = [key for key in kinds if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(f"`{key}`" for key in given) or "none of them"
            known = ", ".join(f"`{key}`" for key in kinds)
            raise ValueError(f"needs one of {known}; found {found}")
        own = "simulate" in given or "assembly" in given
        if own and self.sentences:
            raise ValueError(f"`{given[0]}` has its own sentences; leave `sentences` out")
        if not own and not self.sentences:
            raise ValueError("`sentences` is missing: the table with `item_id` and `sentence`")
        if self.join and not self.assembly:
            raise ValueError("`join` is for an `assembly`; leave it out")
        if self.simulate and self.participants:
            raise ValueError("`simulate` makes its own participants; leave `participants` out")
        return self


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
    blocks: str | None = Field(
        None, description="name of the list of blocks in the model, where it is not plain to see"
    )
    match_width: PositiveInt | None = Field(
        None,
        description="principal components to encode from, at any width; `null`: all",
    )
    max_disk_gb: float = Field(20, gt=0, description="room for checkpoints in flight, GB")
    downloads: PositiveInt = Field(2, description="downloads of checkpoints at once")


Variants = Annotated[list[str], Field(min_length=1)]


class Geometry(Section):
    """Named variants of each metric; the first one is the headline.

    Any other metric of docs/geometry.md is a key too: `first_token_norm: [ratio]`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Variants]

    entropy: Variants = Field(["raw"], description="variants of entropy")
    curvature: Variants = Field(["hosseini"], description="variants of curvature")
    plugins: str | None = Field(
        None, description="Python file with metrics of your own, which are measured too"
    )

    @field_validator("plugins")
    @classmethod
    def _plugins_can_be_run(cls, path: str | None) -> str | None:
        try:
            if path is not None:
                load_plugins(path)
        except InputError as error:
            raise ValueError(f"names {error}") from None
        return path

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


Baseline = Literal["length", "position", "untrained"]


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
    seed: NonNegativeInt = Field(0, description="the seed that everything random derives from")
    permutations: NonNegativeInt = Field(200, description="draws of the null distribution")
    baselines: Annotated[list[Baseline], Once] = Field(
        ["length", "position", "untrained"], description="what a score is held against"
    )

    @property
    def grouping(self) -> dict[str, Any] | None:
        """What decides whether groups of sentences allow the folds; None without groups."""
        keys = {"group_by", "folds", "inner_folds", "seed"}
        return None if self.group_by is None else self.model_dump(include=keys)


class Jobs(Section):
    """How big a job is. The numbers are the same."""

    steps_per_job: PositiveInt = Field(1, description="checkpoints in one job")
    layers_per_job: PositiveInt | Literal["all"] = Field(
        "all", description="layers in one encoding job"
    )
    threads: PositiveInt = Field(1, description="threads of the heavy jobs")


class Modules(Section):
    """Modules that layers form."""

    k: PositiveInt | Literal["auto"] = Field(2, description="number of modules, or `auto`")
    method: Literal["kmeans", "gaussian_mixture", "ward", "contiguous"] = Field(
        "kmeans", description="how layers are clustered; `modules/clusters.py` describes each"
    )


class Inference(Section):
    """Intervals, nulls and verdicts; `docs/statistics.md` says why these defaults."""

    alpha: float = Field(
        Settings.alpha, gt=0, lt=1, description="level of tests; intervals cover 1 − alpha"
    )
    permutations: PositiveInt = Field(
        Settings.permutations, description="draws of a null over whole curves"
    )
    bootstrap: PositiveInt = Field(Settings.bootstrap, description="bootstrap draws of an interval")
    null_draws: PositiveInt = Field(
        Settings.null_draws, description="draws of a null of the modules, each step"
    )
    temporal: Annotated[list[Name], Once] = Field(
        list(Settings.temporal), description="early regions of claim 3"
    )
    frontal: Annotated[list[Name], Once] = Field(
        list(Settings.frontal), description="late regions of claim 3"
    )
    network: Annotated[list[Name], Once] = Field(
        list(Settings.network), description="regions that claims 2, 4 and 5 are about"
    )
    calibration_draws: NonNegativeInt = Field(
        0,
        description="sweeps to simulate on this grid, so that every test in the report stands "
        "beside its own false-positive rate; 0: none, and `.venv/bin/snakemake calibration` takes "
        "200",
    )


class Maps(Section):
    """Scores of single voxels, in the space of the images: what the rule `voxel_maps` draws."""

    models: Annotated[list[Name], Once] = Field(
        min_length=1, description="models, such as `pythia-70m`"
    )
    steps: Annotated[list[NonNegativeInt], Once] = Field(min_length=1, description="training steps")
    layers: Annotated[list[NonNegativeInt], Once] = Field(
        min_length=1, description="layers, 0 the embedding output"
    )
    participants: Annotated[list[Name], Once] = Field(
        min_length=1, description="participants, one map each"
    )


class Config(Section):
    """A run of geomod."""

    run: Name = Field(description="outputs go to `results/{run}/`")
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
