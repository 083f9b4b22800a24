"""The design of a measured sweep: its grid, and noise that is estimated from its curves.

Simulated sweeps of this design (`synthetic.py`) say what the tests are worth on data like these.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geomod.coupling.within_depth import within_depth
from geomod.curves.curves import HEADLINE, Curves, mean_ignoring_nan
from geomod.emergence.noise import lag_one
from geomod.emergence.onsets import FEWEST_STEPS
from geomod.emergence.sigmoids import fit_logistic
from geomod.scrutiny.synthetic import USUAL, Design, Frame, Scatter

Array = NDArray[np.float64]


def design_like(curves: Sequence[Curves]) -> Design:
    """The grid of these curves, with noise and autocorrelations estimated from them."""
    frames = tuple(
        Frame(
            c.model,
            c.parameters if np.isfinite(c.parameters) else 10.0 ** (6 + i),
            tuple(int(step) for step in c.steps),
            len(c.layers),
        )
        for i, c in enumerate(curves)
    )
    geometry = [scatter_of(c.metrics[name], c.time) for c in curves for name in HEADLINE]
    score = [scatter_of(c.of([region]), c.time) for c in curves for region in c.regions]
    people = [len(c.participants) for c in curves]
    return Design(
        frames=frames,
        regions=curves[0].regions,
        participants=min(people),
        geometry=_middle(geometry),
        score=_middle(score),
        person=_person(curves),
        competence=_noise_of_competence(curves),
    )


def _noise_of_competence(curves: Sequence[Curves]) -> tuple[tuple[str, float], ...]:
    """Families that some model has, and the median SD of their curves about logistics."""
    found: dict[str, list[float]] = {}
    for c in curves:
        for family, share in c.competence.items():
            seen = np.isfinite(share)
            if seen.sum() >= FEWEST_STEPS:
                time, curve = c.time[seen], share[seen]
                residual = curve - fit_logistic(time, curve[None]).at(time)[0]
                # A logistic's four parameters take their part of so few points.
                found.setdefault(family, []).append(
                    float(np.sqrt((residual**2).sum() / max(len(curve) - 4, 1)))
                )
    return tuple((family, max(float(np.median(each)), 1e-3)) for family, each in found.items())


def scatter_of(values: Array, time: Array) -> Scatter | None:
    """Scatter of the curves of layers [steps, layers]; None where they are too few or constant."""
    whole = np.isfinite(values).all(axis=1)
    values, time = values[whole], time[whole]
    if values.shape[0] < 4 or values.shape[1] < 4:
        return None
    mean = values.mean(axis=1)
    rise = max(float(fit_logistic(time, np.stack([mean, -mean])).rise.max()), float(mean.std()))
    if rise <= 1e-9 * np.abs(values).max():
        return None
    rest = within_depth(values) / rise
    smooth = (values - mean[:, None]) / rise - rest
    lasting = rest.mean(axis=0)
    passing = rest - lasting
    return Scatter(
        smooth=float(smooth[-1].std()),
        rough=float(lasting.std()),
        noise=float(passing.std()),
        rho=unbiased_lag_one(passing.T),
        rho_depth=unbiased_lag_one(rest),
    )


def unbiased_lag_one(values: Array) -> float:
    """Autocorrelation at lag 1 along the last axis, freed of most of its small-sample bias.

    A series of n about its own mean underestimates ρ by about (1 + 3ρ)/n (Kendall 1954).
    """
    n = values.shape[-1]
    rho = lag_one(values) * n / (n - 1)
    return float(np.clip((rho + 1 / n) / max(1 - 3 / n, 0.1), 0.0, 0.95))


def _middle(found: Sequence[Scatter | None]) -> Scatter:
    known = [each for each in found if each is not None]
    if not known:
        return USUAL
    names = ("smooth", "rough", "noise", "rho", "rho_depth")
    middle = {name: float(np.median([getattr(each, name) for each in known])) for name in names}
    middle["noise"] = max(middle["noise"], 1e-3)
    return Scatter(**middle)


def _person(curves: Sequence[Curves]) -> float:
    """Median SD of participants about their mean, in units of the score's spread over training."""
    shares = []
    for c in curves:
        course = mean_ignoring_nan(c.score, axis=1)
        course = course[np.isfinite(course).all(axis=1)]
        spread = float(course.std(axis=0).max(initial=0.0)) if len(course) else 0.0
        if len(c.participants) > 1 and spread > 0:
            offsets = c.people - mean_ignoring_nan(c.people, axis=0)
            # Lasting differences between people are no noise of a curve.
            offsets = offsets - mean_ignoring_nan(offsets, axis=1)[:, None]
            shares.append(float(offsets[np.isfinite(offsets)].std()) / spread)
    return float(np.median(shares)) if shares else 0.1
