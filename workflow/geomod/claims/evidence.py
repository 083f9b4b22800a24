"""The evidence for each of the five claims: one function a claim, from curves to a finding."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geomod.coupling.mixed import leave_one_size_out, long_table, mixed_model
from geomod.coupling.other_tests import CURVES_TESTS
from geomod.coupling.paper import correlations, of_network
from geomod.coupling.size import trend
from geomod.coupling.within_depth import Pair, depth_degree, depth_waves, mean_effect, within_depth
from geomod.curves.curves import NORM, Curves, mean_ignoring_nan
from geomod.curves.estimates import (
    Details,
    Estimate,
    Finding,
    Settings,
    false_discovery_rate,
    mean_and_se,
    network_of,
    permutation_p,
    rng_of,
    t_interval,
)
from geomod.emergence.contrasts import mean_contrast, timing_contrasts
from geomod.modules.low_high import (
    LateContrast,
    beyond_depth,
    combined_p,
    error_of,
    late_contrast,
    low_blocks,
)
from geomod.modules.partition import FEWEST_LAYERS, exceedance_p, partition, persistence, select_k

Array = NDArray[np.float64]
# Tests beside the verdict's, as they are called in details and in the calibration.
RANDOM_WALK = "p against a random walk over depth"
SLIDING_LABELS = "module labels slid over depth"
POOLED = "layers × steps pooled as independent points"
CIRCULAR = "circular shift over steps"


# --- 1 ---------------------------------------------------------------------------------------


def modularization(
    curves: Sequence[Curves], modules: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    """Mean silhouette of two modules above its null, in the last decade of training."""
    method = str(modules["method"].iloc[0]) if len(modules) else "kmeans"
    found = {}
    for c in curves:
        cloud = np.stack(
            [mean_ignoring_nan(m[c.trained], axis=0) for m in (c.entropy, c.curvature)], axis=-1
        )
        cloud = cloud[np.isfinite(cloud).all(axis=1)]
        if len(cloud) < FEWEST_LAYERS:
            continue
        rng = rng_of(seed, "claim 1", c.model)
        result = partition(
            cloud, 2, method=method, rng=rng, draws=settings.null_draws, alpha=settings.alpha
        )
        if len(result.null):
            found[c.model] = result
    details: Details = {
        "models": [
            {
                "model": model,
                "silhouette": each.silhouette,
                "null_mean": each.null.mean(),
                "null_p": each.p,
                RANDOM_WALK: each.walk_p,
                "k_selected": each.k_selected,
            }
            for model, each in found.items()
        ],
        "persistence": persistence(modules).to_dict("records"),
    }
    if not found:
        reason = f"no model has {FEWEST_LAYERS} blocks whose geometry differs"
        return Finding(None, reason, details)
    value, null = _mean_excess([(each.silhouette, each.null) for each in found.values()])
    walk_p = exceedance_p(*_mean_excess([(each.silhouette, each.walk) for each in found.values()]))
    asked = select_k([each.gaps for each in found.values()], settings.alpha)
    details |= {RANDOM_WALK: walk_p, "k_selected": asked}
    se = float(np.sqrt(np.sum([each.se**2 for each in found.values()]))) / len(found)
    # A silhouette is free of scale: its spread does not inherit the doubt about the scatter's size,
    # which degrees of freedom would pay for.
    low, high = t_interval(value, se, math.inf, settings.alpha)
    estimate = Estimate(value, low, high, permutation_p(value, null))
    return Finding(estimate, "", details, _against_two(value, asked, walk_p, settings.alpha))


def _mean_excess(found: Sequence[tuple[float, Array]]) -> tuple[float, Array]:
    """Mean over models of a silhouette above its null's mean, and its null draws."""
    value = float(np.mean([silhouette - null.mean() for silhouette, null in found]))
    return value, np.mean([null - null.mean() for _, null in found], axis=0)


