"""Does a layer's geometry predict its alignment beyond training progress?

The paper's answer is a partial correlation over checkpoints given log10(step). Curves that rise
together pass it by themselves. Here every checkpoint is compared with itself: step and smooth depth
are held fixed, and the null keeps whole courses over training together. Pairs of arrays
[steps, layers], one a model. Other tests, the paper's among them: `geomod.coupling.other_tests`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.fft import dct

from geomod.curves.curves import relative_depth

Array = NDArray[np.float64]
Pair = tuple[Array, Array]  # predictor and outcome, [steps, layers] each


def residuals(values: Array, given: Array) -> Array:
    """What least squares on an intercept and the columns of `given` leaves of `values`."""
    design = np.column_stack([np.ones(len(given)), given])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def partial_correlation(
    x: Array, y: Array, given: Array, method: str = "pearson"
) -> tuple[float, float]:
    """r of x and y given the columns of `given` [n, q], and the p if points were independent.

    t = r √(df / (1 − r²)), df = n − 2 − q (Fisher 1924). Spearman's is Pearson's on ranks.
    """
    given = np.asarray(given, dtype=float).reshape(len(x), -1)
    if method == "spearman":
        x, y = stats.rankdata(x), stats.rankdata(y)
        given = np.apply_along_axis(stats.rankdata, 0, given) if given.size else given
    freedom = len(x) - 2 - given.shape[1]
    if freedom < 1:
        return np.nan, np.nan
    r = correlation(residuals(x, given), residuals(y, given), x, y)
    if not np.isfinite(r):
        return np.nan, np.nan
    t = r * np.sqrt(freedom / max(1 - r**2, 1e-15))
    return r, float(2 * stats.t.sf(abs(t), freedom))


def semi_partial_r2(x: Array, y: Array, given: Array) -> float:
    """Share of y's variance that x explains beyond `given`: R²(given, x) − R²(given)."""
    total = float(((y - y.mean()) ** 2).sum())
    if total == 0:
        return np.nan
    without = residuals(y, given)
    with_x = residuals(y, np.column_stack([given, x]))
    return float((without @ without - with_x @ with_x) / total)


def correlation(x: Array, y: Array, raw_x: Array, raw_y: Array) -> float:
    """Cosine of two residual arrays; NaN where one is only the rounding of what it came from."""
    if is_rounding(x, raw_x) or is_rounding(y, raw_y):
        return np.nan
    return float(np.clip((x * y).sum() / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))


def is_rounding(residual: Array, raw: Array) -> bool:
    """Whether nothing but floating-point error is left of `raw`."""
    return bool(np.linalg.norm(residual) <= 1e-9 * np.linalg.norm(raw))


# --- one checkpoint against itself: step and depth held fixed --------------------------------


def depth_degree(layers: int) -> int:
    """Degree of the trend over depth that so many layers can spare: 2 from five layers on."""
    return int(np.clip(layers - 3, 0, 2))


def within_depth(values: Array, controls: Sequence[Array] = ()) -> Array:
    """values [steps, layers] without each step's own level and smooth trend over depth.

    Training progress is thus held fixed in the strongest way, a checkpoint is compared with itself
    only, and a gradient that everything follows over depth does not count. `controls`, such as
    the activation norm, are treated alike and then regressed out.
    """
    layers = values.shape[1]
    basis = np.vander(relative_depth(layers), depth_degree(layers) + 1)
    rest = residuals_over_layers(values, basis)
    if is_rounding(rest, values):
        rest = np.zeros_like(rest)
    left = [(residuals_over_layers(control, basis), control) for control in controls]
    # A control that is the same for all layers, such as the loss, is held fixed with the step.
    varying = [r.ravel() for r, control in left if not is_rounding(r, control)]
    if varying:
        others = np.column_stack(varying)
        fit = np.linalg.lstsq(others, rest.ravel(), rcond=None)[0]
        rest = rest - (others @ fit).reshape(rest.shape)
    return rest


def residuals_over_layers(values: Array, basis: Array) -> Array:
    """values [steps, layers] less their projection on basis [layers, q], at every step."""
    q, _ = np.linalg.qr(basis)
    return values - (values @ q) @ q.T


