"""The evidence for each of the five claims: one function a claim, from curves to a finding."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geomod.curves import Curves, mean_ignoring_nan
from geomod.inference import (
    Estimate,
    Settings,
    false_discovery_rate,
    mean_and_se,
    permutation_p,
    rng_of,
    t_interval,
)
from geomod.low_high import (
    beyond_depth,
    combined_p,
    contrast,
    fold_variance,
    labels_and_score,
    low_blocks,
    sliding_null,
)
from geomod.mixed import leave_one_size_out, long_table, mixed_model
from geomod.modules import FEWEST_LAYERS, exceedance_p, partition, persistence
from geomod.nulls import CURVES_TESTS
from geomod.partial import (
    Pair,
    depth_degree,
    depth_waves,
    mean_effect,
    partial_correlation,
    semi_partial_r2,
    within_depth,
)
from geomod.scale import trend
from geomod.timing import mean_contrast, timing_contrasts

Array = NDArray[np.float64]
Details = dict[str, Any]
# What a claim's function finds: the estimate, or None and the reason why there is none.
Finding = tuple[Estimate | None, str, Details]


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
        result = partition(cloud, 2, method=method, rng=rng, draws=settings.null_draws)
        if len(result.null):
            found[c.model] = result
    details: Details = {
        "models": [
            {
                "model": model,
                "silhouette": each.silhouette,
                "null_mean": each.null.mean(),
                "null_p": each.p,
                "walk_p": each.walk_p,
                "k_selected": each.k_selected,
            }
            for model, each in found.items()
        ],
        "persistence": persistence(modules).to_dict("records"),
    }
    if not found:
        return None, f"no model has {FEWEST_LAYERS} blocks whose geometry differs", details
    excess = [each.silhouette - each.null.mean() for each in found.values()]
    p = exceedance_p(
        float(np.mean(excess)), np.mean([e.null - e.null.mean() for e in found.values()], axis=0)
    )
    value = float(np.mean(excess))
    se = float(np.sqrt(np.sum([each.se**2 for each in found.values()]))) / len(found)
    freedom = sum(len(each.labels) - 2 for each in found.values())
    return Estimate(value, *t_interval(value, se, freedom, settings.alpha), p), "", details


# --- 2 ---------------------------------------------------------------------------------------


def low_complexity_aligns(
    curves: Sequence[Curves], modules: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    """Score of the low minus the high module in the last decade of training, mean over models."""
    averages, people, folds, nulls, pairs, by_model = [], [], [], [], [], []
    for c in curves:
        regions = network_of(c, settings)
        score = c.of(regions)
        low = low_blocks(modules, c)
        use = c.trained & np.isfinite(contrast(score, low))
        if not use.any():
            continue
        score, low = score[use], low[use]
        averages.append(float(contrast(score, low).mean()))
        nulls.append(sliding_null(score, low))
        pair = labels_and_score(score, low)
        if pair is not None:
            pairs.append(pair)
        people.append(mean_ignoring_nan(contrast(c.people_of(regions)[:, use], low), axis=-1))
        folds.append(mean_ignoring_nan(contrast(c.folds_of(regions)[:, use], low), axis=-1))
        by_model.append(
            {
                "model": c.model,
                "low_minus_high": averages[-1],
                "beyond_depth": math.nan if pair is None else beyond_depth(pair),
                "steps_positive": float((contrast(score, low) > 0).mean()),
            }
        )
    details: Details = {"models": by_model}
    if not averages:
        return None, "no model has both modules and scores in the last decade of training", details
    details["average_brain"] = float(np.mean(averages))
    rng = rng_of(seed, "claim 2")
    details["p_sliding_labels"] = combined_p(nulls, settings.permutations, rng)
    p = permutation_p(*mean_effect(pairs, settings.permutations, rng)[:2])
    if len({c.participants for c in curves}) == 1 and all(len(each) > 1 for each in people):
        value, se, df = mean_and_se(np.mean(people, axis=0))
        details["units"] = "participants"
        if all(len(each) > 1 for each in folds) and len({len(each) for each in folds}) == 1:
            between_folds = np.mean(folds, axis=0)
            variances = np.array([se**2, fold_variance(between_folds)])
            freedom = np.array([df, len(between_folds) - 1])
            # Welch & Satterthwaite: degrees of freedom of a sum of two estimated variances.
            df = float(variances.sum() ** 2 / (variances**2 / freedom).sum())
            se = float(np.sqrt(variances.sum()))
            details["units"] = "participants and sentence folds"
    else:
        value, se, df = mean_and_se(np.array(averages))
        details["units"] = "models"
    if not np.isfinite(se):
        return None, "one model without participants gives no interval", {**details, "p": p}
    return Estimate(value, *t_interval(value, se, df, settings.alpha), p), "", details


def network_of(curves: Curves, settings: Settings) -> tuple[str, ...]:
    """The language network where it was measured, else all regions, averaged."""
    present = tuple(region for region in settings.network if region in curves.regions)
    return present or curves.regions


# --- 3 ---------------------------------------------------------------------------------------


def temporal_before_frontal(
    curves: Sequence[Curves], emergence: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    """t50 of temporal minus frontal regions, paired within models, mean over models."""
    known = timing_contrasts(
        curves, settings.temporal, settings.frontal, rng_of(seed, "claim 3"), settings.bootstrap
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
        return None, f"no model has an onset on both sides among {regions}", details
    same_people = len({c.participants for c in curves if c.model in known}) == 1
    value, se, df = mean_contrast(list(known.values()), same_people)
    p = float(2 * stats.t.sf(abs(value) / se, df)) if se > 0 and df > 0 else math.nan
    note = f"no onset on one side in {', '.join(missing)}" if missing else ""
    return Estimate(value, *t_interval(value, se, df, settings.alpha), p), note, details


def _variability(emergence: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Mean SD after the rise, temporal and frontal: is the one steady and the other dynamic?"""
    groups = {"temporal": settings.temporal, "frontal": settings.frontal}
    return {
        name: float(emergence.loc[emergence["region"].isin(regions), "variability"].mean())
        for name, regions in groups.items()
    }


