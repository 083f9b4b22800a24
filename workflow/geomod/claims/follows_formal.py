"""Claim 6: alignment follows formal competence (grammar) more than functional (knowledge).

½ − λ, with λ the position of alignment's half-time between that of formal (0) and of functional
competence (1), on known ranges; mean over models.
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth, in_details
from geomod.competence.beside import combined_meng_p, r_squared, seeds, wilcoxon_p
from geomod.competence.position import Position, position
from geomod.competence.times import Courses, Times, courses_of, leads, times_of
from geomod.curves.curves import FORMAL, FUNCTIONAL, LOSS, Curves
from geomod.curves.estimates import network_of
from geomod.emergence.onsets import FEWEST_STEPS

NETWORK = "alignment"
TOO_FEW = f"no model has {FEWEST_STEPS} steps with alignment and both competences"
WILCOXON = "signed ranks of R² over models"
MENG = "correlated correlations, combined over models"


def find(evidence: Evidence) -> Finding:
    """λ with its Fieller interval, beside the same with the loss in place of grammar."""
    settings = evidence.settings
    courses, times = half_times(evidence)
    found = position(leads(times, FORMAL, [NETWORK, FUNCTIONAL]), settings.alpha)
    details: Details = {
        "position": asdict(found),
        "models": [_row_of(each) for each in times],
        **_paper(courses),
    }
    alone = "one model: the interval speaks of its checkpoints alone" if found.models == 1 else ""
    note = "; ".join(filter(None, [alone, _missing(times)]))
    if not found.models:
        reason = "no model has all three half-times" if times else TOO_FEW
        return Finding(None, "; ".join(filter(None, [reason, note])), details)
    if not np.isfinite(found.low):
        reason = _no_interval(found)
        return Finding(None, "; ".join(filter(None, [reason, note])), details)
    against = ""
    if all(LOSS in each.read for each in times):
        loss = position(leads(times, LOSS, [NETWORK, FUNCTIONAL]), settings.alpha)
        between = position(leads(times, FORMAL, [NETWORK, LOSS]), settings.alpha)
        details |= {
            "loss_in_place_of_grammar": asdict(loss),
            "between_grammar_and_loss": asdict(between),
        }
        if found.value < 0.5 and not between.high < 0.5:
            against = (
                "alignment is not shown to be nearer to grammar than to the mere loss "
                f"(position {between.value:.2f} from the one to the other)"
            )
    elif found.value < 0.5:
        against = "without the loss as a control nothing shows that it is grammar"
    if evidence.beside:
        deviations = seeds(
            [each.model for each in times],
            np.array([each.of(NETWORK, FORMAL, FUNCTIONAL) for each in times]),
            settings.permutations,
            evidence.rng("claim 6", "seeds"),
        )
        details["seeds"] = None if deviations is None else asdict(deviations)
    estimate = Estimate(0.5 - found.value, 0.5 - found.high, 0.5 - found.low, found.p_midway)
    return Finding(estimate, note, details, against)


def with_competence(evidence: Evidence) -> list[Curves]:
    """The models of which both formal and functional competence are known."""
    return [c for c in evidence.curves if {FORMAL, FUNCTIONAL} <= set(c.competence)]


def half_times(evidence: Evidence) -> tuple[list[Courses], list[Times]]:
    """The network's alignment beside both competences and, where all models have it, the loss."""
    settings = evidence.settings
    asked = with_competence(evidence)
    names = [FORMAL, FUNCTIONAL] + [LOSS] * all(LOSS in c.competence for c in asked)
    regions = {NETWORK: network_of(asked[0], settings)} if asked else {}
    courses = courses_of(asked, regions, names)
    alone = len(courses) == 1
    draws = settings.bootstrap if evidence.beside or alone else 0
    rng = evidence.rng("claim 6")
    return courses, times_of(courses, [NETWORK], names, settings, rng, draws)


def _row_of(each: Times) -> Details:
    return {
        "model": each.model,
        "half_times": {name: read.value for name, read in each.read.items()},
        "censoring": {name: read.censoring for name, read in each.read.items()},
        "level": each.read[NETWORK].level,
    }


def _missing(times: Sequence[Times]) -> str:
    """Which curves have no half-time, and why."""
    words = {
        "left": "is past half of its range at the first step",
        "right": "is not half-way through its range by the last step",
        "flat": "does not rise",
    }
    lost = [
        f"{name} {words[each.read[name].censoring]} in {each.model}"
        for name in (NETWORK, FORMAL, FUNCTIONAL)
        for each in times
        if each.read[name].censoring in words
    ]
    return "; ".join(lost)


def _no_interval(found: Position) -> str:
    if found.models == 1 and not np.isfinite(found.gap_low):
        return "one model without draws of its checkpoints gives no interval"
    return (
        f"formal and functional competence are {found.gap:+.2f} decades apart "
        f"[{found.gap_low:.2f}, {found.gap_high:.2f}], too little or too uncertain to say where "
        "between them alignment lies"
    )


def _paper(courses: Sequence[Courses]) -> Details:
    """Shared variance of the curves and what is usually concluded from it."""
    formal, functional = (
        [r_squared(c.curves[family], c.curves[NETWORK]) for c in courses]
        for family in (FORMAL, FUNCTIONAL)
    )
    triples = [(c.curves[NETWORK], c.curves[FORMAL], c.curves[FUNCTIONAL]) for c in courses]
    return {
        "paper": [
            {"model": c.model, "r2_formal": f, "r2_functional": g, "steps": len(c.time)}
            for c, f, g in zip(courses, formal, functional, strict=True)
        ],
        WILCOXON: wilcoxon_p(formal, functional),
        MENG: combined_meng_p(triples),
    }


FOLLOWS_FORMAL = Claim(
    number=6,
    name="follows formal competence",
    statement="Alignment follows formal competence (grammar) more than functional (knowledge).",
    unit="½ − λ, λ from 0 (with formal) to 1 (with functional competence)",
    direction=1,
    test="t on alignment's half-time against the midpoint of both",
    smallest=0.1,
    find=find,
    absent=Truth(position=0.5),
    planted=Truth(position=0.0),
    others=(in_details(WILCOXON), in_details(MENG)),
    families=(FORMAL, FUNCTIONAL),
)