def _against_two(value: float, asked: int, walk_p: float, alpha: float) -> str:
    """What speaks against two modules where the silhouette speaks for them, or the other way.

    `asked`: how many modules the gap statistic asks for, over all models.
    """
    doubts = []
    if asked != 2:
        doubts.append(f"the gap statistic asks for {asked} module{'s' * (asked > 1)}, not for 2")
    if walk_p > alpha:
        doubts.append(f"a random walk over depth is as clustered, p = {walk_p:.3f} > {alpha:g}")
    if value > 0:
        return " and ".join(doubts)
    return "" if doubts else "the gap statistic and the random walk speak for two modules"


# --- 2 ---------------------------------------------------------------------------------------


def low_complexity_aligns(
    curves: Sequence[Curves], modules: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    """Score of the low minus the high module in the last decade of training, mean over models."""
    tried = {c.model: late_contrast(c, modules, network_of(c, settings)) for c in curves}
    found = [each for each in tried.values() if each is not None]
    notes = [_why_no_contrast(c, modules) for c in curves if tried[c.model] is None]
    notes += [
        f"{each.model} has one late checkpoint: the interval speaks of no other"
        for each in found
        if len(each.steps) == 1
    ]
    details: Details = {"models": [_row_of(each) for each in found]}
    if not found:
        reason = "no model has both modules and scores in the last decade of training"
        return Finding(None, "; ".join([reason, *notes]), details)
    averages = np.array([each.steps.mean() for each in found])
    details["average_brain"] = float(averages.mean())
    draws, sliding = settings.permutations, [each.sliding for each in found]
    details[SLIDING_LABELS] = combined_p(sliding, draws, rng_of(seed, "claim 2", SLIDING_LABELS))
    pairs = [each.pair for each in found if each.pair is not None]
    z, null, _ = mean_effect(pairs, draws, rng_of(seed, "claim 2"))
    p = permutation_p(z, null)
    same_people = len({c.participants for c in curves}) == 1
    if same_people and all(len(each.people) > 1 for each in found):
        people = np.mean([each.people for each in found], axis=0)
        same_folds = len({len(each.folds) for each in found}) == 1
        folds = np.mean([each.folds for each in found], axis=0) if same_folds else np.empty(0)
        value = float(np.nanmean(people))
        se, df, details["units"] = error_of(people, folds, [each.steps for each in found])
    else:
        value, se, df = mean_and_se(averages)
        details["units"] = "models"
    if not np.isfinite(se):
        reason = "one model without participants gives no interval"
        return Finding(None, "; ".join([reason, *notes]), {**details, "p": p})
    estimate = Estimate(value, *t_interval(value, se, df, settings.alpha), p)
    against = "beyond a smooth trend over depth the labels point the other way"
    return Finding(estimate, "; ".join(notes), details, against if value * z < 0 else "")


def _row_of(found: LateContrast) -> Details:
    return {
        "model": found.model,
        "low_minus_high": found.steps.mean(),
        "beyond_depth": math.nan if found.pair is None else beyond_depth(found.pair),
        "steps": len(found.steps),
        "steps_positive": (found.steps > 0).mean(),
        "sd_over_steps": found.steps.std(ddof=1) if len(found.steps) > 1 else math.nan,
    }


def _why_no_contrast(curves: Curves, modules: pd.DataFrame) -> str:
    blocks = len(curves.layers)
    if blocks <= 2:
        return f"{curves.model} has {blocks} block{'s' * (blocks > 1)}, and a block is no module"
    if not np.isfinite(low_blocks(modules, curves)[curves.trained]).any():
        return f"{curves.model} has no low and high module"
    return f"{curves.model} has no scores of its modules"


# --- 3 ---------------------------------------------------------------------------------------


def temporal_before_frontal(
    curves: Sequence[Curves], emergence: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    """t50 of temporal minus frontal regions, paired within models, mean over models."""
    known = timing_contrasts(
        curves,
        settings.temporal,
        settings.frontal,
        rng_of(seed, "claim 3"),
        settings.bootstrap,
        settings.alpha,
    )
    missing = [c.model for c in curves if c.model not in known]
    details: Details = {
        "models": [
            {
                "model": model,
                "temporal_minus_frontal": each.value,
                "t50": {region: onset.t50 for region, onset in each.onsets.items()},
                "censoring": {region: onset.censoring for region, onset in each.onsets.items()},
            }
            for model, each in known.items()
        ],
        "models_without_onset": missing,
        "variability": _variability(emergence, settings),
    }
    if not known:
        regions = ", ".join((*settings.temporal, *settings.frontal))
        return Finding(None, f"no model has an onset on both sides among {regions}", details)
    same_people = len({c.participants for c in curves if c.model in known}) == 1
    value, se, df = mean_contrast(list(known.values()), same_people)
    p = float(2 * stats.t.sf(abs(value) / se, df)) if se > 0 and df > 0 else math.nan
    note = f"no onset on one side in {', '.join(missing)}" if missing else ""
    return Finding(Estimate(value, *t_interval(value, se, df, settings.alpha), p), note, details)


def _variability(emergence: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Mean SD after the rise, temporal and frontal: is the one steady and the other dynamic?"""
    groups = {"temporal": settings.temporal, "frontal": settings.frontal}
    return {
        name: float(emergence.loc[emergence["region"].isin(regions), "variability"].mean())
        for name, regions in groups.items()
    }


# --- 4 and 5 ---------------------------------------------------------------------------------


def controlled_pairs(
    curves: Sequence[Curves],
    settings: Settings,
    metric: str,
    regions: tuple[str, ...] = (),
    given: Sequence[str] = (),
) -> dict[str, Pair]:
    """Geometry and score, step and depth held fixed, of the models that have enough of both.

    The score is the network's, or that of `regions`. The controls named by `given` are held fixed
    too; what is the same for all layers of a checkpoint, such as its loss, is so with the step.
    """
    pairs = {}
    for c in curves:
        x, y = getattr(c, metric), c.of(regions or network_of(c, settings))
        if not set(given) <= set(c.controls):
            continue
        controls = [c.controls[name] for name in given]
        rows = np.all([np.isfinite(a).all(axis=1) for a in (x, y, *controls)], axis=0)
        if rows.sum() < 3 or x.shape[1] - depth_degree(x.shape[1]) < 3:
            continue
        controls = [control[rows] for control in controls]
        pairs[c.model] = (within_depth(x[rows], controls), within_depth(y[rows], controls))
    return pairs


def curvature_predicts(
    curves: Sequence[Curves], settings: Settings, seed: int, beside: bool = True
) -> Finding:
    """Mean partial correlation of curvature and score given step and depth, over models.

    `beside`: also what stands beside it, the paper's correlations and the mixed model among it.
    """
    pairs = controlled_pairs(curves, settings, "curvature")
    details: Details = _beside(curves, settings, seed) if beside else {}
    if not pairs:
        return Finding(None, "no model has three steps and three blocks with scores", details)
    z, null, by_model = mean_effect(
        list(pairs.values()), settings.permutations, rng_of(seed, "claim 4")
    )
    details["models"] = [
        {"model": model, "partial_r": math.tanh(value), "se_z": se}
        for model, (value, se) in zip(pairs, by_model, strict=True)
    ]
    known = np.atleast_1d(np.isfinite(by_model).all(axis=1))
    if not known.any():
        return Finding(None, "curvature or score does not vary beyond step and depth", details)
    se = float(np.sqrt((by_model[known, 1] ** 2).sum())) / int(known.sum())
    waves = [depth_waves(x).shape[1] for x, _ in pairs.values()]
    freedom = sum(n for n, keep in zip(waves, known, strict=True) if keep)
    low, high = t_interval(z, se, freedom, settings.alpha)
    p = permutation_p(z, null)
    return Finding(Estimate(math.tanh(z), math.tanh(low), math.tanh(high), p), "", details)


def _beside(curves: Sequence[Curves], settings: Settings, seed: int) -> Details:
    """Other answers to the same question, none of which the verdict is taken from."""
    table = long_table(curves, lambda c: c.of(network_of(c, settings)))
    raw = [
        (c.curvature, c.of(network_of(c, settings)))
        for c in curves
        if np.isfinite(c.curvature).all() and np.isfinite(c.of(network_of(c, settings))).all()
    ]
    rng = rng_of(seed, "beside")
    paper = correlations(curves, settings).rename(columns={"p_shift": CIRCULAR})
    return {
        "paper": {POOLED: of_network(paper, curves, settings).to_dict("records")},
        "regions": region_effects(curves, settings, seed),
        "given_activation_norm": effect(
            controlled_pairs(curves, settings, "curvature", given=[NORM]), settings, seed
        ),
        "entropy": effect(controlled_pairs(curves, settings, "entropy"), settings, seed),
        "tests": {
            name: p_of(raw, settings.permutations, rng) for name, p_of in CURVES_TESTS.items()
        }
        if raw
        else {},
        "mixed model": mixed_model(table),
        "leave_one_size_out": leave_one_size_out(table),
    }


def effect(pairs: Mapping[str, Pair], settings: Settings, seed: int, *names: str) -> Details:
    """Mean partial correlation over models and its p, by the verdict's test."""
    rng = rng_of(seed, "effect", *names)
    z, null, _ = mean_effect(list(pairs.values()), settings.permutations, rng)
    return {"partial_r": math.tanh(z), "p": permutation_p(z, null)}


def region_effects(curves: Sequence[Curves], settings: Settings, seed: int) -> list[Details]:
    """The verdict's test for each region, with q over the regions (Benjamini–Hochberg)."""
    regions = sorted({region for c in curves for region in c.regions})
    rows: list[Details] = []
    for region in regions:
        pairs = controlled_pairs(
            [c for c in curves if region in c.regions], settings, "curvature", (region,)
        )
        rows.append({"region": region, **effect(pairs, settings, seed, region)})
    for row, q in zip(rows, false_discovery_rate([row["p"] for row in rows]), strict=True):
        row["q"] = q
    return rows


def stronger_with_size(curves: Sequence[Curves], settings: Settings, seed: int) -> Finding:
    """Slope of claim 4's effect, toward the paper's negative sign, on log10(parameters).

    Each size is weighted by its error. That is taken as √(φ / waves), with φ common to all sizes:
    a size's own estimate of its error moves with its effect, and weights that do so mislead.
    """
    pairs = controlled_pairs(curves, settings, "curvature")
    sizes = {c.model: c.parameters for c in curves}
    _, _, by_model = mean_effect(
        list(pairs.values()), settings.permutations, rng_of(seed, "claim 4")
    )
    waves = np.array([depth_waves(x).shape[1] for x, _ in pairs.values()], dtype=float)
    effect, own = by_model.T
    spread = mean_ignoring_nan(own**2 * waves, axis=0)
    error = np.where(np.isfinite(own), np.sqrt(spread / np.maximum(waves, 1)), np.nan)
    parameters = np.array([sizes[model] for model in pairs], dtype=float)
    found = trend(parameters, -effect, error, settings.alpha)
    if found is None:
        return Finding(None, "a trend with an interval needs three sizes with an effect")
    details = {
        "sizes": found.df + 2,
        "dispersion": found.dispersion,
        "interval_if_exactly_linear": [found.fixed_low, found.fixed_high],
    }
    note = f"{found.df + 2} sizes leave {found.df} degree{'s' if found.df > 1 else ''} of freedom"
    largest = effect[np.nanargmax(np.where(np.isfinite(effect), parameters, np.nan))]
    against = "in the largest model the effect is not on the paper's side"
    return Finding(
        Estimate(found.slope, found.low, found.high, found.p),
        note,
        details,
        against if found.slope > 0 and largest > 0 else "",
    )
