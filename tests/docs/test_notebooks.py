"""The notebooks run, and are kept without what they gave. `finished_run` is read in
tests/workflow, where there is a run that has finished."""

from pathlib import Path

import nbformat
import numpy as np
import pytest

from tests.docs.notebooks import run, sources


def test_one_model_against_an_own_table() -> None:
    found = run("own_model")
    scores = found["scores"]
    assert scores.loc[256, "temporal"].max() > 0.4 > scores.loc[256, "frontal"].max()
    assert scores.shape == (2 * 3, 2)  # steps × layers, regions
    assert np.isfinite(found["beyond"].unique).all()
    for values in found["geometry"].values():
        assert all(np.isfinite(each).all() for each in values.values())


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
