"""How far may a difference of two scores be trusted to hold for other sentences?

    PYTHONPATH=workflow python benchmarks/scrutiny/sentence_coverage.py

Experiments with new sentences each: two layers that predict a region unequally well, nested
ridge in five folds. The truth is the mean difference on fresh sentences, trained on as many as a
fold has. Prints how often each 95 % interval holds it: from the folds, with the overlap of their
training sets counted (`low_high.fold_variance`, what claim 2 takes) or not, and from a bootstrap
of the sentences' held-out predictions, which takes the fitted models as given.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from geomod.modules.low_high import fold_variance
from geomod.ridge.engine import encode

Array = NDArray[np.float64]
ALPHAS = np.logspace(-2, 8, 21)
WIDTH, FRESH, DRAWS = 100, 5000, 300


def sentences(n: int, rng: np.random.Generator, weights: Array) -> tuple[Array, Array]:
    """Features of two layers [2, n, width] and responses [n, 1]; the first layer is the truer."""
    latent = rng.standard_normal((n, WIDTH))
    layers = np.stack([latent + s * rng.standard_normal((n, WIDTH)) for s in (0.6, 1.0)])
    signal = latent @ weights
    return layers, (signal + 2 * rng.standard_normal(n))[:, None]


def correlations(predicted: Array, response: Array) -> Array:
    """Pearson r of each layer's predictions [2, n] with the response [n]."""
    return np.array([np.corrcoef(row, response)[0, 1] for row in predicted])


def one_experiment(n: int, weights: Array, seed: int) -> tuple[float, ...]:
    """Truth, estimate, and half the width of each interval."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    features, response = sentences(n, rng, weights)
    found = encode(features, response, alphas=ALPHAS, keep_predictions=True)
    by_fold = np.diff(found.r[::-1, :, 0], axis=0)[0]
    estimate, reach = float(by_fold.mean()), float(stats.t.ppf(0.975, len(by_fold) - 1))
    counted = reach * np.sqrt(fold_variance(by_fold))
    naive = reach * by_fold.std(ddof=1) / np.sqrt(len(by_fold))
    predicted = np.asarray(found.predictions)[..., 0]
    drawn = []
    for _ in range(DRAWS):
        rows = rng.integers(n, size=n)
        drawn.append(-np.diff(correlations(predicted[:, rows], response[rows, 0]))[0])
    boot = 1.96 * np.std(drawn)
    # The truth: fitted to four fifths of the sentences, held against thousands of new ones.
    part = n * 4 // 5
    fresh, answers = sentences(FRESH, rng, weights)
    scores = []
    for layer, new in zip(features[:, :part], fresh, strict=True):
        alpha = float(np.median(found.alpha))
        centre, scale = layer.mean(axis=0), layer.std(axis=0)
        x, y = (layer - centre) / scale, response[:part, 0] - response[:part, 0].mean()
        beta = np.linalg.solve(x.T @ x + alpha * np.eye(WIDTH), x.T @ y)
        scores.append(np.corrcoef((new - centre) / scale @ beta, answers[:, 0])[0, 1])
    return scores[0] - scores[1], estimate, counted, naive, float(boot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    weights = np.random.default_rng(0).standard_normal(WIDTH) / np.sqrt(WIDTH)
    with ProcessPoolExecutor(options.jobs) as pool:
        task = partial(one_experiment, options.sentences, weights)
        found = np.array(list(pool.map(task, range(options.experiments))))
    truth, estimate = found[:, 0].mean(), found[:, 1]
    print(f"truth {truth:.4f}, mean estimate {estimate.mean():.4f}, SD {estimate.std():.4f}")
    for name, reach in zip(
        ("folds", "folds as independent", "bootstrap"), found.T[2:], strict=True
    ):
        covered = np.mean(np.abs(estimate - truth) <= reach)
        print(f"{name:22} coverage {covered:.3f}  median width {2 * np.median(reach):.4f}")


if __name__ == "__main__":
    main()
