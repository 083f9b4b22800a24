"""Claim 7: alignment saturates while functional competence goes on to grow.

After formal competence has made 90 % of its rise: the least of .1 − |a| and g − a, with a the slope
of alignment in units of its rise and g that of functional competence in units of its range, a
decade of training; means over models.
"""

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth
from geomod.claims.follows_formal import NETWORK, TOO_FEW, half_times
from geomod.competence.saturation import FEWEST_LATE, late_of, margin, mean_slopes
from geomod.curves.curves import FORMAL, FUNCTIONAL


def find(evidence: Evidence) -> Finding:
    """The intersection of an equivalence test and of a difference of slopes."""
    settings = evidence.settings
    courses, times = half_times(evidence)
    found = late_of(courses, times, NETWORK, settings, evidence.rng("claim 7"))
    late = list(found.values())
    lost = [c.model for c in courses if c.model not in found]
    note = (
        f"{', '.join(lost)}: alignment does not rise, grammar is not half-way, or fewer than "
        f"{FEWEST_LATE} checkpoints follow"
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
    least = margin(mean_slopes(late), settings.alpha)
    details["parts"] = {
        name: {"value": value, "interval": [low, high]}
        for name, (value, low, high) in least.parts.items()
    }
    return Finding(Estimate(least.value, least.low, least.high, least.p), note, details)


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
