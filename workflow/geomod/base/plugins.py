"""Python files of the user's: functions and classes that the config names by their file."""

import importlib.util
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, TypeVar

from geomod.base.errors import InputError

Name = TypeVar("Name")

_loaded: dict[tuple[Path, str], list[Any]] = {}


def load_plugins(
    path: str | Path,
    names: Callable[[], Collection[Name]],
    mark: str,
    kind: Literal["function", "class"] = "function",
) -> list[Name]:
    """Run a Python file, whose functions or classes under `mark` are then known; give their names.

    `names` says what is registered. Called again with the same file it only gives the names.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise InputError(f"{path}: there is no such file")
    if (file, mark) not in _loaded:
        before = set(names())
        spec = importlib.util.spec_from_file_location(f"plugin of geomod, {file.stem}", file)
        if spec is None or spec.loader is None:
            raise InputError(f"{path}: this is no Python file (.py)")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look themselves up there
        try:
            spec.loader.exec_module(module)
        except (SyntaxError, ImportError, InputError) as error:
            raise InputError(f"{path}: {error}") from error
        own = [name for name in names() if name not in before]
        if not own:
            raise InputError(f"{path}: no {kind} stands under `{mark}`")
        _loaded[file, mark] = own
    return list(_loaded[file, mark])
