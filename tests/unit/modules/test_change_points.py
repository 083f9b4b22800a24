"""Change points are where levels were planted to change, and nowhere in noise."""

import numpy as np
import pandas as pd
import pytest

from geomod.modules.change_points import COLUMNS, change_points, find_change_points

STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


def geometry(levels: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """A table of entropy and curvature that follow `levels` [steps, layers]; layer 0 besides."""
    rng = np.random.default_rng(seed)
    rows = []
    for (i, j), level in np.ndenumerate(levels):
        for metric, variant, sign in (("entropy", "raw", 1), ("curvature", "hosseini", -1)):
            value = sign * level + 0.02 * rng.standard_normal()
            rows.append(("a-1", STEPS[i], j + 1, metric, variant, value))
            rows.append(("a-1", STEPS[i], 0, metric, variant, 5.0))
    table = pd.DataFrame(rows, columns=["model", "step", "layer", "metric", "variant", "mean"])
    return table.drop_duplicates(["step", "layer", "metric"])


def test_levels_of_a_signal() -> None:
    rng = np.random.default_rng(0)
    signal = np.repeat([0.0, 1.0, 0.3], [8, 7, 9]) + 0.05 * rng.standard_normal(24)
    assert change_points(signal[:, None]) == [8, 15]
    assert change_points(signal[:3, None]) == []


@pytest.mark.parametrize("positions", [4, 6, 10, 24])
def test_white_noise_is_seldom_cut(positions: int) -> None:
    rng = np.random.default_rng(positions)
    cut = [bool(change_points(rng.standard_normal((positions, 2)))) for _ in range(200)]
    assert np.mean(cut) <= 0.1


def test_a_step_over_depth_is_found_at_every_step() -> None:
    levels = np.repeat(np.array([[0.0] * 6 + [1.0] * 6]), len(STEPS), axis=0)
    found = find_change_points(geometry(levels))
    found = found[found["over"] == "depth"]
    assert list(found["step"]) == list(STEPS)
    assert set(found["layer"]) == {7}
    assert found["entropy_jump"].to_numpy() == pytest.approx(1, abs=0.05)
    assert found["curvature_jump"].to_numpy() == pytest.approx(-1, abs=0.05)


def test_a_step_over_training_is_found_in_the_layers_that_make_it() -> None:
    levels = np.zeros((len(STEPS), 4))
    levels[5:, 2] = -1.0
    found = find_change_points(geometry(levels))
    (only,) = found.itertuples(index=False, name=None)
    assert only[:4] == ("a-1", "training", 16, 3)


def test_too_few_places_have_no_change_points() -> None:
    empty = find_change_points(geometry(np.zeros((3, 2))))
    assert list(empty.columns) == COLUMNS
    assert empty.empty
