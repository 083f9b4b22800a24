"""Sections `competence.*`: what checkpoints are asked."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from geomod.plan.config.section import Name, Once, Section, one_kind

# What is read from text, by the key that names its files.
SCORED = ("pairs", "choices", "syntaxgym", "reading_times")
KINDS = (*SCORED, "simulate", "published")
# The keys that may stand beside each kind.
FAMILY, ITEMS = ("family", "families"), ("per_task", "family", "families", "ceiling")
SAYS_SOMETHING_ABOUT = {
    "pairs": (*ITEMS, "columns"),
    "choices": (*ITEMS, "columns"),
    "syntaxgym": ITEMS,
    "reading_times": (*FAMILY, "ceiling", "columns"),
    "published": ("models", "tasks"),
    "made-up agreement": ("per_task",),
    "made-up topics": ("per_task", *FAMILY),
    "made-up facts": ("per_task", *FAMILY),
    "made-up reading_times": ("reader", *FAMILY),
}


class Reader(Section):
    """The checkpoint that made-up readers expect words by; it is trained in the same run."""

    model: Name = Field(description="name of the model")
    step: NonNegativeInt = Field(description="one of its steps")


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
    simulate: Literal["agreement", "topics", "facts", "reading_times"] | None = Field(
        None, description="in place of `pairs`: tasks of the made-up language (docs/demo.md)"
    )
    reader: Reader | None = Field(
        None, description="of simulated `reading_times`: the checkpoint that readers are like"
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
        """The key that says what it is made of."""
        return one_kind(self, KINDS)

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
        kind = self.kind
        what = self.simulate or kind
        allowed = SAYS_SOMETHING_ABOUT[f"made-up {what}" if self.simulate else kind]
        for key in self.model_fields_set - {kind, *allowed}:
            raise ValueError(f"has `{key}`, which says nothing about `{what}`; leave it out")
        if self.simulate == "reading_times" and not self.reader:
            raise ValueError("needs `reader`, the checkpoint whose surprise makes reading times")
        return self
