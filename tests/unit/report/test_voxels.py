"""Maps are drawn without a network, and what is not there is not drawn."""

import socket
from pathlib import Path
from typing import Any

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.report.voxels import draw_map

AFFINE = np.array([[8, 0, 0, -64], [0, 8, 0, -88], [0, 0, 8, -32], [0, 0, 0, 1.0]])


def store(path: Path, values: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(values.astype(np.float32), AFFINE), path)
    return path


def drawn(tmp_path: Path, values: np.ndarray, **how: Any) -> np.ndarray:
    draw_map(store(tmp_path / "map.nii.gz", values), tmp_path / "map.png", **how)
    return matplotlib.image.imread(tmp_path / "map.png")


@pytest.mark.filterwarnings("ignore:empty mask")  # said by nilearn of the map without any r > 0
def test_a_map_is_drawn_offline(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a figure asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    values = np.full((16, 18, 12), np.nan)
    values[1:4, 9:12, 5:8] = 0.4
    picture = drawn(tmp_path, values, title="toy-xs, step 4", limit=0.5)
    values[1:4, 9:12, 5:8] = -0.4
    nothing = drawn(tmp_path, values, title="toy-xs, step 4", limit=0.5)
    coloured = [(np.ptp(image[..., :3], axis=2) > 0.2).sum() for image in (picture, nothing)]
    assert coloured[0] > coloured[1] + 500  # a negative score explains nothing


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no value in any voxel"):
        drawn(tmp_path, np.full((4, 4, 4), np.nan))
    with pytest.raises(InputError, match="one 3-D map is drawn at a time"):
        drawn(tmp_path, np.ones((4, 4, 4, 2)))
    assert not (tmp_path / "map.png").exists()
