"""What all sections of a config share."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from geomod.base.errors import InputError

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


def one_kind(section: BaseModel, kinds: Sequence[str]) -> str:
    """The one of the keys `kinds` that the section gives; none and two are errors."""
    given = [key for key in kinds if getattr(section, key)]
    if len(given) != 1:
        found = " and ".join(f"`{key}`" for key in given) or "none of them"
        known = ", ".join(f"`{key}`" for key in kinds)
        raise ValueError(f"needs one of {known}; found {found}")
    return given[0]


def checked(load: Callable[[str], object], path: str | None) -> str | None:
    """`path`, of which `load` knows whether it holds what it should."""
    try:
        if path is not None:
            load(path)
    except InputError as error:
        raise ValueError(f"names {error}") from None
    return path
