"""Sections `competence.*`: what checkpoints are asked."""

from typing import Annotated, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from geomod.plan.config.section import Name, Once, Section

# What is read from text, by the key that names its files.
SCORED = ("pairs", "choices", "syntaxgym", "reading_times")


class TaskSet(Section):
    """A set of tasks: exactly one kind of files. Names may be patterns, such as `data/*.jsonl`."""

    pairs: str | None = Field(
        None,
        description="CSV with `item_id`, `good`, `bad` (and `task`, `family`), or BLiMP's JSONL",
    )
    choices: str | None = Field(
        None,
        description="in place of `pairs`: CSV with `item_id`, `context`, `choice`, `correct` (and "
        "`task`, `family`), or JSONL as ARC, PIQA, Social IQA and HellaSwag are published",
    )
    syntaxgym: str | None = Field(None, description="in place of `pairs`: JSON of SyntaxGym suites")
    reading_times: str | None = Field(
        None,
        description="in place of `pairs`: CSV with `item_id`, `story`, `word`, `time` (and "
        "`frequency`, `sentence`)",
    )
    published: str | None = Field(
        None, description="in place of `pairs`: JSON of evaluations that Pythia came with"
    )
    per_task: PositiveInt | None = Field(
        None, description="items of each task, drawn by `seed`; all if left out"
    )
    family: Name | None = Field(
        None, description="family of the tasks, where the file says none; each kind has its own"
    )
    families: Annotated[list[Name], Once] = Field(
        [], description="families of your own, beside `formal`, `functional`, `behaviour`"
    )
    ceiling: float | None = Field(
        None, description="best score that is possible; 1 if left out, of reading times unknown"
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="the file's names of columns: `{good: grammatical}`"
    )
    models: dict[str, Name] = Field(
        default_factory=dict,
        description="of `published`: what their models are called here, `{70m-deduped: mine-70m}`",
    )
    tasks: Annotated[list[str], Once] = Field(
        [], description="of `published`: the tasks to keep; all if left out"
    )

    @property
    def kind(self) -> str:
        """The key that names its files."""
        return next(key for key in (*SCORED, "published") if getattr(self, key))

    @property
    def files(self) -> str:
        """The files, or a pattern for them."""
        found: str = getattr(self, self.kind)
        return found

    @field_validator("columns")
    @classmethod
    def _columns_have_names(cls, columns: dict[str, str]) -> dict[str, str]:
        if not all(columns.values()):
            raise ValueError("gives a column no name")
        return columns

    @model_validator(mode="after")
    def _one_kind_of_files(self) -> Self:
        kinds = (*SCORED, "published")
        given = [key for key in kinds if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(f"`{key}`" for key in given) or "none of them"
            known = ", ".join(f"`{key}`" for key in kinds)
            raise ValueError(f"needs one of {known}; found {found}")
        there = {
            "published": ("models", "tasks"),
            "reading_times": ("family", "families", "ceiling", "columns"),
            "syntaxgym": ("per_task", "family", "families", "ceiling"),
        }
        usual = ("per_task", "family", "families", "ceiling", "columns")
        allowed = {given[0], *there.get(given[0], usual)}
        for key in self.model_fields_set - allowed:
            raise ValueError(f"has `{key}`, which says nothing about `{given[0]}`; leave it out")
        return self
