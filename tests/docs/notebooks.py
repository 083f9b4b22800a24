"""The code of a notebook, run cell by cell in one namespace, as a kernel does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest

from tests.conftest import ROOT

NOTEBOOKS = ROOT / "notebooks"


def run(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is defined at the end. `given` values take the place of those that a cell sets."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context():
        plt.switch_backend("agg")
        patch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{name}.ipynb, cell {number}", "exec"), namespace)
                namespace.update({k: v for k, v in (given or {}).items() if k in namespace})
        plt.close("all")
    return namespace


def sources() -> list[Path]:
    return sorted(NOTEBOOKS.glob("*.ipynb"))