# --- 4 and 5 ---------------------------------------------------------------------------------


def controlled_pairs(
    curves: Sequence[Curves], settings: Settings, metric: str, regions: tuple[str, ...] = ()
) -> dict[str, Pair]:
    """Geometry and score, step and depth held fixed, of the models that have enough of both.

    The score is the network's, or that of `regions`.
    """
    pairs = {}
    for c in curves:
        x, y = getattr(c, metric), c.of(regions or network_of(c, settings))
        controls = list(c.controls.values())
        rows = np.all([np.isfinite(a).all(axis=1) for a in (x, y, *controls)], axis=0)
        if rows.sum() < 3 or x.shape[1] - depth_degree(x.shape[1]) < 3:
            continue
        chosen = [control[rows] for control in controls]
        pairs[c.model] = (within_depth(x[rows], chosen), within_depth(y[rows], chosen))
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
        return None, "no model has three steps and three blocks with scores", details
    z, null, by_model = mean_effect(
        list(pairs.values()), settings.permutations, rng_of(seed, "claim 4")
    )
    details["models"] = [
        {"model": model, "partial_r": math.tanh(value), "se_z": se}
        for model, (value, se) in zip(pairs, by_model, strict=True)
    ]
    known = np.atleast_1d(np.isfinite(by_model).all(axis=1))
    if not known.any():
        return None, "curvature or score does not vary beyond step and depth", details
    se = float(np.sqrt((by_model[known, 1] ** 2).sum())) / int(known.sum())
    waves = [depth_waves(x).shape[1] for x, _ in pairs.values()]
    freedom = sum(n for n, keep in zip(waves, known, strict=True) if keep)
    low, high = t_interval(z, se, freedom, settings.alpha)
    p = permutation_p(z, null)
    return Estimate(math.tanh(z), math.tanh(low), math.tanh(high), p), "", details


