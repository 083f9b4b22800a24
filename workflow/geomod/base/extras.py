"""Packages that `pip install geomod` leaves out, since not everyone needs them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports of what the extra `name` of pyproject.toml brings: a missing one says so."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{error}. It comes with `pip install "geomod[{name}]"`.', name=error.name
        ) from None
