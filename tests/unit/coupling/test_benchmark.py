"""The table of what looks right and is not, and the tests that only it knows."""

import numpy as np
import pytest
import statsmodels.api as sm

from benchmarks.coupling.single_curves import TESTS, cubic_p, levels
from geomod.coupling.other_tests import (
    CIRCULAR,
    SINGLE_CURVE_TESTS,
    pooled_p,
    whole_curves_p,
)
from geomod.scrutiny.calibration import curves_of_draw
from geomod.scrutiny.synthetic import Design, Frame, Scatter

PYTHIA = (*(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000)
NOISE = Scatter(smooth=0.3, rough=0.1, noise=0.15, rho=0.6, rho_depth=0.3)
DESIGN = Design((Frame("m", 1e8, PYTHIA, 25),), ("netw",), 4, NOISE, NOISE, person=0.1)


def test_what_looks_right_and_is_not() -> None:
    """The published false-positive rates at the .05 level, on the published grid."""
    draws = 200
    rejected = dict.fromkeys([*SINGLE_CURVE_TESTS, "pooled", "whole curves"], 0)
    for draw in range(draws):
        time, pair, rng = curves_of_draw(DESIGN, 0, draw, planted=False)
        for name, p_of in SINGLE_CURVE_TESTS.items():
            least = 1 / len(time) if name == CIRCULAR else 0.05
            rejected[name] += p_of(pair[0][:, 0], pair[1][:, 0], time) <= least + 1e-9
        rejected["pooled"] += pooled_p([pair], time) <= 0.05
        rejected["whole curves"] += whole_curves_p([pair], 199, rng) <= 0.05
    rate = {name: count / draws for name, count in rejected.items()} | levels(DESIGN, draws)
    assert set(rate) > set(TESTS)
    assert 0.7 < rate["Spearman over steps"] < 0.95
    assert 0.1 < rate["partial Spearman given rank(step)"] < 0.3
    assert 0.08 < rate["partial Pearson given a cubic in log step"] < 0.3
    assert 0.45 < rate["pooled"] < 0.75
    assert rate["circular shift over steps"] < 0.12
    assert rate["whole curves"] < 0.10  # P(> .10 | .05) = .001


def test_cubic_p_is_that_of_a_regression() -> None:
    x, y, time = np.random.default_rng(0).standard_normal((3, 19))
    design = sm.add_constant(np.column_stack([x, time, time**2, time**3]))
    assert cubic_p(x, y, time) == pytest.approx(sm.OLS(y, design).fit().pvalues[1])