def depth_waves(values: Array) -> Array:
    """Cosine transform of residuals [steps, layers] over depth, less the waves already taken out.

    Neighbouring blocks are alike; their waves are nearly uncorrelated, whatever the likeness
    (the cosine transform is the limit of the principal axes of a stationary series).
    """
    layers = values.shape[1]
    return dct(values, norm="ortho", axis=1)[:, depth_degree(layers) + 1 :]


def waves_beyond(basis: Array) -> Array:
    """Waves over depth that `basis` [layers, q] leaves, orthonormal: [layers, layers − q].

    Cosines in the order of their frequency, each without what those before and the basis have of
    it: those of `depth_waves`, but for its parabola.
    """
    layers, q = basis.shape
    rest, _ = np.linalg.qr(basis)
    for wave in dct(np.eye(layers), norm="ortho", axis=0)[1:]:
        left = wave - rest @ (rest.T @ wave)
        left -= rest @ (rest.T @ left)  # once more, for what rounding left
        size = np.linalg.norm(left)
        if size > 1e-6 and rest.shape[1] < layers:
            rest = np.column_stack([rest, left / size])
    return rest[:, q:]


def wave_error(pair: Pair) -> float:
    """Standard error of Fisher's z of a pair of residual arrays, waves being independent.

    The influence of wave k on r is aₖ − r (xₖ² + yₖ²)/2, where aₖ, xₖ², yₖ² are its shares of the
    product and of the two powers; leverages are corrected for as in HC2, and z has dz/dr =
    1/(1 − r²). Unlike the spread of the null it does not grow with the effect itself.
    """
    x, y = (depth_waves(values) for values in pair)
    norms = np.linalg.norm(x), np.linalg.norm(y)
    if not all(norms) or x.shape[1] < 2:
        return np.nan
    x, y = x / norms[0], y / norms[1]
    products, power_x, power_y = ((a * b).sum(axis=0) for a, b in ((x, y), (x, x), (y, y)))
    r = float(products.sum())
    influence = products - r * (power_x + power_y) / 2
    leverage = np.maximum((1 - power_x) * (1 - power_y), 1e-6)
    return float(np.sqrt((influence**2 / leverage).sum())) / max(1 - r**2, 1e-6)


def wave_null(pair: Pair, draws: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Correlation of a pair of residual arrays, and with the sign of each depth wave drawn anew.

    A wave keeps its whole course over training, so that nothing is assumed about time, and its
    size, so that nothing is assumed about the likeness of neighbours: only that, where
    predictor and outcome are unrelated, their waves agree in sign by chance.
    """
    return signs_flipped(depth_waves(pair[0]), depth_waves(pair[1]), draws, rng)


def signs_flipped(x: Array, y: Array, draws: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Correlation of waves [steps, waves], and with the sign of each drawn anew."""
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    if norm == 0 or x.shape[1] < 2:
        return np.nan, np.full(draws, np.nan)
    products = (x * y).sum(axis=0) / norm
    return float(products.sum()), rng.choice([-1.0, 1.0], (draws, len(products))) @ products


def fisher_z(r: Array | float) -> Array:
    """Atanh r, with |r| = 1 held just inside."""
    return np.arctanh(np.clip(r, -0.999999, 0.999999))


def mean_effect(
    pairs: Sequence[Pair],
    draws: int,
    rng: np.random.Generator,
    null_of: Callable[[Pair, int, np.random.Generator], tuple[float, Array]] = wave_null,
) -> tuple[float, Array, Array]:
    """Mean Fisher z over models, its null draws, and each model's (z, standard error) [models, 2].

    Models' curves are moved independently of each other.
    """
    rows, nulls = [], []
    for pair in pairs:
        r, null = null_of(pair, draws, rng)
        z = fisher_z(null)
        rows.append((float(fisher_z(r)), wave_error(pair)))
        nulls.append(z)
    by_model = np.array(rows).reshape(len(rows), 2)
    known = np.isfinite(by_model).all(axis=1)
    if not known.any():
        return np.nan, np.empty(0), by_model
    null = np.mean([z for z, keep in zip(nulls, known, strict=True) if keep], axis=0)
    return float(by_model[known, 0].mean()), null, by_model
