"""What is reported beside: R², Meng's z, deviations of seeds."""

import numpy as np
import pytest
from scipy import stats

from geomod.competence.beside import combined_meng_p, meng_z, r_squared, seeds, size_of, wilcoxon_p


def test_mengs_z_of_his_example_comes_back() -> None:
    """Meng, Rosenthal & Rubin 1992, p. 173: r = .63 and −.03, r_x = −.19, n = 15: z = 1.68."""
    z, p = meng_z(0.63, -0.03, -0.19, 15)
    assert z == pytest.approx(1.68, abs=0.01)
    assert p == pytest.approx(2 * stats.norm.sf(z))
    assert meng_z(0.5, 0.5, 0.2, 30)[0] == 0
    assert np.isnan(meng_z(0.5, 0.5, 1.0, 30)[0])


def test_shared_variance_and_ranks_of_it() -> None:
    x = np.arange(5.0)
    assert r_squared(x, 3 - 2 * x) == pytest.approx(1)
    assert np.isnan(r_squared(x, np.zeros(5)))
    assert wilcoxon_p(np.arange(8) + 2.0, np.ones(8)) == pytest.approx(2 / 2**8)
    assert np.isnan(wilcoxon_p([0.5], [0.5]))


def test_combined_correlations_hold_where_curves_are_white() -> None:
    rng = np.random.default_rng(0)
    p = [
        combined_meng_p([tuple(rng.standard_normal((3, 40))) for _ in range(4)]) for _ in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_seeds_that_are_early_in_grammar_and_in_alignment_are_found_within_their_size() -> None:
    rng = np.random.default_rng(0)
    models = [f"pythia-{size}-seed{i}" for size in ("14m", "70m", "160m") for i in range(1, 10)]
    assert {size_of(m) for m in models} == {"pythia-14m", "pythia-70m", "pythia-160m"}
    sizes = np.repeat([0.0, 1.0, 2.0], 9)  # moves all three, and is no evidence
    formal, functional, own = rng.standard_normal((3, 27))
    times = sizes[:, None] + 0.1 * np.column_stack([formal + 0.5 * own, formal, functional])
    found = seeds(models, times, 999, rng)
    assert found is not None
    assert (found.runs, found.sizes) == (27, 3)
    assert found.p_formal < 0.01
    assert found.p_difference < 0.05
    assert found.r_formal > 0.7
    unrelated = sizes[:, None] + 0.1 * rng.standard_normal((27, 3))
    nothing = seeds(models, unrelated, 999, rng)
    assert nothing is not None
    assert nothing.p_formal > 0.05
    assert abs(nothing.r_formal) < 0.5
    assert seeds(["toy-xs", "toy-s", "toy-m"], times[:3], 99, rng) is None
