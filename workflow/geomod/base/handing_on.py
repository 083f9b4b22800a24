"""How a wing hands on its public names without importing the files behind them.

`import geomod.ridge` reads no more than a docstring; `geomod.ridge.encode` then brings the engine,
and torch with it, the first time that it is asked for (PEP 562).
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def hand_on(wing: str, files: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of the package `wing`; `files` says which file each name comes from.

        __getattr__ = hand_on(__name__, {"encode": ".engine"})

    `dir` and `import *` know these names, and no others. A name must not be that of a file of the
    wing: once imported, the file would stand in its place.
    """
    package = sys.modules[wing]
    vars(package).update(__all__=sorted(files), __dir__=lambda: sorted(files))

    def find(name: str) -> Any:
        if name not in files:
            raise AttributeError(f"module {wing!r} has no attribute {name!r}")
        value = getattr(import_module(files[name], wing), name)
        setattr(package, name, value)  # asked for once
        return value

    return find
