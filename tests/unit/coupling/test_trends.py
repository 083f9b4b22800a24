"""Whether geometry goes with the score, beyond what runs smoothly over depth."""

import numpy as np
import pytest

from geomod.coupling.trends import beyond_trends
from geomod.coupling.within_depth import (
    Pair,
    mean_effect,
    residuals_over_layers,
    waves_beyond,
    within_depth,
)
from geomod.curves.curves import relative_depth
from geomod.curves.estimates import permutation_p

BLOCKS, STEPS = 12, 4


def models(score_of_ends: float, score_of_labels: float, seed: int) -> list[Pair]:
    """Labels of the first and of deep blocks, and scores that follow steep ends, or the labels."""
    rng = np.random.default_rng(seed)
    depth = relative_depth(BLOCKS)
    ends = np.exp(-depth / 0.06) + np.exp(-(1 - depth) / 0.06)
    pairs = []
    for _ in range(8):
        labels = np.arange(BLOCKS) >= rng.integers(5, 10)
        labels[0] = True
        score = score_of_ends * ends + score_of_labels * labels
        noise = 0.1 * rng.standard_normal(BLOCKS) + 0.05 * rng.standard_normal((STEPS, BLOCKS))
        pairs.append((np.tile(labels.astype(float), (STEPS, 1)), score + noise))
    return pairs


@pytest.mark.parametrize("layers", [3, 5, 8])
def test_waves_are_all_that_a_trend_leaves(layers: int) -> None:
    rng = np.random.default_rng(layers)
    basis, values = rng.standard_normal((layers, 2)), rng.standard_normal((6, layers))
    waves = waves_beyond(basis)
    assert waves.shape == (layers, layers - 2)
    np.testing.assert_allclose(waves.T @ waves, np.eye(layers - 2), atol=1e-12)
    np.testing.assert_allclose(
        values @ waves @ waves.T, residuals_over_layers(values, basis), atol=1e-12
    )


def test_waves_come_in_the_order_of_their_frequency() -> None:
    waves = waves_beyond(np.ones((16, 1)))
    crossings = (np.diff(np.sign(waves), axis=0) != 0).sum(axis=0)
    np.testing.assert_array_equal(crossings, np.arange(1, 16))


def test_ends_that_score_unlike_the_others_are_no_module() -> None:
    p, of_parabola = [], []
    for seed in range(20):
        pairs, rng = models(1.0, 0.0, seed), np.random.default_rng(seed)
        p.append(beyond_trends(pairs, 199, rng)[1])
        beyond = [(within_depth(low), within_depth(score)) for low, score in pairs]
        of_parabola.append(permutation_p(*mean_effect(beyond, 199, rng)[:2]))
    assert np.mean(np.array(of_parabola) <= 0.05) > 0.2
    assert np.mean(np.array(p) <= 0.05) <= 0.1


@pytest.mark.parametrize("ends", [0.0, 1.0])
def test_a_module_that_scores_higher_is_found_beside_steep_ends(ends: float) -> None:
    z, p = beyond_trends(models(ends, 0.3, 0), 199, np.random.default_rng(0))
    assert z > 0
    assert p <= 0.05


def test_without_models_there_is_no_p() -> None:
    z, p = beyond_trends([], 99, np.random.default_rng(0))
    assert np.isnan(z)
    assert np.isnan(p)
    constant = [(np.ones((STEPS, BLOCKS)), np.zeros((STEPS, BLOCKS)))]
    assert np.isnan(beyond_trends(constant, 99, np.random.default_rng(0))[1])
