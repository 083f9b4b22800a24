"""Which measures of a sentence there are: those of `sentence.py`, and those of the user's files."""

import difflib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import geomod.geometry.sentence  # noqa: F401  (importing it registers its measures)
from geomod.base.errors import InputError
from geomod.geometry import registry
from geomod.geometry.registry import Metrics, Variant


def names() -> Metrics:
    """Every metric that is known, and its variants."""
    return {metric: list(variants) for metric, variants in registry.REGISTRY.items()}


def load_plugins(path: str | Path) -> Metrics:
    """Run a Python file of the user's, whose `@metric` functions are then known; give their names.

    Its `@of_set` and `@of_steps` functions are then measured wherever the built-in ones are. Called
    again with the same file it only gives the names.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise InputError(f"{path}: there is no such file")
    if file not in _loaded:
        import geomod.geometry.steps  # noqa: F401  (its and `sets`' measures come before the user's)

        before, others = names(), _others()
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise InputError(f"{path}: this is no Python file (.py)")
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except (SyntaxError, ImportError, InputError) as error:
            raise InputError(f"{path}: {error}") from error
        own = {m: [v for v in names()[m] if v not in before.get(m, [])] for m in names()}
        _loaded[file] = {metric: variants for metric, variants in own.items() if variants}
        if not _loaded[file] and others == _others():
            decorators = "`@metric`, `@of_set` or `@of_steps`"
            raise InputError(f"{path}: no function stands under {decorators}")
    return _loaded[file]


_loaded: dict[Path, Metrics] = {}


def _others() -> set[object]:
    """The measures that are not of a sentence."""
    return {*registry.SETS, *registry.STEPS}


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


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    if close:
        return f"did you mean {' or '.join(f'`{near}`' for near in close)}?"
    listed = [f"`{each}`" for each in known]
    return f"there are {', '.join(listed[:12])}{' …' if len(listed) > 12 else ''}"
