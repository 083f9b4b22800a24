"""Claim 5: the effect of curvature is stronger in larger models.

Slope of claim 4's effect, toward the paper's negative sign, on log10(parameters). Each model is
weighted by its error. That is taken as √(φ / waves), with φ common to all sizes: a size's own
estimate of its error moves with its effect, and weights that do so mislead.
"""

import numpy as np

from geomod.claims.claim import Claim, Estimate, Evidence, Finding, Truth
from geomod.claims.curvature import controlled_pairs, effects
from geomod.coupling.size import trend
from geomod.coupling.within_depth import depth_waves
from geomod.curves.curves import mean_ignoring_nan


def find(evidence: Evidence) -> Finding:
    """The weighted trend over the sizes that have an effect."""
    pairs = controlled_pairs(evidence, "curvature")
    sizes = {c.model: c.parameters for c in evidence.curves}
    _, _, by_model = effects(evidence, pairs)
    waves = np.array([depth_waves(x).shape[1] for x, _ in pairs.values()], dtype=float)
    effect, own = by_model.T
    spread = mean_ignoring_nan(own**2 * waves, axis=0)
    error = np.where(np.isfinite(own), np.sqrt(spread / np.maximum(waves, 1)), np.nan)
    parameters = np.array([sizes[model] for model in pairs], dtype=float)
    found = trend(parameters, -effect, error, evidence.settings.alpha)
    if found is None:
        return Finding(None, "a trend with an interval needs three sizes with an effect")
    details = {
        "sizes": found.sizes,
        "models": found.df + 2,
        "dispersion": found.dispersion,
        "interval_if_exactly_linear": [found.fixed_low, found.fixed_high],
    }
    of = f"{found.df + 2} models of " if found.df + 2 > found.sizes else ""
    note = f"{of}{found.sizes} sizes leave {found.df} degree{'s' * (found.df > 1)} of freedom"
    known = np.where(np.isfinite(effect), parameters, np.nan)
    largest = effect[known == np.nanmax(known)].mean()
    against = "in the largest model the effect is not on the paper's side"
    return Finding(
        Estimate(found.slope, found.low, found.high, found.p),
        note,
        details,
        against if found.slope > 0 and largest > 0 else "",
    )


SIZE = Claim(
    number=5,
    name="stronger with size",
    statement="The effect of curvature is stronger in larger models.",
    unit="Fisher z toward the paper's direction, per tenfold parameters",
    direction=1,
    test="t on the size trend",
    smallest=0.05,
    find=find,
    absent=Truth(coupling=0.5),  # an effect that does not grow
    planted=Truth(coupling=0.5, growth=0.3),
    metrics=("curvature",),
)
