"""The noise of a curve over training: how large, how alike at neighbouring checkpoints.

Residuals of a fitted curve look whiter and smaller than the noise was, the more so with a dozen
steps and four fitted parameters. The autocorrelation and variance are therefore read backwards
(indirect inference, Gouriéroux, Monfort & Renault 1993): which ρ would have left such residuals?
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geomod.emergence.sigmoids import fit_logistic

Array = NDArray[np.float64]

RHOS = np.array([0.0, 0.3, 0.6, 0.8, 0.9])
COPIES = 6  # of every curve, with noise of each ρ


def autoregressive(
    rho: float, shape: tuple[int, ...], rng: np.random.Generator, axis: int
) -> Array:
    """Stationary Gaussian AR(1) of variance 1 along `axis`."""
    values = np.moveaxis(rng.standard_normal(shape), axis, 0)
    for i in range(1, len(values)):
        values[i] = rho * values[i - 1] + np.sqrt(1 - rho**2) * values[i]
    return np.moveaxis(values, 0, axis)


def lag_one(values: Array) -> float:
    """Σ eₜ eₜ₊₁ / Σ eₜ² along the last axis, pooled over the others."""
    power = float((values**2).sum())
    return float((values[..., 1:] * values[..., :-1]).sum()) / power if power > 0 else 0.0


def step_noise(
    curves: Sequence[tuple[Array, Array]], rng: np.random.Generator
) -> tuple[float, float]:
    """ρ of the noise about logistics, and the share of its variance that residuals keep.

    `curves` are pairs (time, curve) whose noise is taken to have one ρ. Every fitted curve is given
    noise of each ρ in turn and fitted again; the mean autocorrelation of the residuals, which
    grows with ρ, is then looked up backwards.
    """
    seen = []
    left = np.zeros((len(RHOS), 2))
    for time, curve in curves:
        fit = fit_logistic(time, curve[None])
        fitted = fit.at(time)[0]
        residual = curve - fitted
        sd = float(residual.std())
        if sd <= 1e-9 * np.abs(curve).max(initial=0):
            continue  # a noise-free curve says nothing about noise
        seen.append(lag_one(residual))
        noise = np.array([autoregressive(r, (COPIES, len(time)), rng, axis=1) for r in RHOS])
        again = (fitted + sd * noise).reshape(-1, len(time))
        rest = (again - fit_logistic(time, again).at(time)).reshape(noise.shape)
        left += [(lag_one(each), float((each**2).mean()) / sd**2) for each in rest]
    if not seen:
        return 0.0, 1.0
    lag, share = left.T / len(seen)
    rho = float(np.interp(np.mean(seen), np.maximum.accumulate(lag), RHOS))
    return rho, float(np.interp(rho, RHOS, share))


def noisy_copies(
    fitted: Array, residual: Array, rho: float, share: float, draws: int, rng: np.random.Generator
) -> Array:
    """Bootstrap curves [draws, steps, curves]: the fits plus AR(1) noise.

    The noise has the residuals' covariance between curves (a checkpoint moves regions together),
    divided by the share that fitting left of it.
    """
    steps, curves = fitted.shape
    values, vectors = np.linalg.eigh(residual.T @ residual / (steps * share))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return fitted + autoregressive(rho, (draws, steps, curves), rng, axis=1) @ root
