"""Claim 7: alignment saturates while functional competence goes on to grow.

After formal competence has made 90 % of its rise: the least of .1 − |a| and g − a, with a the slope
of alignment in units of its rise and g that of functional competence in units of its range, a
decade of training; means over models.
"""

import numpy as np

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth
from geomod.claims.follows_formal import NETWORK, TOO_FEW, with_competence
from geomod.competence.saturation import FEWEST_LATE, late_slopes, margin, mean_slopes
from geomod.competence.times import courses_of
from geomod.curves.curves import FORMAL, FUNCTIONAL
from geomod.curves.estimates import network_of
from geomod.emergence.noise import step_noise


def find(evidence: Evidence) -> Finding:
    """The intersection of an equivalence test and of a difference of slopes."""
    settings, rng = evidence.settings, evidence.rng("claim 7")
    asked = with_competence(evidence)
    regions = {NETWORK: network_of(asked[0], settings)} if asked else {}
    courses = courses_of(asked, regions, [FORMAL, FUNCTIONAL])
    noise = step_noise([(c.time, curve) for c in courses for curve in c.curves.values()], rng)
    draws = settings.bootstrap if len(courses) == 1 else 0
    tried = {
        c.model: late_slopes(c, NETWORK, FORMAL, FUNCTIONAL, noise, rng, draws) for c in courses
    }
    late = [each for each in tried.values() if each is not None]
    lost = [model for model, each in tried.items() if each is None]
    note = (
        f"fewer than {FEWEST_LATE} checkpoints after the rise, or none, in {', '.join(lost)}"
        if lost
        else ""
    )
    details: Details = {
        "models": [
            {
                "model": e.model,
                "alignment": e.alignment,
                "functional": e.functional,
                "steps": e.steps,
            }
            for e in late
        ]
    }
    if not late:
        return Finding(None, note or TOO_FEW, details)
    found = margin(mean_slopes(late), settings.alpha)
    details["parts"] = {
        name: {"value": value, "interval": [low, high]}
        for name, (value, low, high) in found.parts.items()
    }
    if not np.isfinite(found.low):
        return Finding(None, "one model without an error gives no interval", details)
    return Finding(Estimate(found.value, found.low, found.high, found.p), note, details)


SATURATES = Claim(
    number=7,
    name="alignment saturates",
    statement="Alignment saturates while functional competence goes on to grow.",
    unit="least margin, share of the rise a decade",
    direction=1,
    test="equivalence and difference of late slopes",
    smallest=0.02,
    find=find,
    absent=Truth(position=0.0, gap=0.0),  # all three are one curve
    planted=Truth(position=0.0, gap=1.2),
    families=(FORMAL, FUNCTIONAL),
)