def _beside(curves: Sequence[Curves], settings: Settings, seed: int) -> Details:
    """Other answers to the same question, none of which the verdict is taken from."""
    table = long_table(curves, lambda c: c.of(network_of(c, settings)))
    entropy = controlled_pairs(curves, settings, "entropy")
    z, null, _ = mean_effect(list(entropy.values()), settings.permutations, rng_of(seed, "entropy"))
    raw = [
        (c.curvature, c.of(network_of(c, settings)))
        for c in curves
        if np.isfinite(c.curvature).all() and np.isfinite(c.of(network_of(c, settings))).all()
    ]
    rng = rng_of(seed, "beside")
    return {
        "paper": paper_correlations(curves, settings),
        "regions": region_effects(curves, settings, seed),
        "entropy": {"partial_r": math.tanh(z), "p": permutation_p(z, null)},
        "tests": {
            name: p_of(raw, settings.permutations, rng) for name, p_of in CURVES_TESTS.items()
        }
        if raw
        else {},
        "mixed_model": mixed_model(table),
        "leave_one_size_out": leave_one_size_out(table),
    }


def region_effects(curves: Sequence[Curves], settings: Settings, seed: int) -> list[Details]:
    """The verdict's test for each region, with q over the regions (Benjamini–Hochberg)."""
    regions = sorted({region for c in curves for region in c.regions})
    rows: list[Details] = []
    for region in regions:
        pairs = controlled_pairs(
            [c for c in curves if region in c.regions], settings, "curvature", (region,)
        )
        z, null, _ = mean_effect(
            list(pairs.values()), settings.permutations, rng_of(seed, "region", region)
        )
        rows.append({"region": region, "partial_r": math.tanh(z), "p": permutation_p(z, null)})
    for row, q in zip(rows, false_discovery_rate([row["p"] for row in rows]), strict=True):
        row["q"] = q
    return rows


def paper_correlations(curves: Sequence[Curves], settings: Settings) -> list[Details]:
    """As in the paper, given log10(step + 1): layers × steps of a model pooled, and each layer.

    Points count as independent here, which they are not. q is over the rows of one predictor,
    method and kind (all the models, or all their layers).
    """
    rows: list[Details] = []
    for c in curves:
        score = c.of(network_of(c, settings))
        for predictor, x in (("curvature", c.curvature), ("entropy", c.entropy)):
            for layer in ("all", *range(len(c.layers))):
                columns = slice(None) if layer == "all" else [layer]
                a, b = x[:, columns], score[:, columns]
                known = np.isfinite(a) & np.isfinite(b)
                if known.sum() < 4:
                    continue
                given = np.broadcast_to(c.time[:, None], a.shape)[known][:, None]
                for method in ("pearson", "spearman"):
                    r, p = partial_correlation(a[known], b[known], given, method)
                    rows.append(
                        {
                            "model": c.model,
                            "layer": "all" if layer == "all" else int(c.layers[layer]),
                            "predictor": predictor,
                            "method": method,
                            "r": r,
                            "p": p,
                            "semi_partial_r2": semi_partial_r2(a[known], b[known], given),
                        }
                    )
    if not rows:
        return rows
    table = pd.DataFrame(rows)
    family = [table["predictor"], table["method"], table["layer"] == "all"]
    table["q"] = table.groupby(family)["p"].transform(lambda p: false_discovery_rate(p.to_numpy()))
    return [dict(row) for row in table.to_dict("records")]


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
        return None, "a trend with an interval needs three sizes with an effect", {}
    details = {
        "sizes": found.df + 2,
        "dispersion": found.dispersion,
        "interval_if_exactly_linear": [found.fixed_low, found.fixed_high],
    }
    note = f"{found.df + 2} sizes leave {found.df} degree{'s' if found.df > 1 else ''} of freedom"
    return Estimate(found.slope, found.low, found.high, found.p), note, details
