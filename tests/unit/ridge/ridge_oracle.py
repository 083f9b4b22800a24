"""The definition of an encoding score, spelled out as loops over scikit-learn's Ridge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Blocks = Callable[[NDArray[np.intp]], Sequence[NDArray[np.intp]]]


@dataclass(frozen=True)
class Oracle:
    r: Floats
    r2: Floats
    alpha: Floats
    predictions: Floats


def k_fold(folds: int, seed: int = 0) -> Callable[[NDArray[np.intp]], list[NDArray[np.intp]]]:
    splitter = KFold(folds, shuffle=True, random_state=seed)
    return lambda rows: [test for _, test in splitter.split(rows)]


def nested_loop(
    x: NDArray[np.floating],
    y: Floats,
    alphas: Floats,
    outer: Blocks | None = None,
    inner: Blocks | None = None,
    standardize: bool = True,
    components: int | None = None,
) -> Oracle:
    """`outer` and `inner` give the held-out positions within some rows; 5 shuffled folds each."""
    outer, inner = outer or k_fold(5), inner or k_fold(5)
    x = x.astype(np.float64)
    r, r2, chosen, predictions = [], [], [], np.zeros(y.shape)
    for test in outer(np.arange(len(y))):
        train = np.setdiff1d(np.arange(len(y)), test)
        scaler = StandardScaler(with_std=standardize).fit(x[train])
        x_train, x_test, y_train = scaler.transform(x[train]), scaler.transform(x[test]), y[train]
        if components:
            pca = PCA(components, svd_solver="full").fit(x_train)
            x_train, x_test = pca.transform(x_train), pca.transform(x_test)
        errors = np.zeros((len(alphas), y.shape[1]))
        for held in inner(train):
            fitted = np.setdiff1d(np.arange(len(train)), held)
            for k, alpha in enumerate(alphas):
                model = Ridge(alpha, solver="svd").fit(x_train[fitted], y_train[fitted])
                miss = y_train[held] - model.predict(x_train[held]).reshape(len(held), -1)
                errors[k] += (miss**2).sum(axis=0)
        best = alphas[errors.argmin(axis=0)]
        model = Ridge(best, solver="svd").fit(x_train, y_train)
        predictions[test] = model.predict(x_test).reshape(len(test), -1)
        pairs = list(zip(predictions[test].T, y[test].T, strict=True))
        r.append([np.corrcoef(pair)[0, 1] for pair in pairs])
        r2.append(r2_score(y[test], predictions[test], multioutput="raw_values"))
        chosen.append(best)
    return Oracle(np.array(r), np.array(r2), np.array(chosen), predictions)


def planted(
    n: int, width: int, targets: int = 3, decay: float = 0.5, seed: int = 0
) -> tuple[Floats, Floats]:
    """Features with a falling spectrum, and responses that follow them at different noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, width)) * np.arange(1, width + 1) ** -decay
    x = x @ np.linalg.qr(rng.standard_normal((width, width)))[0] + rng.standard_normal(width)
    noise = np.geomspace(0.1, 10, targets)
    signal = x @ rng.standard_normal((width, targets))
    return x, signal / signal.std(axis=0) + noise * rng.standard_normal((n, targets))
