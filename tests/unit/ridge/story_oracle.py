"""What rows in time are, spelled out: a wide matrix, made row by row, and a refit a fold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

Floats = NDArray[np.float64]


def z_scored(values: NDArray[np.floating]) -> Floats:
    """Columns in units of their SD (ddof 0) about their mean; 0 where they are constant."""
    values = values.astype(np.float64)
    varies = np.ptp(values, axis=0) > 0
    deviations = values - values.mean(axis=0)
    return np.where(varies, deviations / np.where(varies, values.std(axis=0), 1), 0.0)


def delayed(
    stories: Sequence[NDArray[np.floating]], delays: Sequence[int], trim: tuple[int, int]
) -> Floats:
    """Features of each story, delayed and trimmed, one story under the other."""
    rows = []
    for story in stories:
        z = z_scored(story)
        for t in range(trim[0], len(z) - trim[1]):
            rows.append(
                np.concatenate([z[t - d] if t >= d else np.zeros(z.shape[1]) for d in delays])
            )
    return np.array(rows)


def kept_responses(stories: Sequence[NDArray[np.floating]], trim: tuple[int, int]) -> Floats:
    return np.concatenate([z_scored(y[trim[0] : len(y) - trim[1]]) for y in stories])


def nested(
    x: Floats,
    y: Floats,
    alphas: NDArray[np.floating],
    outer: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    inner: Sequence[Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]],
) -> tuple[Floats, Floats]:
    """r and penalty `[folds, targets]`; `inner` are the (fitted, held out) rows of all of them."""
    r, chosen = [], []
    for (train, test), splits in zip(outer, inner, strict=True):
        errors = np.zeros((len(alphas), y.shape[1]))
        for fitted, held in splits:
            for k, alpha in enumerate(alphas):
                model = Ridge(alpha, solver="svd").fit(x[fitted], y[fitted])
                errors[k] += ((y[held] - model.predict(x[held]).reshape(len(held), -1)) ** 2).sum(0)
        best = alphas[errors.argmin(axis=0)]
        predicted = Ridge(best, solver="svd").fit(x[train], y[train]).predict(x[test])
        pairs = zip(predicted.reshape(len(test), -1).T, y[test].T, strict=True)
        r.append([np.corrcoef(pair)[0, 1] for pair in pairs])
        chosen.append(best)
    return np.array(r), np.array(chosen)
