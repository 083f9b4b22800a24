"""How a measure of the geometry is made known.

A *measure* is a function of a stack of Grams [k, T, T] (k sentences of T tokens each) that gives k
numbers. It is registered under the name of a metric and of a variant, and from there on the config,
the tables and the figures know it:

    @metric("spread", "raw")
    def spread(gram):
        return gram.diagonal(axis1=1, axis2=2).std(axis=1)

A measure that is not defined for a sentence (too short, no movement) gives NaN there.
The measures themselves are in `sentence.py`. A measure of a set of sentences is registered in the
same way, by `@of_set` (`sets.py`), one of the depth by `@of_layers` (`depth.py`), and one of a pair
of steps by `@of_steps` (`steps.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geomod.base.errors import InputError
from geomod.geometry.grams import Floats

View = Callable[[Floats, int], Any]
Measure = Callable[[Any], Floats]
Metrics = dict[str, list[str]]  # variants by metric, as in the config
# Takes a `sets.Sentences`; gives its value, or that and the number of sentences it rests on, where
# that is not all of them.
SetMeasure = Callable[[Any], float | tuple[float, int]]
# Takes a `depth.Depth`; gives its value at each layer, and what a residual random walk gives.
LayersMeasure = Callable[[Any], tuple[Floats, Floats]]


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


@dataclass(frozen=True)
class StepMeasure:
    """A measure of a `steps.Pair`; `angle` makes its value the angle, in radians, of a speed."""

    function: Callable[[Any], float]
    angle: Callable[[float], float]


REGISTRY: dict[str, dict[str, Variant]] = {}
SETS: dict[tuple[str, str], SetMeasure] = {}  # by metric and variant
LAYERS: dict[str, LayersMeasure] = {}
STEPS: dict[str, StepMeasure] = {}


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


def of_set(name: str, variant: str = "raw") -> Callable[[SetMeasure], SetMeasure]:
    """Register the function below as the `variant` of metric `name` of a set of sentences."""

    def registered(function: SetMeasure) -> SetMeasure:
        if (name, variant) in SETS:
            raise InputError(f"{name}/{variant} of a set is registered twice")
        SETS[name, variant] = function
        return function

    return registered


def of_layers(name: str) -> Callable[[LayersMeasure], LayersMeasure]:
    """Register the function below as the measure `name` of the layers of one checkpoint."""

    def registered(function: LayersMeasure) -> LayersMeasure:
        if name in LAYERS:
            raise InputError(f"{name} of layers is registered twice")
        LAYERS[name] = function
        return function

    return registered


def of_steps(
    name: str, *, angle: Callable[[float], float] = float
) -> Callable[[Callable[[Any], float]], Callable[[Any], float]]:
    """Register the function below as the measure `name` of a layer at two steps of training."""

    def registered(function: Callable[[Any], float]) -> Callable[[Any], float]:
        if name in STEPS:
            raise InputError(f"{name} of two steps is registered twice")
        STEPS[name] = StepMeasure(function, angle)
        return function

    return registered
