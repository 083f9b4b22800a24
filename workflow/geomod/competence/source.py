"""A task set as it is told of: its files and what the config says of it."""

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from geomod.base.errors import InputError
from geomod.base.sheets import nearest

Kind = Literal["pairs", "choices", "syntaxgym", "reading_times"]
FAMILIES = ("formal", "functional", "behaviour")


@dataclass(frozen=True)
class Source:
    """One entry of the config's section `competence`, under its name.

    `families` are names of the user's own that the file may use beside FAMILIES; `family` is the
    one where a file names none. `per_task` items of each task are drawn by `seed`, the same for
    every model and step; 0 takes all. `ceiling` is the best score that is possible; None leaves
    it to the kind (1 where scores are shares of items).
    """

    name: str
    kind: Kind
    files: Sequence[str]
    family: str = ""
    families: Sequence[str] = ()
    per_task: int = 0
    seed: int = 0
    ceiling: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """A source from plain values, as `dataclasses.asdict` gives them."""
        return cls(**{key: value for key, value in values.items() if key != "reading"})

    def paths(self) -> list[Path]:
        """The files, patterns such as `data/*.jsonl` filled in, in natural order."""
        return [path for pattern in self.files for path in find_files(pattern)]

    def check_family(self, family: str, where: str) -> str:
        """`family`, if it is one of those known or declared."""
        known = (*FAMILIES, *self.families)
        if family not in known:
            raise InputError(
                f"{where}: there is no family {family!r}.{nearest(family, known)} Families are "
                f"{', '.join(known)}; one of your own is declared by `families: [{family}]` in "
                f"`competence.{self.name}`."
            )
        return family


def find_files(pattern: str) -> list[Path]:
    """The files that a name or a pattern stands for; none is an error."""
    if not glob.has_magic(pattern):
        return [Path(pattern)]
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    if not found:
        raise InputError(f"no file is called like {pattern!r}")
    return sorted(found, key=lambda path: _natural(str(path)))


def _natural(name: str) -> list[tuple[int, str]]:
    """Names sorted by this have step2 before step10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
