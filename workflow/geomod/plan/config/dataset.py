"""Section `dataset`: sentences, and what brains did while they were read."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeInt, field_serializer, field_validator, model_validator

from geomod.brain.download import file_name, public
from geomod.plan.config.section import Name, Once, Section, one_kind
from geomod.plan.config.story import Scans, Story
from geomod.toy.shapes import LEAD, TR, TRANSIENT, toy_stories


class Simulation(Section):
    """A simulated experiment on the made-up language, with planted answers."""

    sentences: int = Field(
        1000, ge=20, le=10_000, description="sentences that the participants read, at most 10,000"
    )
    participants: int = Field(5, ge=2, le=1000, description="simulated participants")
    seed: NonNegativeInt | None = Field(
        None, description="another brain, and other sentences; the run's `seed` if left out"
    )
    stories: int | None = Field(
        None,
        ge=3,
        le=100,
        description="in place of sentences: stories that people listen to, as a scanner sees it",
    )
    trs: int = Field(120, ge=60, le=2000, description="volumes of a story, one every two seconds")
    scans: Literal["surface", "volume"] = Field(
        "surface", description="of listeners: two on a surface (GIFTI), or one in a volume (NIfTI)"
    )

    def told(self) -> Story:
        """How the stories are told, but for the file of their words."""
        names = toy_stories(self.stories or 0)
        return Story(words="words.csv", tr=TR, start=LEAD, trim=[TRANSIENT, 5], stories=names)


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


class OwnReader(Section):
    """Responses in a layout of your own, read by a function of your own (docs/adding.md)."""

    plugin: str = Field(
        description="Python file with one function under `@reader`; or the name of a layout that "
        "is built in: `table_each`, a table of each participant"
    )
    files: Annotated[list[str], Once] = Field(
        min_length=1, description="the files that it reads; a change of one is noticed"
    )


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
        if not file_name(url).strip(".") or "\0" in file_name(url):
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
    reader: OwnReader | None = Field(None, description="in place of `responses`: your own reader")
    story: Story | None = Field(
        None, description="in place of `sentences`: stories, whose rows are TRs (docs/stories.md)"
    )
    scans: Scans | None = Field(
        None, description="with `story`, in place of `responses`: files of scans"
    )
    simulate: Simulation | None = Field(None, description="in place of all: a simulated brain")
    regions: Annotated[list[Name], Once] = Field(
        min_length=1, description="regions to encode, by their names"
    )
    hierarchy: dict[str, float] = Field(
        default_factory=dict,
        description="places of regions in the cortical order, for the spatial score: `{IFG: 3}`",
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
    sort_by: Annotated[list[str], Once] = Field(
        default_factory=list,
        description="columns of numbers that put the sentences of a `group` in order, where the "
        "file does not: `[sentence_number, part_number]`",
    )
    strip: bool = Field(False, description="leave out spaces before and after a sentence")
    context: Literal["alone", "passage"] = Field(
        "alone",
        description="what a model has read before a sentence: nothing, or its `group` so far",
    )
    long: Literal["refuse", "cut"] = Field(
        "refuse", description="a passage longer than the model: an error, or only its last tokens"
    )
    group_by: str | None = Field(
        None,
        description="column of the sentences whose groups no fold may split; `encoding.group_by` "
        "if left out",
    )
    splits: str | None = Field(
        None,
        description="column of the sentences that gives the outer folds in place of "
        "`encoding.folds`: each of its values (a run, a session) is tested once",
    )
    nuisances: str | None = Field(
        None,
        description="CSV with `item_id` and columns of numbers (motion, session), a row a "
        "sentence: the baseline `nuisances`",
    )
    ceiling: str = Field(
        "participants",
        description="noise ceiling: from `participants`, from `split_half`, or a table's path",
    )
    download: Download | None = Field(
        None, description="where the files come from, if from the web"
    )

    @model_validator(mode="after")
    def _hierarchy_is_of_regions(self) -> Self:
        unknown = [name for name in self.hierarchy if name not in self.regions]
        if unknown:
            raise ValueError(
                f"`hierarchy` places {unknown[0]!r}, which is none of the regions "
                f"({', '.join(self.regions)})"
            )
        return self

    @model_validator(mode="after")
    def _one_kind_of_responses(self) -> Self:
        kinds: tuple[str, ...] = ("responses", "nifti", "assembly", "reader", "simulate")
        if self.simulate and self.simulate.stories:
            if self.story is None:
                object.__setattr__(self, "story", self.simulate.told())
        elif self.story:
            kinds = ("responses", "scans")
        elif self.scans:
            raise ValueError("`scans` are of stories; say which in `story`")
        kind = one_kind(self, kinds)
        own = kind in ("simulate", "assembly")
        if self.story:
            self._of_stories()
            if self.simulate and self.participants:
                raise ValueError("`simulate` makes its own participants; leave `participants` out")
            return self
        if own and self.sentences:
            raise ValueError(f"`{kind}` has its own sentences; leave `sentences` out")
        if not own and not self.sentences:
            raise ValueError("`sentences` is missing: the table with `item_id` and `sentence`")
        if self.join and not self.assembly:
            raise ValueError("`join` is for an `assembly`; leave it out")
        if self.simulate and self.participants:
            raise ValueError("`simulate` makes its own participants; leave `participants` out")
        if self.simulate and self.splits:
            raise ValueError("`simulate` has sentences without runs; leave `splits` out")
        if self.long != "refuse" and self.context != "passage":
            raise ValueError("`long` is for `context: passage`; leave it out")
        return self

    def _of_stories(self) -> None:
        for key in ("sentences", "join", "nifti", "assembly", "reader"):
            if getattr(self, key):
                raise ValueError(f"`{key}` is not for stories; leave it out")
        if self.context != "alone" or self.long != "refuse":
            raise ValueError("stories are read in windows; leave `context` and `long` out")

    @property
    def reading(self) -> str:
        """How a model reads the texts: a name of `geomod.models.reading`."""
        if self.story:
            return "story"
        return {"alone": "sentences", "passage": "passages"}[self.context]
