"""Which measures of a sentence there are: those of `sentence.py`, and those of the user's files."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import geomod.geometry.sentence  # noqa: F401  (importing it registers its measures)
from geomod.base import plugins
from geomod.base.errors import InputError
from geomod.geometry import registry
from geomod.geometry.registry import Metrics, Variant


def names() -> Metrics:
    """Every metric that is known, and its variants."""
    return {metric: list(variants) for metric, variants in registry.REGISTRY.items()}


def load_plugins(path: str | Path) -> Metrics:
    """Run a Python file of the user's, whose `@metric` functions are then known; give their names.

    Its `@of_set`, `@of_layers` and `@of_steps` functions are then measured wherever the built-in
    ones are. Called again with the same file it only gives the names.
    """
    import geomod.geometry.depth  # the measures of the wing come before the user's
    import geomod.geometry.steps  # noqa: F401

    own: Metrics = {}
    marks = "@metric`, `@of_set`, `@of_layers` or `@of_steps"
    for metric, variant in plugins.load_plugins(path, _registered, marks):
        if variant in registry.REGISTRY.get(metric, {}):
            own.setdefault(metric, []).append(variant)
    return own


def _registered() -> list[tuple[str, str]]:
    """Every measure of sentences, sets, layers and pairs of steps, by metric and variant."""
    of_sentences = [
        (metric, variant) for metric, variants in names().items() for variant in variants
    ]
    of_layers = [(name, "over depth") for name in registry.LAYERS]
    of_steps = [(name, "between steps") for name in registry.STEPS]
    return [*of_sentences, *registry.SETS, *of_layers, *of_steps]


def select(metrics: Mapping[str, Sequence[str]]) -> list[Variant]:
    """The variants called by name, as in the config: {entropy: [raw, centred], …}."""
    known = names()
    for name, variants in metrics.items():
        if name not in known:
            raise InputError(f"no metric `{name}`; {_hint(name, known)}")
        for variant in variants:
            if variant not in known[name]:
                hint = _hint(variant, known[name])
                raise InputError(f"no variant `{variant}` of `{name}`; {hint}")
    return [
        registry.REGISTRY[name][variant]
        for name, variants in metrics.items()
        for variant in variants
    ]


def without_first(metric: str, variant: str) -> str | None:
    """The variant that is the same but without the first token, where there is one."""
    parts, known = variant.split("-"), names().get(metric, [])
    if "drop1" in parts:
        return None
    places = range(1, len(parts) + 1)
    tries = ("-".join([*parts[:place], "drop1", *parts[place:]]) for place in places)
    return next((name for name in tries if name in known), None)


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    if close:
        return f"did you mean {' or '.join(f'`{near}`' for near in close)}?"
    listed = [f"`{each}`" for each in known]
    return f"there are {', '.join(listed[:12])}{' …' if len(listed) > 12 else ''}"
