"""One checkpoint as a place: in the folder of a run, and in its tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A checkpoint, and the dataset that it was measured with where there may be several.

    What lies below a run's folder and what begins a table's rows follow from it alone. `model` and
    `step` may be Snakemake wildcards, such as "{model}", where only a path is wanted.
    """

    model: str
    step: int | str
    dataset: str | None = None

    def path(self, name: str) -> str:
        """A file of the place, such as `features.safetensors`, below the folder of the run."""
        folders = [self.model, f"step{self.step}", *([self.dataset] if self.dataset else [])]
        return "/".join([*folders, name])

    @property
    def columns(self) -> dict[str, int | str]:
        """The leading columns of every table: `table.assign(**place.columns)`."""
        dataset = {"dataset": self.dataset} if self.dataset else {}
        return {**dataset, "model": self.model, "step": self.step}
