"""What is wanted of a forward pass: its texts, what is kept of each layer, the files it leaves.

A *reading* is one class, known by its name from the moment that its file is imported:

    @reading("norms")
    class Norms(Reading):
        files = ("norms.parquet",)
        ...

`read` of `forward.py` takes a loaded model and any number of readings, and knows nothing else of
them; docs/readings.md says how to add one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from numpy.typing import NDArray

from geomod.base import plugins
from geomod.base.errors import InputError
from geomod.base.tables import read_table

if TYPE_CHECKING:  # planning the jobs needs the names of files, and need not wait for torch
    from torch import Tensor

    from geomod.models.forward import Opened

Inputs = NDArray[Any]  # whole numbers: places in the list that `begin` gave


@dataclass(frozen=True)
class Settings:
    """How texts become features: keys of the config's section `features`.

    `bos: chat` is that of a suite with `chat_template`: what its template puts before a text is
    read, and belongs to no unit.
    `first_token: drop` leaves the first token of an input out of features and Grams; the model
    reads it all the same. `long` says what becomes of a passage that the model cannot take whole.
    """

    pooling: Literal["last", "mean"] = "last"
    bos: Literal["none", "add", "tokenizer", "chat"] = "none"
    first_token: Literal["keep", "drop"] = "keep"
    last_layer: Literal["raw", "normed"] = "raw"
    long: Literal["refuse", "cut"] = "refuse"


class Reading(ABC):
    """What is wanted of a forward pass over some texts.

    A pass calls `begin` once; then for every batch `keep` for layers 0, 1, … L in turn and, where
    the reading wants logits, `predict`; then `end`. A reading gets its own inputs alone, all of one
    length and in no promised order, and whatever else the batch holds changes nothing for it. The
    next `begin` starts anew, so that one object serves many checkpoints.
    """

    files: tuple[str, ...] = ()
    """Names of the files that `write` leaves in the folder of a checkpoint."""

    logits: bool = False
    """Whether the next-token logits are wanted. Where no reading does, no head is computed."""

    last_layer: Literal["raw", "normed"] = "raw"
    """Whether layer L is the raw output of the last block, or what the final norm makes of it."""

    @classmethod
    def of(cls, folder: Path, settings: Settings, how: Mapping[str, Any]) -> "Reading":
        """The reading of a dataset whose tables lie in `folder`; `how` is what its load was told.

        A class that is made of the table of stimuli and the settings alone needs no other.
        """
        return cls(read_table(folder / "stimuli.parquet"), settings)  # type: ignore[call-arg]

    @abstractmethod
    def begin(self, opened: "Opened") -> Sequence[Sequence[int]]:
        """Token ids of every input, each to be passed through the model of `opened`."""

    @abstractmethod
    def keep(self, layer: int, inputs: Inputs, states: "Tensor") -> None:
        """Reduce `states` [k, tokens, width], a layer of `inputs` [k]; hold no more than needed."""

    def predict(self, inputs: Inputs, ids: "Tensor", logits: "Tensor") -> None:  # noqa: B027
        """Use the `logits` [k, tokens, vocabulary] of `inputs` [k], whose tokens are `ids`.

        Not called for a model without a head.
        """

    def end(self) -> None:  # noqa: B027
        """Finish, after the last batch."""

    @abstractmethod
    def write(self, folder: Path, place: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Write `files` into `folder`. `place` holds the columns that say whose they are."""


Kind = TypeVar("Kind", bound=type[Reading])

READINGS: dict[str, type[Reading]] = {}


def reading(name: str) -> Callable[[Kind], Kind]:
    """Register the class below as the reading `name`."""

    def registered(kind: Kind) -> Kind:
        if name in READINGS:
            raise InputError(f"reading {name} is registered twice")
        READINGS[name] = kind
        return kind

    return registered


def reading_of(name: str) -> type[Reading]:
    """The class that is registered under `name`."""
    _import_own()
    if name not in READINGS:
        raise InputError(f"no reading `{name}`; there are {', '.join(READINGS)}")
    return READINGS[name]


def make_readings(
    planned: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    folders: Mapping[str, Path],
    wanted: Collection[tuple[str, ...]],
) -> Iterator[tuple[str, Reading]]:
    """Those of the `planned` readings of which a file is `wanted`, (dataset, file), and whose data
    they are.

    A plan names a dataset, and a further reading of it as `dataset/reading`; it says how each is
    read. `folders` hold the tables of the datasets. What is no longer wanted may be known no more.
    """
    _import_own()
    for name, how in planned.items():
        dataset, kind = name.partition("/")[0], READINGS.get(how["reading"])
        units = how.get("units", how)
        if kind and any((dataset, file) in wanted for file in kind.files):
            own = Settings(**settings, long=units["long"])
            yield dataset, kind.of(folders[dataset], own, units)


def load_readings(path: str | Path) -> dict[str, type[Reading]]:
    """Run a Python file of the user's, whose `@reading` classes are then known; give them."""
    _import_own()
    names = plugins.load_plugins(path, READINGS.keys, "@reading", "class")
    return {name: READINGS[name] for name in names}


def _import_own() -> None:
    """Register those of this wing: here, since their files import this one."""
    import geomod.models.lens
    import geomod.models.passages
    import geomod.models.sentences
    import geomod.models.story  # noqa: F401
