"""Is the module of low complexity better aligned with the brain?

The contrast is the mean score of the `low` blocks minus that of the `high` ones. Its interval
speaks about participants, sentences and checkpoints, its test about layers: a run of deep layers
may score high for being deep. The test therefore asks for what the labels say beyond a smooth
trend over depth (`coupling.trends`); sliding the labels along the depth, runs intact, is reported
beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.coupling.within_depth import Pair, depth_degree, within_depth
from geomod.curves.curves import Curves, mean_ignoring_nan
from geomod.curves.estimates import mean_and_se, t_interval
from geomod.curves.settings import Settings
from geomod.modules.decade import Course, errors_of_mean, places_in_decade

Array = NDArray[np.float64]

COLUMNS = ["model", "step", "region", "low_minus_high", "low", "high", "units"]


def low_blocks(modules: pd.DataFrame, curves: Curves) -> Array:
    """1 where a block is `low`, 0 where `high`, NaN elsewhere: [steps, layers]."""
    table = modules[modules["model"] == curves.model]
    code = table["module"].map({"low": 1.0, "high": 0.0})
    wide = table.assign(code=code).pivot_table(index="step", columns="layer", values="code")
    return wide.reindex(index=curves.steps, columns=curves.layers).to_numpy(dtype=float)


def contrast(score: Array, low: Array) -> Array:
    """Mean score of the low minus mean of the high blocks (last axis); NaN if one is empty."""
    return mean_ignoring_nan(np.where(low == 1, score, np.nan), axis=-1) - mean_ignoring_nan(
        np.where(low == 0, score, np.nan), axis=-1
    )


def low_high_table(
    curves: Sequence[Curves], modules: pd.DataFrame, alpha: float = Settings.alpha
) -> pd.DataFrame:
    """The contrast of every model, step and region, with its interval.

    `units` says over what the interval speaks; without participants it is over folds alone. Other
    steps have rows of their own: no interval here speaks about them.
    """
    rows = []
    for c in curves:
        low = low_blocks(modules, c)
        for region in c.regions:
            value = contrast(c.of([region]), low)
            people = contrast(c.people_of([region]), low)
            folds = contrast(c.folds_of([region]), low)
            for i, step in enumerate(c.steps):
                se, df, units = error_of(people[:, i], folds[:, i])
                bounds = t_interval(value[i], se, df, alpha)
                rows.append((c.model, step, region, value[i], *bounds, units))
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class LateContrast:
    """The contrast of one trained model, by whatever it may vary with."""

    model: str
    steps: Array  # of the average brain at each late checkpoint that has modules and scores
    people: Array  # of each participant, mean over these
    course: Course  # places of these in the decade, and the mean over participants at each
    folds: Array  # of each outer fold, mean over these
    sliding: Array  # `sliding_null`
    pair: Pair | None  # `labels_and_score`


def late_contrast(
    curves: Curves, modules: pd.DataFrame, regions: Sequence[str]
) -> LateContrast | None:
    """Low − high over the last decade of training; None where no step has modules and scores."""
    score, low = curves.of(regions), low_blocks(modules, curves)
    use = curves.trained & np.isfinite(contrast(score, low))
    if not use.any():
        return None
    score, low = score[use], low[use]
    people, folds = (
        contrast(each[:, use], low)
        for each in (curves.people_of(regions), curves.folds_of(regions))
    )
    course, places = mean_ignoring_nan(people, axis=0), places_in_decade(curves.steps)[use]
    known = np.isfinite(course)
    return LateContrast(
        curves.model,
        contrast(score, low),
        mean_ignoring_nan(people, axis=-1),
        (places[known], course[known]),
        mean_ignoring_nan(folds, axis=-1),
        sliding_null(score, low),
        labels_and_score(score, low),
    )


def error_of(
    people: Array, folds: Array, checkpoints: Sequence[Course] = ()
) -> tuple[float, float, str]:
    """Standard error, degrees of freedom and units of the models' mean contrast.

    Its values by participant, by fold, and, for each model, by late checkpoint. Participants and
    folds are the same in all models, checkpoints each model's own (`modules.decade`). The variances
    are added; the degrees of freedom of the sum are Welch & Satterthwaite's.
    """
    parts: list[tuple[float, float]] = []
    units = []
    if len(people) > 1:
        _, se, df = mean_and_se(people)
        parts.append((se**2, df))
        units.append("participants")
    if len(folds) > 1:
        parts.append((fold_variance(folds), len(folds) - 1.0))
        units.append("sentence folds")
    late = errors_of_mean(checkpoints)
    if late:
        parts += late
        units.append("late checkpoints")
    if not parts:
        return np.nan, 0.0, ""
    variances, freedom = np.array(parts).T
    total = float(variances.sum())
    df = float(total**2 / (variances**2 / freedom).sum()) if total > 0 else float(freedom.sum())
    *others, last = units
    return float(np.sqrt(total)), df, f"{', '.join(others)} and {last}" if others else last


def sliding_null(score: Array, low: Array) -> Array:
    """The contrast [shifts] for every cyclic shift of the labels over depth, averaged over steps.

    Shift 0, the observed one, comes first. All steps slide together: labels [steps, layers].
    """
    layers = score.shape[-1]
    values = [contrast(score, np.roll(low, shift, axis=-1)) for shift in range(layers)]
    return mean_ignoring_nan(np.array(values), axis=1)


def combined_p(nulls: list[Array], draws: int, rng: np.random.Generator) -> float:
    """Two-sided p of the models' mean contrast, every model's labels sliding by its own shift."""
    nulls = [null for null in nulls if np.isfinite(null).all()]
    if not nulls:
        return np.nan
    observed = np.mean([null[0] for null in nulls])
    centre = np.mean([null.mean() for null in nulls])
    drawn = np.mean([rng.choice(null, size=draws) for null in nulls], axis=0)
    far = np.abs(drawn - centre) >= abs(observed - centre) - 1e-12
    return float((1 + far.sum()) / (1 + draws))


def labels_and_score(score: Array, low: Array) -> Pair | None:
    """Labels and score [steps, layers] where both are whole; None where depth leaves nothing."""
    whole = np.isfinite(score).all(axis=1) & np.isfinite(low).all(axis=1)
    if not whole.any() or score.shape[1] - depth_degree(score.shape[1]) < 3:
        return None
    return low[whole], score[whole]


def beyond_depth(pair: Pair) -> float:
    """The contrast that a parabola over depth does not explain: slope of score on labels."""
    low, score = map(within_depth, pair)
    power = float((low**2).sum())
    return float((low * score).sum()) / power if power > 0 else np.nan


def fold_variance(folds: Array) -> float:
    """Variance of a mean over k cross-validation folds, (1/k + 1/(k − 1)) s².

    Nadeau & Bengio 2003, Mach Learn 52:239: training sets overlap, so that s²/k is too small.
    """
    folds = folds[np.isfinite(folds)]
    k = len(folds)
    return float((1 / k + 1 / (k - 1)) * folds.var(ddof=1)) if k > 1 else np.nan
