"""Forms that a curve over training may take, fitted to many curves at once.

A logistic is linear in its baseline and rise once midpoint and width are given, so that a fit is a
search over two numbers with least squares inside (variable projection, Golub & Pereyra 1973): no
starting values, no failure to converge, and thousands of bootstrap curves in one matrix product.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

Array = NDArray[np.float64]

# Parameters of each form, the residual variance included.
PARAMETERS = {"constant": 2, "linear": 3, "logistic": 5, "double": 8}
PASSES = 6  # of refinement: t50 is then known to a hundredth of the distance between points


@dataclass(frozen=True)
class Logistic:
    """baseline + rise / (1 + exp(−(x − t50) / width)), one entry a curve; rise > 0."""

    baseline: Array
    rise: Array
    t50: Array
    width: Array
    error: Array  # sum of squared residuals

    def at(self, x: Array) -> Array:
        """The fitted curves [curves, points]."""
        share = expit((x[None] - self.t50[:, None]) / self.width[:, None])
        return self.baseline[:, None] + self.rise[:, None] * share


def fit_logistic(x: Array, curves: Array) -> Logistic:
    """Least-squares rising logistic through each row of curves [curves, points].

    Midpoints are sought on the sampled range, widths between a quarter of the median spacing
    (nothing narrower can be told apart) and the range. A curve that only falls gets rise 0.
    """
    reach = np.ptp(x)
    narrow = narrowest(x)
    midpoints = np.linspace(x.min(), x.max(), 81)
    widths = np.geomspace(narrow, reach, 20)
    t50, width = (grid.ravel() for grid in np.meshgrid(midpoints, widths))
    best = _error(x, curves, t50[None], width[None])[0].argmin(axis=1)
    t50, width = t50[best], width[best]
    # Midpoint and width trade off: the window about the best so far, five by five, moves along the
    # valley while the best lies on its rim, and halves once it lies inside.
    step = np.full(len(curves), midpoints[1] - midpoints[0])
    ratio = np.full(len(curves), np.log(widths[1] / widths[0]))
    rows, (i, j) = np.arange(len(curves)), np.indices((5, 5)).reshape(2, -1)
    for _ in range(PASSES):
        near_t50 = t50[:, None] + step[:, None] * (i - 2) / 2
        near_width = width[:, None] * np.exp(ratio[:, None] * (j - 2) / 2)
        near_t50 = np.clip(near_t50, x.min(), x.max())
        near_width = np.clip(near_width, narrow, reach)
        best = _error(x, curves, near_t50, near_width)[0].argmin(axis=1)
        t50, width = near_t50[rows, best], near_width[rows, best]
        inside = (np.abs(i[best] - 2) < 2) & (np.abs(j[best] - 2) < 2)
        step, ratio = (np.where(inside, size / 2, size) for size in (step, ratio))
    error, rise = _error(x, curves, t50[:, None], width[:, None])
    share = expit((x[None] - t50[:, None]) / width[:, None])
    baseline = curves.mean(axis=1) - rise[:, 0] * share.mean(axis=1)
    return Logistic(baseline, rise[:, 0], t50, width, error[:, 0])


def narrowest(x: Array) -> float:
    """The least width worth telling apart: a quarter of the median spacing of the points."""
    return max(float(np.median(np.diff(x))) / 4, float(np.ptp(x)) / 100)


def _error(x: Array, curves: Array, t50: Array, width: Array) -> tuple[Array, Array]:
    """Residual sum of squares and rise [curves, candidates].

    Candidates [1, candidates] are shared by all curves, [curves, candidates] are each curve's own.
    """
    share = expit((x - t50[..., None]) / width[..., None])
    share = share - share.mean(axis=-1, keepdims=True)
    centred = curves - curves.mean(axis=1, keepdims=True)
    shared = len(t50) == 1
    product = centred @ share[0].T if shared else np.einsum("cgp,cp->cg", share, centred)
    power = (share**2).sum(axis=-1)
    rise = np.maximum(product, 0) / np.maximum(power, 1e-12)
    return (centred**2).sum(axis=1, keepdims=True) - rise * np.maximum(product, 0), rise


def errors_of_forms(x: Array, curve: Array) -> dict[str, float]:
    """Residual sum of squares of the constant, the line, the logistic and the double sigmoid."""
    centred = curve - curve.mean()
    line = np.polynomial.Polynomial.fit(x, curve, 1)
    return {
        "constant": float(centred @ centred),
        "linear": float(((curve - line(x)) ** 2).sum()),
        "logistic": float(fit_logistic(x, curve[None]).error[0]),
        "double": float(((curve - fit_double(x, curve)) ** 2).sum()),
    }


def fit_double(x: Array, curve: Array) -> Array:
    """Least-squares baseline + two logistics of any sign (a rise, then a rise or a fall), at x."""
    midpoints = np.linspace(x.min(), x.max(), 21)
    widths = np.geomspace(narrowest(x), np.ptp(x) / 2, 4)
    t50, width = (grid.ravel() for grid in np.meshgrid(midpoints, widths))
    share = expit((x - t50[:, None]) / width[:, None])
    share -= share.mean(axis=1, keepdims=True)
    centred = curve - curve.mean()
    gram, product = share @ share.T, share @ centred
    first, second = np.triu_indices(len(share), 1)
    aa, bb, ab = gram[first, first], gram[second, second], gram[first, second]
    determinant = aa * bb - ab**2
    told_apart = determinant > 1e-6 * aa * bb
    safe = np.where(told_apart, determinant, 1)
    a, b = product[first], product[second]
    heights = np.array([(a * bb - b * ab) / safe, (b * aa - a * ab) / safe]) * told_apart
    best = int(np.argmax(heights[0] * a + heights[1] * b))
    pair = share[[first[best], second[best]]]
    return np.asarray(curve.mean() + heights[:, best] @ pair)


def likeliest_form(x: Array, curve: Array) -> str:
    """The form with the least AICc, n ln(SSE/n) + 2p + 2p(p+1)/(n−p−1).

    Hurvich & Tsai 1989. A form with too many parameters for the points (n ≤ p + 1) is left out.
    """
    n = len(x)
    scale = max(float(((curve - curve.mean()) ** 2).sum()), 1e-300)
    criterion = {}
    for form, error in errors_of_forms(x, curve).items():
        p = PARAMETERS[form]
        if n > p + 1:
            # Noise-free curves leave rounding errors: below 1e-12 of the variance all fits tie.
            fit = n * np.log(max(error / scale, 1e-12))
            criterion[form] = fit + 2 * p + 2 * p * (p + 1) / (n - p - 1)
    return min(criterion, key=lambda form: criterion[form]) if criterion else "constant"


def half_rise(x: Array, curve: Array, level: float | None = None) -> float:
    """Where a curve's isotonic regression first crosses half of its rise, or `level`; else NaN."""
    rising = isotonic_regression(curve).x
    half = (rising[0] + rising[-1]) / 2 if level is None else level
    if rising[-1] <= rising[0] or not rising[0] < half <= rising[-1]:
        return np.nan
    after = int(np.argmax(rising >= half))
    share = (half - rising[after - 1]) / (rising[after] - rising[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))
