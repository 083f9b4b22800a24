"""How a measure of the geometry is made known.

A *measure* is a function of a stack of Grams [k, T, T] (k sentences of T tokens each) that gives k
numbers. It is registered under the name of a metric and of a variant, and from there on the config,
the tables and the figures know it:

    @metric("spread", "raw")
    def spread(gram):
        return gram.diagonal(axis1=1, axis2=2).std(axis=1)

A measure that is not defined for a sentence (too short, no movement) gives NaN there.
The measures themselves are in `sentence.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geomod.base.errors import InputError
from geomod.geometry.grams import Floats

View = Callable[[Floats, int], Any]
Measure = Callable[[Any], Floats]
Metrics = dict[str, list[str]]  # variants by metric, as in the config


def whole(gram: Floats, width: int) -> Floats:
    """The view of measures that want nothing but the Gram."""
    return gram


@dataclass(frozen=True)
class Variant:
    """A measure under its name. `view` is what of a Gram it looks at: variants that share a view
    share its computation. With `since`, the values of that layer are subtracted."""

    metric: str
    name: str
    function: Measure
    view: View = whole
    since: int | None = None


REGISTRY: dict[str, dict[str, Variant]] = {}


def register(variant: Variant) -> None:
    """Make a variant known by its name, which must be new."""
    known = REGISTRY.setdefault(variant.metric, {})
    if variant.name in known:
        raise InputError(f"{variant.metric}/{variant.name} is registered twice")
    known[variant.name] = variant


def metric(
    name: str, variant: str = "raw", *, of: View = whole, since: int | None = None
) -> Callable[[Measure], Measure]:
    """Register the function below as the `variant` of metric `name`."""

    def registered(function: Measure) -> Measure:
        register(Variant(name, variant, function, of, since))
        return function

    return registered
