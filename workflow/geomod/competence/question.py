"""Which competence does the alignment of each region follow?

`lags` is the plain table: how long before or after each family of competence a region is half-way.
`answers` puts the models together: λ, the same with the loss in place of grammar, saturation, and
what shared variance and seeds say. Claims 6 and 7 ask the same of the network.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from geomod.competence.beside import r_squared, seeds, wilcoxon_p
from geomod.competence.position import Position, position
from geomod.competence.saturation import late_of, margin, mean_slopes
from geomod.competence.times import Courses, Times, courses_of, lag, leads, times_of
from geomod.curves.curves import FORMAL, FUNCTIONAL, LOSS, Curves
from geomod.curves.estimates import network_of, rng_of, t_interval
from geomod.curves.settings import Settings

POSITION, MARGIN = "position between formal and functional", "margin of saturation"
ALL = "all"  # in the column `model`: the mean over models

LAGS = [
    "model",
    "region",
    "family",
    "alignment_half_time",
    "family_half_time",
    "lag",
    "low",
    "high",
    "alignment_censoring",
    "family_censoring",
    "level",
    "models",
]
ANSWERS = ["region", "quantity", "estimate", "low", "high", "p", "models"]
Answer = tuple[str, float, float, float, float, int]  # from `quantity` on


def half_times(
    curves: Sequence[Curves],
    settings: Settings,
    *,
    own_range: Collection[str] = (),
    seed: int = 0,
) -> tuple[list[Courses], list[Times]]:
    """Courses and half-times of all regions, the network and all families that every model has.

    Families in `own_range` have no known range: they are read at half of their own rise, up to
    their peak where they fall again.
    """
    asked = [c for c in curves if c.competence]
    if not asked:
        return [], []
    network = network_of(asked[0], settings)
    groups: dict[str, tuple[str, ...]] = {region: (region,) for region in asked[0].regions}
    groups |= {"mean": network} if len(network) > 1 else {}
    names = sorted(set.intersection(*(set(c.competence) for c in asked)))
    courses = courses_of(asked, groups, names)
    known = [name for name in names if name not in own_range]
    rng = rng_of(seed, "half-times")
    return courses, times_of(courses, list(groups), known, settings, rng, settings.bootstrap)


def lags(times: Sequence[Times], settings: Settings) -> pd.DataFrame:
    """t_A − t_F for every model, region and family, and their means over models.

    A model's interval is t times the larger of two errors, of its checkpoints (which move both) and
    of the participants; that of the mean is t over models, and holds what models have in common.
    """
    rows = []
    for region, family in _pairs(times):
        for each in times:
            value, se, df = lag(each, region, family)
            a, f = each.read[region], each.read[family]
            rows.append((each.model, region, family, a.value, f.value, value,
                         *t_interval(value, se, df, settings.alpha),
                         a.censoring, f.censoring, a.level, 1))  # fmt: skip
        mean = leads(times, family, [region])
        value, se = mean.along([1.0])
        interval = t_interval(value, se, mean.freedom, settings.alpha)
        rows.append((ALL, region, family, np.nan, np.nan, value, *interval, "", "", None,
                     mean.models))  # fmt: skip
    return pd.DataFrame(rows, columns=LAGS).astype({"level": float})


def _pairs(times: Sequence[Times]) -> Iterator[tuple[str, str]]:
    if times:
        regions = list(times[0].p_rise)
        yield from ((r, f) for r in regions for f in times[0].read if f not in regions)


def answers(
    courses: Sequence[Courses], times: Sequence[Times], settings: Settings, *, seed: int = 0
) -> pd.DataFrame:
    """A row a region and quantity; nothing where formal or functional competence is missing."""
    rows = []
    if times and {FORMAL, FUNCTIONAL} <= set(times[0].read):
        rng = rng_of(seed, "saturation")
        for region in times[0].p_rise:
            for found in (
                _positions(times, region, settings),
                _slopes(courses, times, region, settings, rng),
                _beside(courses, times, region, settings, rng),
            ):
                rows += [(region, *row) for row in found]
    return pd.DataFrame(rows, columns=ANSWERS)


def _positions(times: Sequence[Times], region: str, settings: Settings) -> Iterator[Answer]:
    def between(start: str, end: str) -> Position:
        return position(leads(times, start, [region, end]), settings.alpha)

    asked = {POSITION: between(FORMAL, FUNCTIONAL)}
    if LOSS in times[0].read:
        asked["position between loss and functional"] = between(LOSS, FUNCTIONAL)
        asked["position between formal and loss"] = between(FORMAL, LOSS)
    for name, found in asked.items():
        yield name, found.value, found.low, found.high, found.p_midway, found.models
    gap = asked[POSITION]
    yield ("functional − formal half-time", gap.gap, gap.gap_low, gap.gap_high, np.nan, gap.models)


def _slopes(
    courses: Sequence[Courses],
    times: Sequence[Times],
    region: str,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[Answer]:
    late = list(late_of(courses, times, region, settings, rng).values())
    if not late:
        return
    slopes = mean_slopes(late)
    for name, weights in (
        ("late slope of alignment", (1, 0)),
        ("late slope of functional", (0, 1)),
    ):
        value, se = slopes.along(weights)
        yield name, value, *t_interval(value, se, slopes.freedom, settings.alpha), np.nan, len(late)
    found = margin(slopes, settings.alpha)
    yield MARGIN, found.value, found.low, found.high, found.p, len(late)


def _beside(
    courses: Sequence[Courses],
    times: Sequence[Times],
    region: str,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[Answer]:
    shared = {
        family: [r_squared(c.curves[family], c.curves[region]) for c in courses]
        for family in (FORMAL, FUNCTIONAL)
    }
    p = wilcoxon_p(shared[FORMAL], shared[FUNCTIONAL])
    for family, values in shared.items():
        known = np.array(values)[np.isfinite(values)]
        mean = float(known.mean()) if len(known) else np.nan
        yield f"mean R² with {family}", mean, np.nan, np.nan, p, len(known)
    runs = seeds(
        [each.model for each in times],
        np.array([each.of(region, FORMAL, FUNCTIONAL) for each in times]),
        settings.permutations,
        rng,
    )
    if runs is not None:
        correlations = (runs.r_formal, runs.p_formal), (runs.r_functional, runs.p_functional)
        for family, (r, own_p) in zip((FORMAL, FUNCTIONAL), correlations, strict=True):
            yield f"r over seeds with {family}", r, np.nan, np.nan, own_p, runs.runs
