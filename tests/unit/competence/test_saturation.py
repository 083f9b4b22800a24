"""Late slopes and the three statements that saturation is made of."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from geomod.competence.position import means
from geomod.competence.saturation import (
    late_slopes,
    late_steps,
    line,
    margin,
    mean_slopes,
    slope,
)
from geomod.competence.times import Courses

TIME = np.linspace(0, 5, 21)
RHO, DRAWS = 0.0, 200


def course(alignment: np.ndarray, functional: np.ndarray, people: int = 0) -> Courses:
    formal = np.clip(TIME / 2, 0, 1)
    each = np.stack([alignment] * people) if people else np.empty((0, len(TIME)))
    curves = {"A": alignment, "F": formal, "G": functional}
    return Courses("m", TIME, curves, {"A": each}, {}, {"A": 1.0})


def test_slopes_are_in_units_of_the_rise_and_of_the_range() -> None:
    late = TIME >= 1.8
    assert (late_steps(np.clip(TIME / 2, 0, 1)) == (TIME >= 2)).sum() >= len(TIME) - 1
    alignment = np.where(late, 0.1 + 0.3 + 0.03 * (TIME - TIME[late].mean()), 0.1)
    found = late_slopes(
        course(alignment, 0.2 * TIME), "A", "F", "G", RHO, np.random.default_rng(0), DRAWS
    )
    assert found is not None
    assert found.alignment == pytest.approx(0.03 / 0.3, rel=0.02)
    assert found.functional == pytest.approx(0.2)


def test_a_line_has_its_slope() -> None:
    curve = np.random.default_rng(0).standard_normal(len(TIME))
    assert slope(TIME, curve[None])[0] == pytest.approx(stats.linregress(TIME, curve).slope)
    assert slope(TIME, line(TIME, curve)[None])[0] == pytest.approx(slope(TIME, curve[None])[0])


def test_alignment_that_has_not_risen_has_no_late_slope() -> None:
    rng = np.random.default_rng(0)
    assert late_slopes(course(0 * TIME, TIME), "A", "F", "G", RHO, rng, DRAWS) is None
    early = Courses(
        "m", TIME, {"A": TIME, "F": TIME**9, "G": TIME}, {"A": np.empty((0, 21))}, {}, {}
    )
    unlearned = replace(early, curves={"A": TIME, "F": 0.02 * TIME, "G": TIME})
    assert late_slopes(unlearned, "A", "F", "G", RHO, rng, DRAWS) is None
    assert late_slopes(early, "A", "F", "G", RHO, rng, DRAWS) is None


@pytest.mark.parametrize(
    ("alignment", "functional", "least"),
    [
        (0.0, 0.3, "no rise"),
        (0.15, 0.3, "no rise"),
        (-0.15, 0.3, "no fall"),
        (0.0, 0.0, "functional grows faster"),
    ],
)
def test_the_least_of_three_statements_counts(
    alignment: float, functional: float, least: str
) -> None:
    values = np.array([alignment, functional]) + 0.01 * np.array([[1, -1], [-1, 1], [0, 0.5]])
    found = margin(means(values))
    parts = {name: part[0] for name, part in found.parts.items()}
    assert parts == pytest.approx(
        {
            "no rise": 0.1 - values[:, 0].mean(),
            "no fall": 0.1 + values[:, 0].mean(),
            "functional grows faster": (values[:, 1] - values[:, 0]).mean(),
        }
    )
    assert found.value == pytest.approx(min(parts.values()))
    assert parts[least] == pytest.approx(found.value, abs=1e-9)
    assert (found.low > 0) == all(low > 0 for _, low, _ in found.parts.values())
    assert found.low < found.value < found.high


def test_p_and_interval_of_the_margin_say_the_same() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        found = margin(means(np.array([0.05, 0.1]) + 0.05 * rng.standard_normal((5, 2))))
        assert (found.p <= 0.05) == (found.low > 0 or found.high < 0)


def test_one_model_is_as_sure_as_its_checkpoints_are() -> None:
    rng = np.random.default_rng(0)
    alignment = np.clip(TIME, 0, 1.5) + 0.02 * rng.standard_normal(len(TIME))
    functional = 0.2 * TIME + 0.02 * rng.standard_normal(len(TIME))
    one = late_slopes(course(alignment, functional, 4), "A", "F", "G", RHO, rng, DRAWS)
    assert one is not None
    found = mean_slopes([one])
    late = TIME[late_steps(np.clip(TIME / 2, 0, 1))]
    expected = stats.linregress(late, functional[-len(late) :]).stderr
    assert np.sqrt(found.covariance[1, 1]) == pytest.approx(expected, rel=0.3)
    assert margin(found).low > 0
