"""Measures of likeness as a table, of regions and of the voxels in them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from geomod.base import plugins
from geomod.base.errors import InputError
from geomod.brain.patterns import Pattern
from geomod.encoding import alignment
from geomod.encoding.alignment import (
    MEASURES,
    Seen,
    load_measures,
    measure,
    rsa,
    transform_class,
    trsa,
)
from geomod.encoding.likeness import align, answers_of


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


STIMULI = pd.DataFrame({"item_id": [f"s{i}" for i in range(20)], "sentence": "x"})


def responses(columns: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                "item_id": STIMULI["item_id"],
                "region": region,
                "participant": participant,
                "response": values,
            }
        )
        for (region, participant), values in columns.items()
    ]
    return pd.concat(tables).sort_values("item_id", kind="stable", ignore_index=True)


def test_every_layer_region_and_pattern_has_every_measure() -> None:
    features = {0: gaussian(0, 20, 6), 1: gaussian(1, 20, 6)}
    means = {("IFG", "average"): gaussian(2, 20), ("IFG", "01"): gaussian(3, 20)}
    rows = np.arange(3, 18)
    pattern = Pattern("MFG", "01", rows, gaussian(4, 15, 7).astype(np.float32))
    table = align(features, answers_of(responses(means), STIMULI, [pattern]))
    by = ["layer", "region", "participant", "of", "measure"]
    assert not table.duplicated(by).any()
    assert len(table) == 2 * 2 * len(MEASURES)  # no participant has a mean of its own
    values = table.set_index(by)["value"]
    answered = responses(means).query("participant == 'average'").set_index("item_id")["response"]
    mean = answered.loc[answered.index].to_numpy()[:, None]
    order = pd.Index(STIMULI["item_id"]).get_indexer(answered.index)
    expected = rsa(features[1][order], mean)
    assert values[1, "IFG", "average", "mean", "rsa"] == pytest.approx(expected)
    expected = rsa(features[1][rows], pattern.matrix, of_y="correlation")
    assert values[1, "MFG", "01", "voxels", "rsa"] == pytest.approx(expected)
    sizes = table.drop_duplicates(["of"]).set_index("of")[["n", "width"]]
    assert sizes.loc["voxels"].tolist() == [15, 7]
    assert sizes.loc["mean"].tolist() == [20, 1]


def test_a_layer_that_is_not_finite_is_like_nothing_and_the_others_are_measured() -> None:
    broken = gaussian(0, 20, 6)
    broken[3, 2] = np.nan
    answers = answers_of(responses({("IFG", "average"): gaussian(2, 20)}), STIMULI)
    table = align({0: broken, 1: gaussian(1, 20, 6), 2: np.ones((20, 6))}, answers)
    assert table.query("layer == 0")["value"].isna().all()
    assert table.query("layer == 1")["value"].notna().all()
    assert table.query("layer == 2")["value"].isna().all()


@pytest.mark.parametrize("shape", [(15, 4), (15, 40)])
def test_procrustes_is_what_the_best_rotation_leaves(shape: tuple[int, int]) -> None:
    x, y = gaussian(0, *shape), gaussian(1, *shape)
    first, second = ((z - z.mean(axis=0)) for z in (x, y))
    first, second = (z / np.linalg.norm(z) for z in (first, second))
    turn, _ = orthogonal_procrustes(first, second)
    expected = 1 - np.linalg.norm(first @ turn - second) ** 2 / 2
    assert MEASURES["procrustes"](Seen(x), Seen(y)) == pytest.approx(expected, abs=1e-9)


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_procrustes_sees_no_rotation_scale_or_shift(seed: int, scale: float) -> None:
    x = gaussian(seed, 15, 6)
    turn = np.linalg.qr(gaussian(seed + 1, 6, 6))[0]
    moved = Seen(scale * x @ turn + 3)
    assert MEASURES["procrustes"](Seen(x), moved) == pytest.approx(1, abs=1e-9)
    other = Seen(gaussian(seed + 2, 15, 3))
    expected = MEASURES["procrustes"](Seen(x), other)
    assert MEASURES["procrustes"](moved, other) == pytest.approx(expected, abs=1e-9)


def test_the_quantiles_of_the_transform_are_a_choice() -> None:
    x, y = gaussian(0, 15, 6), gaussian(1, 15, 1)
    for quantiles in ((0.1, 0.9), (0.4, 0.6)):
        expected = trsa(x, y, low=quantiles[0], high=quantiles[1])
        found = MEASURES["trsa"](Seen(x, quantiles), Seen(y, quantiles))
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.9, "geometry-sensitive"),
        (0.0, 1.0, "geometry-sensitive"),
        (0.4, 0.6, "topology-sensitive"),
        (0.2, 0.8, "intermediate"),
        (0.0, 0.3, "local"),
        (0.7, 1.0, "global"),
    ],
)
def test_a_transform_is_called_what_its_source_calls_it(low, high, expected) -> None:
    assert transform_class(low, high) == expected


def test_a_measure_of_ones_own_is_a_function_in_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(alignment, "MEASURES", dict(MEASURES))
    monkeypatch.setattr(plugins, "_loaded", {})
    file = tmp_path / "mine.py"
    file.write_text(
        "from geomod.encoding.alignment import measure\n\n"
        '@measure("width")\n'
        "def width(layer, region):\n"
        "    return layer.values.shape[1]\n"
    )
    assert load_measures(file) == load_measures(file) == ["width"]
    with pytest.raises(InputError, match="width is registered twice"):
        measure("width")(lambda layer, region: 0.0)
