"""Sections `story` and `scans` of a dataset: what people listened to, and where their scans are."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from geomod.plan.config.section import Name, Once, Section, one_kind

Rows = Annotated[list[int], Field(min_length=2, max_length=2)]


class Story(Section):
    """Words with times, when the brain was measured, and how a forward pass reads them."""

    words: str = Field(
        description="table with `story`, `word`, `onset`, `offset` (s); or with `{story}` in its "
        "name a file a story: TextGrid, Gentle's `align.json` or `align.csv`, or a table"
    )
    tr: float = Field(gt=0, description="seconds from one volume to the next")
    start: float | dict[str, float] = Field(
        0.0, description="seconds from the first volume to the onset of the story, or of each"
    )
    trim: Rows | dict[str, Rows] = Field(
        default_factory=lambda: [0, 0],
        description="rows to drop at the beginning and the end of every story, or of each",
    )
    stories: Annotated[list[Name], Once] | None = Field(
        None, min_length=1, description="stories to use; all that are found if left out"
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="the word table's names of columns: `{onset: start}`"
    )
    tier: str | None = Field(
        None, description="tier of the TextGrids with the words; found by its name if left out"
    )
    lowercase: bool = Field(False, description="make all words small, as where all are in capitals")
    context_tokens: int = Field(
        512, ge=2, description="tokens of a window, at most what the model takes"
    )
    downsample: Literal["lanczos", "mean", "sum", "last"] = Field(
        "lanczos", description="how words become rows"
    )
    centre: bool = Field(
        True, description="take the mean over all words from each, or features follow word rate"
    )
    delays: Annotated[list[NonNegativeInt], Once] = Field(
        default_factory=lambda: [1, 2, 3, 4],
        min_length=1,
        description="TRs by which responses follow: each row is fitted on so many earlier rows",
    )
    gap: NonNegativeInt = Field(
        10, description="TRs beside test rows that are not fitted on, of fewer than three stories"
    )
    span_words: int = Field(
        12, ge=1, description="words of a unit of geometry, where the table has no `sentence`"
    )

    @model_validator(mode="after")
    def _trims_count(self) -> Self:
        trims = self.trim.values() if isinstance(self.trim, dict) else [self.trim]
        if any(rows < 0 for trim in trims for rows in trim):
            raise ValueError("`trim` counts rows; none can be below 0")
        return self


class Scans(Section):
    """Scans of people who heard the stories, and where the regions lie in them."""

    files: str | None = Field(
        None,
        description="files by a pattern with `{participant}` and `{story}` (and `{hemi}`): "
        "`.nii`, `.nii.gz`, `.func.gii`, or HDF5",
    )
    bids: str | None = Field(
        None, description="in place of `files`: a folder of derivatives, as of fMRIPrep"
    )
    raw: str | None = Field(
        None, description="folder of the raw data, with events and sidecars, if not the same"
    )
    space: str | None = Field(None, description="space to take, where there are several")
    desc: str | None = Field(None, description="`desc` to take, where there are several")
    task: str | None = Field(
        None, description="the one task whose k-th run is the k-th story, whatever its number"
    )
    tasks: dict[str, str] = Field(
        default_factory=dict, description="story → task, where it has another name"
    )
    events: dict[str, str] = Field(
        default_factory=dict,
        description="story → `stim_file` of its event, where a run has several stories",
    )
    parcels: str | None = Field(
        None,
        description="a number for every voxel or vertex: NIfTI, GIFTI, `.annot` or `.npy`; "
        "`{participant}` and `{hemi}` may stand in it",
    )
    labels: str | None = Field(
        None, description="table with `index`, `region`; files with names in them need none"
    )
    mask: str | None = Field(None, description="in place of `parcels`: the one region")
    trimmed: bool = Field(False, description="whether the files lack the rows of `story.trim`")
    volumes: dict[str, int] | str | None = Field(
        None, description="rows of every story before trims, to be checked; or a JSON file of them"
    )
    confounds: Annotated[list[str], Once] = Field(
        default_factory=list, description="confounds by name or pattern: `[trans_*, cosine*]`"
    )
    regress: bool = Field(
        False, description="regress confounds out of responses; otherwise they are a band"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        one_kind(self, ("files", "bids"))
        for key in ("{participant}", "{story}"):
            if self.files and key not in self.files:
                raise ValueError(f"`files` needs `{key}` in its place")
        one_kind(self, ("parcels", "mask"))
        if self.files and (self.task or self.tasks or self.raw):
            raise ValueError("`task`, `tasks` and `raw` are for `bids`; leave them out")
        if self.regress and not self.confounds:
            raise ValueError("`regress` needs `confounds`")
        return self
